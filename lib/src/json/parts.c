/* SPDX-License-Identifier: MIT */
#include "json/parts.h"

#include "base/error.h"

void rqi_parts_open(rqi_parts *p, refq_bytes text, refq_error *err)
{
    rqi_scan_token token;
    rqi_scan_init(&p->scan, text, RQI_SCAN_ROOM, err);
    p->kind = rqi_scan_next(&p->scan, &token);
    if (p->kind == RQI_SCAN_BAD || p->kind == RQI_SCAN_OBJECT || p->kind == RQI_SCAN_ARRAY) {
        return;
    }
    p->kind = RQI_SCAN_BAD;
    p->scan.rc = rqi_fail(err, REFQ_ERR_INVALID, "a JSON object or array is expected");
}

/* Reads on until the value that token began is complete. */
static bool finish_value(rqi_scan *s, const rqi_scan_token *token, rqi_part *ret)
{
    const char *from = token->text.ptr;
    rqi_scan_token next = *token;
    while (s->depth > 1 && next.kind > RQI_SCAN_DONE) {
        (void)rqi_scan_next(s, &next);
    }
    ret->kind = token->kind;
    ret->value = (refq_bytes){from, (size_t)(s->p - from)};
    return next.kind > RQI_SCAN_DONE;
}

bool rqi_parts_next(rqi_parts *p, rqi_part *ret)
{
    rqi_scan_token token;
    if (p->kind == RQI_SCAN_BAD || p->scan.depth == 0) {
        return false;
    }
    rqi_scan_kind kind = rqi_scan_next(&p->scan, &token);
    ret->key = (refq_bytes){NULL, 0};
    if (kind == RQI_SCAN_KEY) {
        ret->key = token.text;
        kind = rqi_scan_next(&p->scan, &token);
    }
    if (kind <= RQI_SCAN_DONE || p->scan.depth == 0) {
        return false;
    }
    return finish_value(&p->scan, &token, ret);
}

refq_err rqi_parts_rc(rqi_parts *p)
{
    return p->kind == RQI_SCAN_BAD ? p->scan.rc : rqi_scan_finish(&p->scan);
}
