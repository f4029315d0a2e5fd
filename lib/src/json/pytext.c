/* SPDX-License-Identifier: MIT */
#include "json/pytext.h"

#include "base/error.h"
#include "json/pyfloat.h"
#include "json/str.h"

#include <string.h>

static bool is_negative_zero(refq_bytes number)
{
    return number.len == 2 && memcmp(number.ptr, "-0", 2) == 0;
}

/* --- Measuring -------------------------------------------------------------------------------- */

static size_t string_chars(const rqi_scan_token *token)
{
    if (token->plain) {
        return token->text.len;
    }
    rqi_str s = rqi_str_open(token->text);
    uint32_t c;
    size_t chars = 2;
    while (rqi_str_next(&s, &c)) {
        chars += rqi_str_py_width(c);
    }
    return chars;
}

size_t rqi_pytext_chars(const rqi_scan_token *token)
{
    char number[RQI_PYFLOAT_MAX];
    switch (token->kind) {
    case RQI_SCAN_REAL: return rqi_pyfloat(token->text, number);
    case RQI_SCAN_STRING:
    case RQI_SCAN_KEY: return string_chars(token);
    default: return is_negative_zero(token->text) ? 1 : token->text.len;
    }
}

refq_err rqi_pytext_measure(refq_bytes text, size_t *ret_chars, refq_error *err)
{
    rqi_pydoc doc;
    refq_err rc = rqi_pydoc_open(text, false, &doc, err);
    if (rc == REFQ_OK) {
        *ret_chars = doc.chars;
        rqi_pydoc_done(&doc);
    }
    return rc;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static void write_string(const rqi_scan_token *token, rqi_buf *out)
{
    if (token->plain) {
        rqi_buf_add(out, token->text.ptr, token->text.len);
        return;
    }
    rqi_str s = rqi_str_open(token->text);
    uint32_t c;
    rqi_buf_addc(out, '"');
    while (rqi_str_next(&s, &c)) {
        rqi_str_add_py(out, c);
    }
    rqi_buf_addc(out, '"');
}

static void write_real(const rqi_scan_token *token, rqi_buf *out)
{
    char number[RQI_PYFLOAT_MAX];
    size_t len = rqi_pyfloat(token->text, number);
    if (len == 0) {
        out->err = REFQ_ERR_NOMEM;
        return;
    }
    rqi_buf_add(out, number, len);
}

static void write_token(const rqi_scan_token *token, rqi_buf *out)
{
    switch (token->kind) {
    case RQI_SCAN_REAL: write_real(token, out); return;
    case RQI_SCAN_STRING:
    case RQI_SCAN_KEY: write_string(token, out); return;
    default:
        rqi_buf_add(out, is_negative_zero(token->text) ? "0" : token->text.ptr,
                    is_negative_zero(token->text) ? 1 : token->text.len);
    }
}

const rqi_render_form rqi_pytext = {", ", ": ", write_token};

refq_err rqi_pytext_write(refq_bytes text, rqi_buf *out, refq_error *err)
{
    rqi_pydoc doc;
    refq_err rc = rqi_pydoc_open(text, false, &doc, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_render_value(&doc, 0, &rqi_pytext, out);
    rqi_pydoc_done(&doc);
    return out->err == REFQ_OK
               ? REFQ_OK
               : rqi_fail(err, out->err, "no room for the JSON text that is written");
}
