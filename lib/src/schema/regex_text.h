/* SPDX-License-Identifier: MIT */
/*
 * From a pattern as ECMA-262 has it to one that PCRE2 reads the same way.
 *
 * DESIGN. The two languages agree on most of what people write. What differs is rewritten here (\s,
 * '.', \v, \u0041, a '[' within a class, a '{' that is no quantifier, long names of general
 * categories), and what only PCRE2 has ((*VERBS), (?i), possessive quantifiers, \A, \Q, ...) is
 * refused rather than taken for something else: a verb could lift the limits a match has.
 */
#ifndef RQI_SCHEMA_REGEX_TEXT_H
#define RQI_SCHEMA_REGEX_TEXT_H

#include "base/buf.h"

/* Appends the rewritten pattern. On failure returns why it is none, a constant text, and the offset
 * in *ret_at; NULL when it is fine. Failures of memory show in out->err. */
const char *rqi_js_regex_text(const char *text, size_t len, rqi_buf *out, size_t *ret_at);

#endif
