/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Entries come from programs that we do not control, so nothing about
 * them is believed: what is missing, of another type or out of bounds makes the
 * entry unreadable, with a reason that names the member, and never more than
 * that one entry. What other readers of the format accept is accepted: members
 * in any order, unknown ones, integers for times, no metadata, a policy that
 * says nothing.
 */
#include "entry/read.h"

#include "base/error.h"
#include "json/parts.h"
#include "json/pyfloat.h"
#include "json/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MS_MAX 9e15 /* a double knows every millisecond up to here */

typedef struct member member;

struct member {
    const char *name;
    refq_err (*read)(const rqi_part *part, rqi_entry_view *view, refq_error *err);
    bool required;
};

static refq_err refuse(refq_error *err, const char *name, const char *what)
{
    return rqi_fail(err, REFQ_ERR_PROTO, "this is no entry of a ref cache: \"%s\" %s", name, what);
}

static refq_err read_value(const rqi_part *part, rqi_entry_view *view, refq_error *err)
{
    (void)err;
    view->value = part->value;
    view->kind = part->kind;
    return REFQ_OK;
}

static refq_err read_metadata(const rqi_part *part, rqi_entry_view *view, refq_error *err)
{
    (void)err;
    view->metadata = part->kind == RQI_SCAN_OBJECT ? part->value : (refq_bytes){0};
    return REFQ_OK;
}

static refq_err read_namespace(const rqi_part *part, rqi_entry_view *view, refq_error *err)
{
    rqi_buf text = rqi_buf_make(2 * REFQ_ACCESS_NAME_MAX);
    if (part->kind != RQI_SCAN_STRING) {
        return refuse(err, "namespace", "is no text");
    }
    rqi_str_decode(part->value, &text);
    if (text.err != REFQ_OK || text.len > REFQ_ACCESS_NAME_MAX ||
        memchr(rqi_buf_str(&text), '\0', text.len) != NULL) {
        rqi_buf_done(&text);
        return refuse(err, "namespace", "is too long, or holds a zero byte");
    }
    free(view->namespace_name);
    view->namespace_name = strdup(rqi_buf_str(&text));
    rqi_buf_done(&text);
    return view->namespace_name != NULL ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
}

static refq_err read_policy(const rqi_part *part, rqi_entry_view *view, refq_error *err)
{
    if (part->kind != RQI_SCAN_OBJECT) {
        return refuse(err, "policy", "is no object");
    }
    refq_policy_free(view->policy);
    view->policy = NULL;
    refq_err rc = refq_policy_parse(part->value.ptr, part->value.len, &view->policy, err);
    return rc == REFQ_OK || rc == REFQ_ERR_NOMEM
               ? rc
               : rqi_fail_in(err, REFQ_ERR_PROTO, "this is no entry of a ref cache");
}

static bool read_seconds(const rqi_part *part, int64_t *ret_ms)
{
    double seconds = 0;
    if ((part->kind != RQI_SCAN_INT && part->kind != RQI_SCAN_REAL) ||
        !rqi_pyfloat_read(part->value, &seconds) || !(fabs(seconds) * 1000 < MS_MAX)) {
        return false;
    }
    *ret_ms = (int64_t)ceil(seconds * 1000);
    return true;
}

static refq_err read_created_at(const rqi_part *part, rqi_entry_view *view, refq_error *err)
{
    return read_seconds(part, &view->created_at_ms) ? REFQ_OK
                                                    : refuse(err, "created_at", "is no time");
}

/* What has expired before 1970 has expired, too: 0 would mean never. */
static refq_err read_expires_at(const rqi_part *part, rqi_entry_view *view, refq_error *err)
{
    if (part->kind == RQI_SCAN_NULL) {
        view->expires_at_ms = 0;
        return REFQ_OK;
    }
    if (!read_seconds(part, &view->expires_at_ms)) {
        return refuse(err, "expires_at", "is neither a time nor null");
    }
    view->expires_at_ms = view->expires_at_ms > 0 ? view->expires_at_ms : 1;
    return REFQ_OK;
}

