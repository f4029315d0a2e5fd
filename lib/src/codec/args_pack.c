/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. How many members a container has is known at its end only: its header
 * has a fixed size, and the number is filled in then.
 */
#include "codec/args_pack.h"

#include "codec/mp_guard.h"
#include "json/pyfloat.h"
#include "json/scan.h"
#include "json/str.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_32  '\xdd'
#define MAP_32    '\xdf'
#define HEAD_SIZE 5

struct writer {
    rqi_buf *out;
    msgpack_packer pk;
    rqi_buf scratch;
    struct {
        size_t at; /* its header's offset */
        uint32_t n;
    } open[RQI_MP_DEPTH_MAX];
    unsigned depth;
};

static int add(void *data, const char *ptr, size_t len)
{
    rqi_buf_add(data, ptr, len);
    return 0;
}

static bool open_container(struct writer *w, char head)
{
    const char bytes[HEAD_SIZE] = {head};
    if (w->depth == RQI_MP_DEPTH_MAX) {
        return false;
    }
    w->open[w->depth].at = w->out->len;
    w->open[w->depth].n = 0;
    w->depth++;
    rqi_buf_add(w->out, bytes, sizeof bytes);
    return true;
}

static void close_container(struct writer *w)
{
    w->depth--;
    uint32_t n = w->open[w->depth].n;
    for (int i = 0; i < 4 && w->out->err == REFQ_OK; i++) {
        w->out->ptr[w->open[w->depth].at + 1 + i] = (char)(unsigned char)(n >> (24 - 8 * i));
    }
}

static void add_string(struct writer *w, refq_bytes text)
{
    rqi_buf_clear(&w->scratch);
    rqi_str_decode(text, &w->scratch);
    msgpack_pack_str_with_body(&w->pk, rqi_buf_str(&w->scratch), w->scratch.len);
}

static void add_integer(struct writer *w, refq_bytes text)
{
    char digits[24] = "";
    memcpy(digits, text.ptr, text.len < sizeof digits ? text.len : sizeof digits - 1);
    msgpack_pack_int64(&w->pk, strtoll(digits, NULL, 10));
}

static void add_real(struct writer *w, refq_bytes text)
{
    double value = 0;
    if (!rqi_pyfloat_read(text, &value)) {
        w->out->err = REFQ_ERR_NOMEM;
    }
    msgpack_pack_double(&w->pk, value);
}

static bool add_token(struct writer *w, const rqi_scan_token *token)
{
    switch (token->kind) {
    case RQI_SCAN_OBJECT: return open_container(w, MAP_32);
    case RQI_SCAN_ARRAY: return open_container(w, ARRAY_32);
    case RQI_SCAN_OBJECT_END:
    case RQI_SCAN_ARRAY_END: close_container(w); return true;
    case RQI_SCAN_KEY:
    case RQI_SCAN_STRING: add_string(w, token->text); return true;
    case RQI_SCAN_INT: add_integer(w, token->text); return true;
    case RQI_SCAN_REAL: add_real(w, token->text); return true;
    case RQI_SCAN_TRUE: msgpack_pack_true(&w->pk); return true;
    case RQI_SCAN_FALSE: msgpack_pack_false(&w->pk); return true;
    default: msgpack_pack_nil(&w->pk); return true;
    }
}

/* An item of an array counts where it begins, a member of an object with its key. */
static void count(struct writer *w, rqi_scan_kind kind, bool is_value_of_key)
{
    bool ends = kind == RQI_SCAN_OBJECT_END || kind == RQI_SCAN_ARRAY_END;
    if (w->depth > 0 && !ends && !is_value_of_key) {
        w->open[w->depth - 1].n++;
    }
}

refq_err rqi_args_pack(refq_bytes json, rqi_buf *out)
{
    struct writer w = {.out = out};
    rqi_scan scan;
    rqi_scan_token token;
    bool after_key = false;
    bool fits = true;
    msgpack_packer_init(&w.pk, out, add);
    rqi_scan_init(&scan, json, 0, NULL);
    while (fits && rqi_scan_next(&scan, &token) > RQI_SCAN_DONE) {
        count(&w, token.kind, after_key);
        after_key = token.kind == RQI_SCAN_KEY;
        fits = add_token(&w, &token);
    }
    refq_err rc = fits ? rqi_scan_finish(&scan) : REFQ_ERR_LIMIT;
    rqi_buf_done(&w.scratch);
    return rc == REFQ_OK ? out->err : rc;
}
