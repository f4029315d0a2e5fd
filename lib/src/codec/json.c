/* SPDX-License-Identifier: MIT */
#include "codec/json.h"

#include "base/error.h"
#include "base/utf8.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Past the end of the string whose opening quote is at i; len when it does not end. */
static size_t skip_string(const char *text, size_t len, size_t i)
{
    for (i++; i < len && text[i] != '"'; i++) {
        i += text[i] == '\\';
    }
    return i < len ? i + 1 : len;
}

/* Offset of the first bracket that is too deep; len when there is none. */
static size_t too_deep_at(const char *text, size_t len, unsigned max_depth)
{
    unsigned depth = 0;
    size_t i = 0;
    while (i < len) {
        char c = text[i];
        if (c == '"') {
            i = skip_string(text, len, i);
            continue;
        }
        bool opens = c == '[' || c == '{';
        if (opens && depth == max_depth) {
            return i;
        }
        depth += opens;
        depth -= (c == ']' || c == '}') && depth > 0;
        i++;
    }
    return len;
}

static refq_err check_bounds(const char *text, size_t len, size_t max_bytes, unsigned max_depth,
                             refq_error *err)
{
    if (len > max_bytes) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "the JSON text has %zu bytes; at most %zu bytes are allowed", len,
                        max_bytes);
    }
    if (len == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the JSON text is empty");
    }
    size_t valid = rqi_utf8_valid(text, len);
    if (valid != len) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the JSON text is not UTF-8 at byte %zu", valid);
    }
    size_t deep = too_deep_at(text, len, max_depth);
    if (deep != len) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "the JSON text is nested deeper than %u levels at byte %zu", max_depth,
                        deep);
    }
    return REFQ_OK;
}

/* jansson quotes the text near the error, control characters and all. */
static void blank_controls(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f) {
            *text = ' ';
        }
    }
}

static refq_err load(const char *text, size_t len, size_t max_bytes, unsigned max_depth,
                     size_t flags, json_t **ret, refq_error *err)
{
    refq_err rc =
        check_bounds(text, len, max_bytes, max_depth != 0 ? max_depth : RQI_JSON_DEPTH, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    json_error_t why;
    json_t *value = json_loadb(text, len, flags | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (value != NULL) {
        *ret = value;
        return REFQ_OK;
    }
    if (json_error_code(&why) == json_error_out_of_memory) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory while reading %zu bytes of JSON", len);
    }
    blank_controls(why.text);
    return rqi_fail(err, REFQ_ERR_INVALID, "not valid JSON at line %d column %d: %s", why.line,
                    why.column, why.text);
}

refq_err rqi_json_load(const char *text, size_t len, size_t max_bytes, unsigned max_depth,
                       json_t **ret, refq_error *err)
{
    return load(text, len, max_bytes, max_depth, 0, ret, err);
}

refq_err rqi_json_load_any(const char *text, size_t len, size_t max_bytes, unsigned max_depth,
                           json_t **ret, refq_error *err)
{
    return load(text, len, max_bytes, max_depth, JSON_DECODE_ANY, ret, err);
}

/* Fewest digits of 15, 16 and 17 that name this very double; 17 always do. */
static size_t digits_of(double value)
{
    char text[32];
    for (int digits = 15; digits < 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            return (size_t)digits;
        }
    }
    return 17;
}

refq_err rqi_json_add_real(rqi_buf *out, double value)
{
    if (!isfinite(value)) {
        return REFQ_ERR_INVALID;
    }
    /* jansson writes the point whatever the locale says, and adds ".0" to a whole number. */
    json_t *real = json_real(value);
    if (real == NULL) {
        return REFQ_ERR_NOMEM;
    }
    char text[40];
    size_t len = json_dumpb(real, text, sizeof text,
                            JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits_of(value)));
    json_decref(real);
    if (len == 0 || len > sizeof text) {
        return REFQ_ERR_INTERNAL;
    }
    rqi_buf_add(out, text, len);
    return REFQ_OK;
}
