/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. All six fields are always written, because readers of the format
 * raise on some that are missing. Permissions are integers 0..31: user 31 (all),
 * agent 17 (READ and EXECUTE), owner 31. Times are Unix seconds with a fraction.
 * The value's text is copied, never re-printed: digits of long integers and the
 * order of keys stay what the handler wrote.
 */
#include "cache/entry.h"

#include <string.h>

#define DEFAULT_POLICY                                                               \
    "{\"user_permissions\": 31, \"agent_permissions\": 17, \"owner\": null, "        \
    "\"owner_permissions\": 31, \"allowed_actors\": null, \"denied_actors\": null, " \
    "\"bound_session\": null}"

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
    rqi_buf_addf(out, ", \"total_size\": %zu, \"async_completed\": true}", entry->value.len);
}

void rqi_entry_compose(const rqi_entry *entry, rqi_buf *out)
{
    rqi_buf_adds(out, "{\"value\": ");
    rqi_buf_add(out, entry->value.ptr, entry->value.len);
    rqi_buf_adds(out, ", \"namespace\": \"public\", \"policy\": " DEFAULT_POLICY ", ");
    add_seconds(out, "created_at", entry->created_at_ms);
    add_seconds(out, "expires_at", entry->created_at_ms + entry->ttl_ms);
    add_metadata(entry, out);
    rqi_buf_addc(out, '}');
}
