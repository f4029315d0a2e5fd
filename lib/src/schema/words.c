/* SPDX-License-Identifier: MIT */
#include "schema/words.h"

#include "base/error.h"
#include "base/utf8.h"
#include "codec/json.h"
#include "schema/number.h"

#include <inttypes.h>
#include <string.h>

const char *rqi_js_words_type(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",   [JSON_NULL] = "null",
    };
    return rqi_js_number_is_whole(value) ? "integer" : names[json_typeof(value)];
}

void rqi_js_words_text(rqi_buf *out, const char *text, size_t len)
{
    size_t shown = len <= RQI_JS_WORDS_VALUE ? len : rqi_utf8_cut(text, len, RQI_JS_WORDS_VALUE);
    rqi_buf_add_json(out, text, shown);
    if (shown < len) {
        rqi_buf_adds(out, "...");
    }
}

/* Only what is no JSON, or memory, keeps it from being written. */
static void write_real(rqi_buf *out, double value)
{
    if (rqi_json_add_real(out, value) != REFQ_OK) {
        rqi_buf_adds(out, "?");
    }
}

/* A container's text may be long, and dumping it costs what it is long. */
void rqi_js_words_json(rqi_buf *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        rqi_js_words_text(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER: rqi_buf_addf(out, "%lld", (long long)json_integer_value(value)); break;
    case JSON_REAL: write_real(out, json_real_value(value)); break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        rqi_buf_adds(out, "an ");
        rqi_js_words_value(out, value);
        break;
    case JSON_TRUE:
    case JSON_FALSE: rqi_buf_adds(out, json_is_true(value) ? "true" : "false"); break;
    case JSON_NULL: rqi_buf_adds(out, "null"); break;
    }
}

void rqi_js_words_count(rqi_buf *out, uint64_t n, const char *one, const char *many)
{
    rqi_buf_addf(out, "%" PRIu64 " %s", n, n == 1 ? one : many);
}

void rqi_js_words_value(rqi_buf *out, const json_t *value)
{
    rqi_buf_adds(out, rqi_js_words_type(value));
    if (json_is_object(value)) {
        rqi_buf_adds(out, " of ");
        rqi_js_words_count(out, json_object_size(value), "member", "members");
    } else if (json_is_array(value)) {
        rqi_buf_adds(out, " of ");
        rqi_js_words_count(out, json_array_size(value), "item", "items");
    } else if (!json_is_null(value)) {
        rqi_buf_addc(out, ' ');
        rqi_js_words_json(out, value);
    }
}

/* What a precision in a format cut in two is no character any more. */
static void make_clean(rqi_buf *text)
{
    size_t valid = 0;
    while ((valid += rqi_utf8_valid(text->ptr + valid, text->len - valid)) < text->len) {
        text->ptr[valid] = '?';
    }
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->ptr[i];
        if (c < ' ' || c == 0x7f) {
            text->ptr[i] = '?';
        }
    }
}

void rqi_js_words_shorten(rqi_buf *text, size_t max)
{
    if (text->len > max) {
        size_t head = rqi_utf8_cut(text->ptr, text->len, max / 2);
        size_t tail = text->len - max / 2 + 3;
        while (tail < text->len && ((unsigned char)text->ptr[tail] & 0xc0) == 0x80) {
            tail++;
        }
        memcpy(text->ptr + head, "...", 3);
        memmove(text->ptr + head + 3, text->ptr + tail, text->len - tail + 1);
        text->len = head + 3 + text->len - tail;
    }
    if (text->len > 0) {
        make_clean(text);
    }
}

refq_err rqi_js_words_fail(refq_error *err, refq_err code, rqi_buf *text)
{
    size_t max = sizeof err->text - 1;
    if (text->len > 0) {
        make_clean(text);
        text->len = rqi_utf8_cut(text->ptr, text->len, text->len < max ? text->len : max);
    }
    return rqi_fail(err, code, "%.*s", (int)text->len, rqi_buf_str(text));
}
