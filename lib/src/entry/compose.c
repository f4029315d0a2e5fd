/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. All six fields are always written, because readers of the format
 * raise on some that are missing. Permissions are integers 0..31: user 31 (all),
 * agent 17 (READ and EXECUTE), owner 31. Times are Unix seconds with a fraction.
 * The value's text is copied, never re-printed: digits of long integers and the
 * order of keys stay what the handler wrote.
 */
#include "entry/compose.h"

#include "access/policy.h"

#include <string.h>

/* Members of a JSON array or object at the top level, -1 for other values. The text is known to be
 * valid, so counting commas outside strings and brackets is enough. */
static long count_items(refq_bytes json)
{
    const char *p = json.ptr;
    const char *end = p + json.len;
    if (json.len < 2 || (p[0] != '[' && p[0] != '{')) {
        return -1;
    }
    long items = 0;
    int depth = 0;
    int in_string = 0;
    int any = 0;
    for (; p < end; p++) {
        if (in_string) {
            in_string = *p != '"';
            p += *p == '\\';
            continue;
        }
        in_string = *p == '"';
        any = any || (depth == 1 && strchr(" \t\r\n]}", *p) == NULL);
        depth += *p == '[' || *p == '{';
        depth -= *p == ']' || *p == '}';
        items += depth == 1 && *p == ',';
    }
    return any ? items + 1 : 0;
}

static void add_seconds(rqi_buf *out, const char *name, int64_t ms)
{
    rqi_buf_addf(out, "\"%s\": %lld.%03lld, ", name, (long long)(ms / 1000),
                 (long long)(ms % 1000));
}

/* The policy of what a task's scope says of it. An error in it must not leave the default one,
 * which may allow more: the entry fails. */
static void add_policy(const refq_scope *scope, rqi_buf *out)
{
    refq_policy policy = refq_policy_preset(REFQ_POLICY_DEFAULT);
    refq_policy *own = NULL;
    if (scope->policy != NULL) {
        refq_err rc = refq_policy_parse(scope->policy, strlen(scope->policy), &own, NULL);
        if (rc != REFQ_OK) {
            out->err = out->err == REFQ_OK ? rc : out->err;
            return;
        }
        policy = *own;
    }
    policy.owner = scope->owner;
    policy.bound_session = scope->session;
    rqi_policy_write(&policy, out);
    refq_policy_free(own);
}

/* policy: NULL, or the whole of it. */
static void add_scope(const refq_scope *scope, const char *policy, rqi_buf *out)
{
    const char *name = scope->namespace_name != NULL ? scope->namespace_name : "public";
    rqi_buf_adds(out, ", \"namespace\": ");
    rqi_buf_add_json(out, name, strlen(name));
    rqi_buf_adds(out, ", \"policy\": ");
    if (policy != NULL) {
        rqi_buf_adds(out, policy);
    } else {
        add_policy(scope, out);
    }
    rqi_buf_adds(out, ", ");
}

static void add_metadata(const rqi_entry *entry, rqi_buf *out)
{
    long items = count_items(entry->value);
    rqi_buf_adds(out, "\"metadata\": {\"tool_name\": ");
    if (entry->tool_name != NULL) {
        rqi_buf_add_json(out, entry->tool_name, strlen(entry->tool_name));
    } else {
        rqi_buf_adds(out, "null");
    }
    if (items >= 0) {
        rqi_buf_addf(out, ", \"total_items\": %ld", items);
    } else {
        rqi_buf_adds(out, ", \"total_items\": null");
    }
    rqi_buf_addf(out, ", \"total_size\": %zu", entry->value.len);
    rqi_buf_adds(out, entry->by_task ? ", \"async_completed\": true}" : "}");
}

void rqi_entry_compose(const rqi_entry *entry, rqi_buf *out)
{
    static const refq_scope nobodys = {.struct_size = sizeof nobodys};
    rqi_buf_adds(out, "{\"value\": ");
    rqi_buf_add(out, entry->value.ptr, entry->value.len);
    add_scope(entry->scope != NULL ? entry->scope : &nobodys, entry->policy, out);
    add_seconds(out, "created_at", entry->created_at_ms);
    if (entry->ttl_ms > 0) {
        add_seconds(out, "expires_at", entry->created_at_ms + entry->ttl_ms);
    } else {
        rqi_buf_adds(out, "\"expires_at\": null, ");
    }
    add_metadata(entry, out);
    rqi_buf_addc(out, '}');
}
