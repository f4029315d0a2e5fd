/* SPDX-License-Identifier: MIT */
#include "store/row.h"

#include "base/error.h"
#include "base/utf8.h"
#include "json/parts.h"
#include "json/pyfloat.h"
#include "json/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum member { VALUE, NAMESPACE, POLICY, CREATED, EXPIRES, METADATA, MEMBERS };

/* --- Taking apart ----------------------------------------------------------------------------- */

static bool is_any(rqi_scan_kind kind)
{
    return kind != RQI_SCAN_BAD;
}

static bool is_string(rqi_scan_kind kind)
{
    return kind == RQI_SCAN_STRING;
}

static bool is_object(rqi_scan_kind kind)
{
    return kind == RQI_SCAN_OBJECT;
}

static bool is_number(rqi_scan_kind kind)
{
    return kind == RQI_SCAN_INT || kind == RQI_SCAN_REAL;
}

static bool is_number_or_null(rqi_scan_kind kind)
{
    return is_number(kind) || kind == RQI_SCAN_NULL;
}

static const struct {
    const char *name;
    bool (*fits)(rqi_scan_kind kind);
    const char *wants;
} members[MEMBERS] = {
    [VALUE] = {"value", is_any, "any value"},
    [NAMESPACE] = {"namespace", is_string, "a string"},
    [POLICY] = {"policy", is_object, "an object"},
    [CREATED] = {"created_at", is_number, "a number"},
    [EXPIRES] = {"expires_at", is_number_or_null, "a number or null"},
    [METADATA] = {"metadata", is_object, "an object"},
};

/* MEMBERS when it is none of them. */
static int member_of(refq_bytes key)
{
    int i = 0;
    while (i < MEMBERS && !rqi_str_is(key, members[i].name)) {
        i++;
    }
    return i;
}

/* Of members that come twice the last counts, as in Python. */
static refq_err find_members(refq_bytes text, rqi_part found[MEMBERS], refq_error *err)
{
    rqi_parts parts;
    rqi_part part;
    rqi_parts_open(&parts, text, err);
    while (rqi_parts_next(&parts, &part)) {
        int i = parts.kind == RQI_SCAN_OBJECT ? member_of(part.key) : MEMBERS;
        if (i == MEMBERS) {
            return rqi_fail(err, REFQ_ERR_INVALID,
                            "an entry has a member %.*s that SQLite stores have no column for; put "
                            "it into \"metadata\"",
                            (int)(part.key.len < 80 ? part.key.len : 80),
                            part.key.len > 0 ? (const char *)part.key.ptr : "");
        }
        found[i] = part;
    }
    return rqi_parts_rc(&parts);
}

static refq_err check_members(const rqi_part found[MEMBERS], refq_error *err)
{
    for (int i = 0; i < MEMBERS; i++) {
        bool missing = found[i].value.ptr == NULL;
        if (missing && i == METADATA) {
            continue;
        }
        if (missing || !members[i].fits(found[i].kind)) {
            return rqi_fail(err, REFQ_ERR_INVALID, "the \"%s\" of an entry is %s; it has to be %s",
                            members[i].name, missing ? "missing" : "of another kind",
                            members[i].wants);
        }
    }
    return REFQ_OK;
}

static refq_err read_time(const rqi_part *part, const char *name, double *ret, refq_error *err)
{
    double seconds = 0;
    if (!rqi_pyfloat_read(part->value, &seconds)) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    if (!isfinite(seconds)) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the \"%s\" of an entry is too large for a time",
                        name);
    }
    *ret = seconds;
    return REFQ_OK;
}

static refq_err read_namespace(refq_bytes string, rqi_buf *names, refq_error *err)
{
    rqi_str at = rqi_str_open(string);
    uint32_t c = 0;
    while (rqi_str_next(&at, &c)) {
        if (rqi_str_is_surrogate(c)) {
            return rqi_fail(err, REFQ_ERR_INVALID,
                            "the \"namespace\" of an entry is not Unicode (half a character)");
        }
    }
    rqi_str_decode(string, names);
    return names->err == REFQ_OK ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
}

