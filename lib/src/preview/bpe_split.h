/* SPDX-License-Identifier: MIT */
/*
 * Text into the pieces within which bytes merge, by the patterns of tiktoken.
 *
 * DESIGN. The patterns are regular expressions over Unicode classes. What is
 * measured is ASCII, where the classes are a table of 128 bytes and each
 * alternative of a pattern is a short function; alternatives are tried in the
 * pattern's order. Bytes beyond ASCII count as letters without case.
 */
#ifndef RQI_PREVIEW_BPE_SPLIT_H
#define RQI_PREVIEW_BPE_SPLIT_H

#include <refq/preview.h>

/* Bytes of the first piece of text, at least 1; len is not 0. */
size_t rqi_bpe_split(refq_bpe_pattern pattern, const char *text, size_t len);

#endif
