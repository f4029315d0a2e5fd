/* SPDX-License-Identifier: MIT */
/* minLength, maxLength, pattern. Lengths are characters (code points), not bytes. */
#include "schema/count.h"
#include "schema/keyword.h"
#include "schema/regex.h"
#include "schema/words.h"

#define BYTES_A_STEP 64

/* Every byte of UTF-8 but the later ones of a character. */
static uint64_t characters_of(rqi_js_run *run, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    uint64_t n = 0;
    (void)rqi_js_spend(run, len / BYTES_A_STEP);
    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return n;
}

static bool eval_min(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    (void)marks;
    return !json_is_string(at->value) || characters_of(run, at->value) >= check->count;
}

static bool eval_max(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    (void)marks;
    return !json_is_string(at->value) || json_string_length(at->value) <= check->count ||
           characters_of(run, at->value) <= check->count;
}

static void explain_min(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    rqi_buf_adds(out, "at least ");
    rqi_js_words_count(out, check->count, "character", "characters");
}

static void explain_max(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    rqi_buf_adds(out, "at most ");
    rqi_js_words_count(out, check->count, "character", "characters");
}

static refq_err compile_pattern(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                                rqi_js_check *ret)
{
    if (!json_is_string(value)) {
        return rqi_js_compile_expected(c, site, "pattern", "a regular expression as a string",
                                       value);
    }
    const rqi_js_regex *regex = NULL;
    refq_err rc = rqi_js_regex_compile(c, site, "pattern", json_string_value(value),
                                       json_string_length(value), &regex);
    ret->data = regex;
    return rc;
}

static bool eval_pattern(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                         rqi_js_marks *marks)
{
    (void)marks;
    return !json_is_string(at->value) ||
           rqi_js_regex_match(run, check->data, json_string_value(at->value),
                              json_string_length(at->value));
}

static void explain_pattern(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    refq_bytes source = rqi_js_regex_source(check->data);
    rqi_buf_adds(out, "a match of the pattern ");
    rqi_js_words_text(out, source.ptr, source.len);
}

const rqi_js_keyword rqi_js_string_keywords[] = {
    {"minLength", RQI_JS_VALIDATION, rqi_js_compile_count, eval_min, explain_min, false},
    {"maxLength", RQI_JS_VALIDATION, rqi_js_compile_count, eval_max, explain_max, false},
    {"pattern", RQI_JS_VALIDATION, compile_pattern, eval_pattern, explain_pattern, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
