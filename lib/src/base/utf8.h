/* SPDX-License-Identifier: MIT */
/* UTF-8 checks for text that comes from outside. */
#ifndef RQI_BASE_UTF8_H
#define RQI_BASE_UTF8_H

#include <stddef.h>

/* Length of the longest valid prefix (no overlong forms, no surrogates, at most U+10FFFF): equals
 * len when all of it is valid. */
size_t rqi_utf8_valid(const char *text, size_t len);

/* The largest cut <= max at which valid text can be cut without splitting a character. */
size_t rqi_utf8_cut(const char *text, size_t len, size_t max);

#endif
