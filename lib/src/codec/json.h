/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing JSON: the one edge to jansson.
 *
 * DESIGN. Every JSON text from outside is loaded here, so that size and depth
 * are bounded before jansson allocates or recurses, and a duplicate key is an
 * error everywhere. jansson's limits remain: integers must fit 64 signed bits,
 * and a key cannot hold \u0000 (a string value can).
 */
#ifndef RQI_CODEC_JSON_H
#define RQI_CODEC_JSON_H

#include "base/buf.h"

#include <refq/error.h>

#include <jansson.h>

#include <stddef.h>

#define RQI_JSON_DEPTH 32 /* the usual bound of arrays and objects inside each other */

/* Loads an object or array. max_depth 0 = RQI_JSON_DEPTH. The caller owns *ret (json_decref).
 * REFQ_ERR_LIMIT when larger than max_bytes or deeper than max_depth, REFQ_ERR_INVALID when it is
 * no such JSON; the error says where. */
REFQ_MUST_USE refq_err rqi_json_load(const char *text, size_t len, size_t max_bytes,
                                     unsigned max_depth, json_t **ret, refq_error *err);

/* The same, but takes any value: a string, number, true, false or null too. */
REFQ_MUST_USE refq_err rqi_json_load_any(const char *text, size_t len, size_t max_bytes,
                                         unsigned max_depth, json_t **ret, refq_error *err);

/* Appends a finite number so that reading it gives the same double, and a double again: 1 becomes
 * "1.0", whatever the locale. REFQ_ERR_INVALID for NaN and the infinities. */
REFQ_MUST_USE refq_err rqi_json_add_real(rqi_buf *out, double value);

#endif
