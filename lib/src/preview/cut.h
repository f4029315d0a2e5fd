/* SPDX-License-Identifier: MIT */
/*
 * Parts of a text by characters, as JSON strings.
 *
 * DESIGN. The text is the content of a JSON string; that of a value that is no
 * string is written as one first. A character is a code point, as in Python,
 * so that no cut splits a surrogate pair or an escape.
 */
#ifndef RQI_PREVIEW_CUT_H
#define RQI_PREVIEW_CUT_H

#include "json/str.h"
#include "preview/job.h"

#define RQI_CUT_DOTS "..."

/* Appends as a JSON string at most n characters from s on, then dots (or ""); s goes on behind
 * them. Returns how many characters there were. */
size_t rqi_cut_write(rqi_str *s, size_t n, const char *dots, rqi_buf *out);

/* Most characters from s on whose JSON string with dots keeps the job's budget, at most n; 0 when
 * none does. */
size_t rqi_cut_fit(rqi_job *job, rqi_str s, size_t n, const char *dots);

/* Writes as the result the text in `string`, cut to the budget, when it is larger than it
 * (`original` is its size). A text of which everything fits but its size says otherwise gets dots
 * only when `always`. Sets strategy, preview_size, total_items, sampled_items. */
void rqi_cut_to_budget(rqi_job *job, refq_bytes string, int64_t original, bool always);

/* Appends the value's text as a JSON string. */
void rqi_cut_quote_value(rqi_job *job, rqi_buf *out);

#endif