static const member members[] = {
    {"value", read_value, true},           {"namespace", read_namespace, true},
    {"policy", read_policy, true},         {"created_at", read_created_at, true},
    {"expires_at", read_expires_at, true}, {"metadata", read_metadata, false},
};

enum { MEMBERS = sizeof members / sizeof members[0] };

static refq_err read_member(const rqi_part *part, rqi_entry_view *view, unsigned *seen,
                            refq_error *err)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (rqi_str_is(part->key, members[i].name)) {
            *seen |= 1U << i;
            return members[i].read(part, view, err);
        }
    }
    return REFQ_OK;
}

static refq_err expect_all(unsigned seen, refq_error *err)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (members[i].required && (seen & 1U << i) == 0) {
            return refuse(err, members[i].name, "is missing");
        }
    }
    return REFQ_OK;
}

static refq_err read_members(refq_bytes text, rqi_entry_view *view, refq_error *err)
{
    rqi_part part;
    rqi_parts parts;
    unsigned seen = 0;
    rqi_parts_open(&parts, text, err);
    if (parts.kind == RQI_SCAN_ARRAY) {
        return rqi_fail(err, REFQ_ERR_PROTO, "this is no entry of a ref cache, but an array");
    }
    while (rqi_parts_next(&parts, &part)) {
        refq_err rc = read_member(&part, view, &seen, err);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    if (rqi_parts_rc(&parts) != REFQ_OK) {
        return rqi_fail_in(err, REFQ_ERR_PROTO, "this is no entry of a ref cache");
    }
    return expect_all(seen, err);
}

refq_err rqi_entry_read(refq_bytes text, rqi_entry_view *ret, refq_error *err)
{
    rqi_entry_view view = {0};
    refq_err rc = read_members(text, &view, err);
    if (rc != REFQ_OK) {
        rqi_entry_view_done(&view);
        return rc;
    }
    *ret = view;
    return REFQ_OK;
}

void rqi_entry_view_done(rqi_entry_view *view)
{
    free(view->namespace_name);
    refq_policy_free(view->policy);
    *view = (rqi_entry_view){0};
}

bool rqi_entry_has_expired(const rqi_entry_view *view, int64_t now_ms)
{
    return view->expires_at_ms != 0 && now_ms >= view->expires_at_ms;
}

char *rqi_entry_metadata_text(const rqi_entry_view *view, const char *name)
{
    rqi_part part;
    rqi_parts parts;
    rqi_buf text = {0};
    bool found = false;
    if (view->metadata.len == 0) {
        return NULL;
    }
    rqi_parts_open(&parts, view->metadata, NULL);
    while (rqi_parts_next(&parts, &part)) {
        if (part.kind == RQI_SCAN_STRING && rqi_str_is(part.key, name)) {
            rqi_buf_clear(&text);
            rqi_str_decode(part.value, &text);
            found = true;
        }
    }
    return found ? rqi_buf_take(&text, NULL) : NULL;
}

const char *rqi_entry_type(rqi_scan_kind kind)
{
    static const char *const names[] = {
        [RQI_SCAN_NULL] = "null",       [RQI_SCAN_FALSE] = "boolean",
        [RQI_SCAN_TRUE] = "boolean",    [RQI_SCAN_NAN] = "number",
        [RQI_SCAN_INFINITY] = "number", [RQI_SCAN_NEG_INFINITY] = "number",
        [RQI_SCAN_INT] = "number",      [RQI_SCAN_REAL] = "number",
        [RQI_SCAN_STRING] = "string",   [RQI_SCAN_ARRAY] = "array",
        [RQI_SCAN_OBJECT] = "object"};
    const char *name = (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : NULL;
    return name != NULL ? name : "?";
}
