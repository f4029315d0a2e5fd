/* SPDX-License-Identifier: MIT */
/*
 * A check of untrusted msgpack before libmsgpack sees it.
 *
 * DESIGN. msgpack_unpack_next() reserves memory for what a header claims, not
 * for what follows: five bytes can ask for 400 MB. It also takes text that is
 * no UTF-8, ignores trailing bytes, and reports depth as "out of memory". So
 * every document from outside passes this scan first. The scan allocates
 * nothing, does not recurse, and reads each byte at most twice.
 */
#ifndef RQI_CODEC_MP_GUARD_H
#define RQI_CODEC_MP_GUARD_H

#include <refq/bytes.h>
#include <refq/error.h>

#include <stdbool.h>
#include <stddef.h>

/* libmsgpack's own stack is this deep; a larger max_depth is cut to it. */
#define RQI_MP_DEPTH_MAX 32

typedef struct rqi_mp_limits {
    size_t max_bytes;   /* of the whole document; 0 = 1 MiB */
    unsigned max_depth; /* containers inside each other; 0 = 32 */
    size_t max_items;   /* values in all, map keys and containers included; 0 = 100000 */
    bool string_keys;   /* true: map keys must be strings, as in JSON */
} rqi_mp_limits;

extern const rqi_mp_limits rqi_mp_limits_default;

/* REFQ_OK when `in` is exactly one well-formed value within the limits (NULL = the defaults), whose
 * strings are UTF-8. REFQ_ERR_LIMIT or REFQ_ERR_INVALID otherwise; the error names the byte. */
REFQ_MUST_USE refq_err rqi_mp_guard(refq_bytes in, const rqi_mp_limits *limits, refq_error *err);

#endif
