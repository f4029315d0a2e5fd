/* SPDX-License-Identifier: MIT */
/*
 * A task's arguments: a JSON object outside, a msgpack map in Redis.
 *
 * What rqi_args_encode() takes, rqi_args_decode() gives back: equal values,
 * integers as integers and floats as floats, keys in the same order. Nothing
 * is stored that a worker would refuse to read.
 */
#ifndef RQI_CODEC_ARGS_H
#define RQI_CODEC_ARGS_H

#include "base/buf.h"

#include <refq/bytes.h>
#include <refq/error.h>

#include <stddef.h>

#define RQI_ARGS_MAX ((size_t)1 << 20) /* bytes of JSON text, and bytes of msgpack */

/* Appends the msgpack form of a JSON object. REFQ_ERR_LIMIT when it is too large, too deep or has
 * too many values, REFQ_ERR_INVALID when it is no JSON object. out is as before on failure, but for
 * its sticky error. */
REFQ_MUST_USE refq_err rqi_args_encode(const char *json, size_t len, rqi_buf *out_msgpack,
                                       refq_error *err);

/* Appends compact JSON text. The input is not trusted: it passes rqi_mp_guard() first. Besides what
 * that refuses, REFQ_ERR_INVALID for what has no JSON form (bin, ext, NaN, infinities) and for
 * doubled keys. The text can be six times as long as the msgpack. */
REFQ_MUST_USE refq_err rqi_args_decode(refq_bytes msgpack, rqi_buf *out_json, refq_error *err);

/* Writes the first bytes of text for people: one line, control characters as spaces, and when it is
 * cut (at a character's boundary, or before the first byte that is no UTF-8) "..." at the end. At
 * most size - 1 bytes and a terminator. */
void rqi_args_preview(const char *json, size_t len, char *out, size_t size);

#endif