refq_err rqi_row_split(refq_bytes text, rqi_row *ret, rqi_buf *names, refq_error *err)
{
    rqi_part found[MEMBERS] = {0};
    rqi_row row = {.metadata = {"{}", 2}};
    refq_err rc = find_members(text, found, err);
    if (rc == REFQ_OK) {
        rc = check_members(found, err);
    }
    if (rc == REFQ_OK) {
        rc = read_time(&found[CREATED], "created_at", &row.created_at, err);
    }
    row.expires = found[EXPIRES].kind != RQI_SCAN_NULL;
    if (rc == REFQ_OK && row.expires) {
        rc = read_time(&found[EXPIRES], "expires_at", &row.expires_at, err);
    }
    if (rc == REFQ_OK) {
        rc = read_namespace(found[NAMESPACE].value, names, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    row.value = found[VALUE].value;
    row.policy = found[POLICY].value;
    row.namespace_ = rqi_buf_bytes(names);
    if (found[METADATA].value.ptr != NULL) {
        row.metadata = found[METADATA].value;
    }
    *ret = row;
    return REFQ_OK;
}

/* --- Putting together ------------------------------------------------------------------------- */

/* As Python writes it. printf's decimal point is the locale's, whatever that is. */
static void add_time(rqi_buf *out, double seconds)
{
    char digits[64];
    char plain[64];
    char text[RQI_PYFLOAT_MAX];
    size_t n = 0;
    (void)snprintf(digits, sizeof digits, "%.17g", seconds);
    for (const char *c = digits; *c != '\0'; c++) {
        bool is_point = strchr("+-0123456789e", *c) == NULL;
        if (!is_point || (n > 0 && plain[n - 1] != '.')) {
            plain[n++] = is_point ? '.' : *c;
        }
    }
    rqi_buf_add(out, text, rqi_pyfloat((refq_bytes){plain, n}, text));
}

static refq_err add_json(rqi_buf *out, const char *name, refq_bytes text, bool object,
                         refq_error *err)
{
    refq_error why = {0};
    refq_bytes value = {NULL, 0};
    refq_err rc = rqi_scan_check(text, 0, &value, &why);
    if (rc != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_PROTO, "its column %s is no JSON (%.100s)", name, why.text);
    }
    if (object && *(const char *)value.ptr != '{') {
        return rqi_fail(err, REFQ_ERR_PROTO, "its column %s is no JSON object", name);
    }
    rqi_buf_add(out, value.ptr, value.len);
    return REFQ_OK;
}

refq_err rqi_row_join(const rqi_row *row, rqi_buf *out, refq_error *err)
{
    const refq_bytes name = row->namespace_;
    if (name.len > 0 && rqi_utf8_valid(name.ptr, name.len) != name.len) {
        return rqi_fail(err, REFQ_ERR_PROTO, "its column namespace is no UTF-8");
    }
    rqi_buf_adds(out, "{\"value\": ");
    refq_err rc = add_json(out, "value_json", row->value, false, err);
    if (rc == REFQ_OK) {
        rqi_buf_adds(out, ", \"namespace\": ");
        rqi_buf_add_json(out, name.ptr, name.len);
        rqi_buf_adds(out, ", \"policy\": ");
        rc = add_json(out, "policy_json", row->policy, true, err);
    }
    if (rc == REFQ_OK) {
        rqi_buf_adds(out, ", \"created_at\": ");
        add_time(out, row->created_at);
        rqi_buf_adds(out, ", \"expires_at\": ");
        if (row->expires) {
            add_time(out, row->expires_at);
        } else {
            rqi_buf_adds(out, "null");
        }
        rqi_buf_adds(out, ", \"metadata\": ");
        rc = add_json(out, "metadata_json", row->metadata, true, err);
    }
    rqi_buf_addc(out, '}');
    return rc;
}
