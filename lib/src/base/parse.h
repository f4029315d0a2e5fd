/* SPDX-License-Identifier: MIT */
/*
 * Numbers, durations and sizes as people write them.
 *
 * A duration is a number and a unit: 250ms, 5s, 1.5m, 2h, 7d; a bare 0 is
 * allowed, any other bare number is refused because nobody remembers which
 * unit it would have been. A size is bytes with an optional KiB, MiB, GiB
 * (K, M, G mean the same). Negative values are refused.
 */
#ifndef RQI_BASE_PARSE_H
#define RQI_BASE_PARSE_H

#include <refq/error.h>

#include <stddef.h>
#include <stdint.h>

#define RQI_DURATION_MAX_MS ((int64_t)366 * 24 * 3600 * 1000)

/* The error texts start with the rejected text, so the caller puts the place before them. */
refq_err rqi_parse_duration(const char *text, int64_t *ret_ms, refq_error *err);
refq_err rqi_parse_size(const char *text, size_t *ret_bytes, refq_error *err);
refq_err rqi_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret, refq_error *err);

/* Writes a duration for people: 850ms, 4.2s, 3m05s, 2h10m, 3d04h. Returns out. */
const char *rqi_format_duration(char *out, size_t size, int64_t ms);

/* Edit distance with an upper bound, for "did you mean". */
size_t rqi_edit_distance(const char *a, const char *b);

/* The entry of names (n of them) nearest to text, or NULL when none is close. */
const char *rqi_nearest(const char *text, const char *const *names, size_t n);

#endif
