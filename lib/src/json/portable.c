/* SPDX-License-Identifier: MIT */
#include "json/portable.h"

#include "base/error.h"
#include "json/pyfloat.h"
#include "json/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Tokens ----------------------------------------------------------------------------------- */

/* The string with \ufffd in place of lone surrogates. */
static void write_string(const rqi_scan_token *token, rqi_buf *out)
{
    const char *from = token->text.ptr;
    const char *end = from + token->text.len;
    rqi_str s = rqi_str_open(token->text);
    uint32_t c;
    const char *at = s.p;
    while (!token->plain && rqi_str_next(&s, &c)) {
        if (rqi_str_is_surrogate(c)) {
            rqi_buf_add(out, from, (size_t)(at - from));
            rqi_buf_adds(out, "\\ufffd");
            from = s.p;
        }
        at = s.p;
    }
    rqi_buf_add(out, from, (size_t)(end - from));
}

/* Only a long number or a large exponent can be too large for a double. */
static bool is_too_large(refq_bytes number)
{
    double value;
    const char *mark = memchr(number.ptr, 'e', number.len);
    mark = mark != NULL ? mark : memchr(number.ptr, 'E', number.len);
    size_t exponent = mark != NULL ? (size_t)((const char *)number.ptr + number.len - mark) : 0;
    bool can_be = number.len > 300 || exponent > 3;
    return can_be && rqi_pyfloat_read(number, &value) && isinf(value);
}

static void write_portable(const rqi_scan_token *token, rqi_buf *out)
{
    switch (token->kind) {
    case RQI_SCAN_STRING:
    case RQI_SCAN_KEY: write_string(token, out); return;
    case RQI_SCAN_NAN:
    case RQI_SCAN_INFINITY:
    case RQI_SCAN_NEG_INFINITY: rqi_buf_adds(out, "null"); return;
    default: break;
    }
    if (token->kind == RQI_SCAN_REAL && is_too_large(token->text)) {
        rqi_buf_adds(out, "null");
        return;
    }
    rqi_buf_add(out, token->text.ptr, token->text.len);
}

static bool fits_64_bits(refq_bytes number)
{
    char text[24] = "";
    if (number.len >= sizeof text) {
        return false;
    }
    memcpy(text, number.ptr, number.len);
    errno = 0;
    (void)strtoll(text, NULL, 10);
    return errno == 0;
}

static void write_strict(const rqi_scan_token *token, rqi_buf *out)
{
    bool quote = token->kind == RQI_SCAN_INT && !fits_64_bits(token->text);
    rqi_buf_adds(out, quote ? "\"" : "");
    write_portable(token, out);
    rqi_buf_adds(out, quote ? "\"" : "");
}

const rqi_render_form rqi_strict = {",", ":", write_strict};

/* --- Texts ------------------------------------------------------------------------------------ */

static refq_err check_room(const rqi_buf *out, refq_error *err)
{
    return out->err == REFQ_OK
               ? REFQ_OK
               : rqi_fail(err, out->err, "no room for the JSON text that is written");
}

refq_err rqi_portable_write(refq_bytes text, rqi_buf *out, refq_error *err)
{
    rqi_scan s;
    rqi_scan_token token;
    rqi_scan_init(&s, text, 0, err);
    const char *from = s.p;
    while (out->err == REFQ_OK && rqi_scan_next(&s, &token) > RQI_SCAN_DONE) {
        rqi_buf_add(out, from, (size_t)((const char *)token.text.ptr - from));
        write_portable(&token, out);
        from = (const char *)token.text.ptr + token.text.len;
    }
    refq_err rc = check_room(out, err);
    if (rc == REFQ_OK) {
        rc = rqi_scan_finish(&s);
    }
    if (rc == REFQ_OK) {
        rqi_buf_add(out, from, (size_t)(s.end - from));
        rc = check_room(out, err);
    }
    return rc;
}

refq_err rqi_strict_write(refq_bytes text, rqi_buf *out, refq_error *err)
{
    rqi_pydoc doc;
    refq_err rc = rqi_pydoc_open(text, false, &doc, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_render_value(&doc, 0, &rqi_strict, out);
    rqi_pydoc_done(&doc);
    return check_room(out, err);
}
