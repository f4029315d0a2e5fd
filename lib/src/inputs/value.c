/* SPDX-License-Identifier: MIT */
#include "inputs/value.h"

#include "base/error.h"
#include "entry/reference.h"
#include "json/portable.h"
#include "json/str.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX   RQI_SCAN_DEPTH
#define ESCAPED_MAX ((size_t)6 * RQI_REFERENCE_MAX + 2) /* of a reference written in \u escapes */

static refq_err add_hole(rqi_input_value *v, const rqi_input_hole *hole, refq_error *err)
{
    if (v->n == v->cap) {
        size_t cap = v->cap != 0 ? 2 * v->cap : 8;
        rqi_input_hole *holes = reallocarray(v->holes, cap, sizeof *holes);
        if (holes == NULL) {
            return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
        }
        v->holes = holes;
        v->cap = cap;
    }
    v->holes[v->n++] = *hole;
    return REFQ_OK;
}

/* The string's content when it has the form of a reference. */
static bool read_reference(const rqi_scan_token *token, char ret[RQI_REFERENCE_MAX + 1])
{
    rqi_buf text = {0};
    size_t len = token->text.len - 2;
    if (token->text.len > (token->plain ? RQI_REFERENCE_MAX + 2 : ESCAPED_MAX)) {
        return false;
    }
    if (token->plain) {
        memcpy(ret, (const char *)token->text.ptr + 1, len);
    } else {
        rqi_str_decode(token->text, &text);
        len = text.len <= RQI_REFERENCE_MAX ? text.len : 0;
        memcpy(ret, rqi_buf_str(&text), len);
        rqi_buf_done(&text);
    }
    ret[len] = '\0';
    return rqi_is_reference(ret, len);
}

struct reading {
    rqi_input_value *v;
    rqi_input_found found;
    void *arg;
    refq_error *err;
};

static refq_err look_at(const struct reading *r, const rqi_scan_token *token, unsigned depth)
{
    char ref_id[RQI_REFERENCE_MAX + 1];
    if (token->kind != RQI_SCAN_STRING || !read_reference(token, ref_id)) {
        return REFQ_OK;
    }
    rqi_input_hole hole = {.at = (size_t)((const char *)token->text.ptr - r->v->text.ptr),
                           .len = (uint32_t)token->text.len,
                           .depth = (uint16_t)depth};
    refq_err rc = r->found(r->arg, ref_id, &hole.node, r->err);
    return rc == REFQ_OK ? add_hole(r->v, &hole, r->err) : rc;
}

refq_err rqi_input_value_read(rqi_input_value *v, refq_bytes json, size_t max,
                              rqi_input_found found, void *arg, refq_error *err)
{
    const struct reading r = {v, found, arg, err};
    rqi_scan scan;
    rqi_scan_token token;
    v->text = rqi_buf_make(max);
    refq_err rc = rqi_strict_write(json, &v->text, err);
    rqi_scan_init(&scan, rqi_buf_bytes(&v->text), DEPTH_MAX, err);
    while (rc == REFQ_OK && rqi_scan_next(&scan, &token) > RQI_SCAN_DONE) {
        v->depth = scan.depth > v->depth ? scan.depth : v->depth;
        rc = look_at(&r, &token, scan.depth);
    }
    return rc == REFQ_OK ? rqi_scan_finish(&scan) : rc;
}

void rqi_input_value_done(rqi_input_value *v)
{
    rqi_buf_done(&v->text);
    free(v->holes);
    *v = (rqi_input_value){0};
}
