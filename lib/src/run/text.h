/* SPDX-License-Identifier: MIT */
/* Making what a program wrote fit to be stored and shown. */
#ifndef RQI_RUN_TEXT_H
#define RQI_RUN_TEXT_H

#include <stddef.h>

/* Replaces each byte that is no part of valid UTF-8, and each NUL, by '?'. The length stays. */
void rqi_text_clean(char *text, size_t len);

/* The same for a terminated text that goes into one line: control characters become spaces. */
void rqi_text_flatten(char *text);

#endif
