/* SPDX-License-Identifier: MIT */
/*
 * Numbers as JSON Schema sees them: 1 and 1.0 are the same.
 *
 * DESIGN. jansson keeps what is written without point and exponent as 64-bit integer and all else
 * as double. Integers are not turned into doubles to compare them, which would make neighbours
 * above 2^53 equal. A multiple is found out in exact decimal arithmetic: a double stands for the
 * shortest decimal number that reads as this double (so 0.01 is a hundredth, as its writer meant),
 * that is m * 10^e with m below 2^63, and whether one such number divides the other needs only
 * remainders. Dividing doubles says that 4.35 is no multiple of 0.01; taking them for the binary
 * fractions that they are says so, too.
 */
#ifndef RQI_SCHEMA_NUMBER_H
#define RQI_SCHEMA_NUMBER_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

/* True for integers, and for 1.0, which is one, too. */
bool rqi_js_number_is_whole(const json_t *value);

/* Below, equal to or above 0 as a is below, equal to or above b; both are numbers. */
int rqi_js_number_compare(const json_t *a, const json_t *b);

/* True when value is a multiple of the positive number `of`. */
bool rqi_js_number_is_multiple(const json_t *value, const json_t *of);

/* Reads a number that is a whole one, from 0 on; larger than 64 bits counts as their largest. False
 * for all else. */
bool rqi_js_number_count(const json_t *value, uint64_t *ret);

#endif
