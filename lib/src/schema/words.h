/* SPDX-License-Identifier: MIT */
/* Values, types and lists as error texts show them: short, one line, valid UTF-8. */
#ifndef RQI_SCHEMA_WORDS_H
#define RQI_SCHEMA_WORDS_H

#include "base/buf.h"

#include <jansson.h>

#include <stdint.h>

#define RQI_JS_WORDS_VALUE   40  /* bytes of a value that are shown */
#define RQI_JS_WORDS_POINTER 100 /* bytes of a JSON pointer in an error text */

/* The type as schemas name it: 1.0 is an integer. */
const char *rqi_js_words_type(const json_t *value);

/* The type and the value, or its size: `string "x"`, `array of 3 items`. */
void rqi_js_words_value(rqi_buf *out, const json_t *value);

/* The value alone, as JSON, cut when it is long; of an array or object its size. */
void rqi_js_words_json(rqi_buf *out, const json_t *value);

/* Text as a JSON string, cut when it is long. */
void rqi_js_words_text(rqi_buf *out, const char *text, size_t len);

/* "1 item", "2 items" */
void rqi_js_words_count(rqi_buf *out, uint64_t n, const char *one, const char *many);

/* Takes bytes out of the middle until at most max are left, and makes one line of valid UTF-8 of
 * it. */
void rqi_js_words_shorten(rqi_buf *text, size_t max);

/* Fills in the error with as much of the text as fits, and returns code. */
refq_err rqi_js_words_fail(refq_error *err, refq_err code, rqi_buf *text);

#endif
