/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. JSON is checked and then stored as it was written: printing it again
 * would change numbers and the order of keys. \u0000 inside strings is allowed,
 * because text output produces it too.
 */
#include "run/output.h"

#include "base/utf8.h"
#include "run/text.h"

#include <jansson.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define QUOTED_MAX 40      /* bytes of wrong output shown in an error */
#define VALUES_MAX 1000000 /* in JSON output: a parsed one takes up to 60 times its text */

static bool is_json_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void trim(rqi_buf *b)
{
    size_t start = 0;
    while (start < b->len && is_json_space(b->ptr[start])) {
        start++;
    }
    rqi_buf_consume(b, start);
    while (b->len > 0 && is_json_space(b->ptr[b->len - 1])) {
        b->ptr[--b->len] = '\0';
    }
}

static void not_json(const rqi_buf *out, const json_error_t *why, rqi_outcome *outcome)
{
    char start[QUOTED_MAX + 1];
    size_t len = rqi_utf8_cut(out->ptr, out->len, QUOTED_MAX);
    memcpy(start, out->ptr, len);
    start[len] = '\0';
    rqi_text_clean(start, len);
    rqi_text_flatten(start);
    rqi_outcome_fail(
        outcome, RQI_PERMANENT,
        "printed something that is not JSON: %s at line %d, column %d; it starts with: "
        "%s%s",
        why->text, why->line, why->column, start, len < out->len ? "..." : "");
}

/* An upper bound of how many values the text holds, found without parsing it. */
static size_t count_values(const rqi_buf *out)
{
    size_t n = 1;
    for (size_t i = 0; i < out->len; i++) {
        n += out->ptr[i] == ',' || out->ptr[i] == '[' || out->ptr[i] == '{';
    }
    return n;
}

static void convert_json(rqi_buf *out, rqi_outcome *outcome)
{
    if (count_values(out) > VALUES_MAX) {
        rqi_outcome_fail(outcome, RQI_PERMANENT,
                         "printed JSON of more than %d values; print less, or set output: text",
                         VALUES_MAX);
        return;
    }
    /* The positions jansson reports are those of the program's output, so it is parsed untrimmed.
     */
    json_error_t why;
    json_t *json = json_loadb(rqi_buf_str(out), out->len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    bool good = json != NULL;
    json_decref(json);
    trim(out);
    if (out->len == 0) {
        rqi_outcome_fail(outcome, RQI_PERMANENT,
                         "printed nothing where JSON was expected; print null or set output: text");
    } else if (!good) {
        not_json(out, &why, outcome);
    } else {
        outcome->value = *out;
        *out = (rqi_buf){0};
    }
}

static void convert_text(rqi_buf *out, rqi_outcome *outcome)
{
    size_t valid = rqi_utf8_valid(rqi_buf_str(out), out->len);
    if (valid != out->len) {
        rqi_outcome_fail(outcome, RQI_PERMANENT,
                         "printed bytes that are not UTF-8 text, the first at offset %zu; set "
                         "output: base64",
                         valid);
        return;
    }
    rqi_buf_add_json(&outcome->value, rqi_buf_str(out), out->len);
}

static void convert_base64(rqi_buf *out, rqi_outcome *outcome)
{
    size_t size = sodium_base64_encoded_len(out->len, sodium_base64_VARIANT_ORIGINAL);
    rqi_buf_addc(&outcome->value, '"');
    char *at = rqi_buf_reserve(&outcome->value, size + 1);
    if (at == NULL) {
        return;
    }
    (void)sodium_bin2base64(at, size, (const unsigned char *)rqi_buf_str(out), out->len,
                            sodium_base64_VARIANT_ORIGINAL);
    rqi_buf_commit(&outcome->value, size - 1); /* the size counts a terminator */
    rqi_buf_addc(&outcome->value, '"');
}

void rqi_output_convert(refq_exec_output output, rqi_buf *out, rqi_outcome *outcome)
{
    static void (*const convert[])(rqi_buf *, rqi_outcome *) = {
        [REFQ_OUTPUT_JSON] = convert_json,
        [REFQ_OUTPUT_TEXT] = convert_text,
        [REFQ_OUTPUT_BASE64] = convert_base64,
        [REFQ_OUTPUT_FILE] = convert_base64,
    };
    outcome->kind = RQI_DONE;
    convert[output](out, outcome);
    if (outcome->value.err == REFQ_ERR_LIMIT) {
        rqi_outcome_fail(outcome, RQI_PERMANENT,
                         "printed more than fits into a result once written as JSON");
    } else if (outcome->value.err != REFQ_OK) {
        rqi_outcome_fail(outcome, RQI_RETRYABLE, "the worker is out of memory for the result");
    }
    rqi_buf_done(out);
}
