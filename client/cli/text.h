/* SPDX-License-Identifier: MIT */
/* Text for people: cleaning foreign text, measuring it in columns, writing times and sizes. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define CLI_TIME_MAX 40 /* bytes, terminator included, of what the writers below need */

/* Appends text as one harmless line: control characters become blanks or '?', bytes that are not
 * UTF-8 become U+FFFD. */
void cli_text_clean(rqi_buf *out, const char *text, size_t len);

/* Appends text as it is, but for bytes that are not UTF-8: they become U+FFFD. */
void cli_text_utf8(rqi_buf *out, const char *text, size_t len);

/* Terminal columns of valid UTF-8. */
size_t cli_text_width(const char *text, size_t len);

/* Appends at most `columns` columns of text, the last three being "..." when it was cut. */
void cli_text_fit(rqi_buf *out, const char *text, size_t columns);

/* Local time as ISO 8601 with its offset: 2026-03-01T14:05:09+01:00. Returns out. */
const char *cli_text_time(char out[CLI_TIME_MAX], int64_t unix_ms);

/* "3m05s ago", "in 4.2s", "now" for a time that lies ms_ago in the past. Returns out. */
const char *cli_text_relative(char out[CLI_TIME_MAX], int64_t ms_ago);

/* "812 KiB", "7.9 MiB", "1.2 GiB". Returns out. */
const char *cli_text_size(char out[CLI_TIME_MAX], int64_t kib);

#endif
