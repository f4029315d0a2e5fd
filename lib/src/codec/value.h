/* SPDX-License-Identifier: MIT */
/*
 * A value of the ref cache as jansson has it.
 *
 * DESIGN. What jansson refuses is put into a form that it takes first
 * (json/portable.h, "strict"): NaN and infinities become null, integers beyond
 * 64 signed bits strings of their digits, lone surrogates U+FFFD, and of keys
 * that come again the last value counts. One limit of jansson stays: a key
 * cannot hold \u0000. For msgpack the same text goes through rqi_args_encode().
 */
#ifndef RQI_CODEC_VALUE_H
#define RQI_CODEC_VALUE_H

#include <refq/bytes.h>
#include <refq/error.h>

#include <jansson.h>

/* Loads any JSON value as Python writes it. max_bytes bounds the text, max_depth its nesting (0 =
 * RQI_SCAN_DEPTH). The caller owns *ret (json_decref). REFQ_ERR_LIMIT, REFQ_ERR_INVALID or
 * REFQ_ERR_NOMEM; the error says where. */
REFQ_MUST_USE refq_err rqi_value_load(refq_bytes text, size_t max_bytes, unsigned max_depth,
                                      json_t **ret, refq_error *err);

#endif
