/* SPDX-License-Identifier: MIT */
/*
 * A number's text as Python writes it back: repr(float(text)).
 *
 * DESIGN. Python writes the shortest digits that name the same double, the
 * nearest to it when several are as short. The C library knows how to convert
 * both ways, so candidates of 15, 16 and 17 digits are printed and read back,
 * and numbers too small for 15 digits to be safe try all lengths. Text of at
 * most 15 digits is its own answer and is only laid out anew. All of it in the
 * locale "C", whatever the process has set.
 */
#ifndef RQI_JSON_PYFLOAT_H
#define RQI_JSON_PYFLOAT_H

#include <refq/bytes.h>
#include <refq/error.h>

#include <stdbool.h>

#define RQI_PYFLOAT_MAX 32 /* bytes of any answer */

/* Writes the number (a RQI_SCAN_REAL) and returns its length; "Infinity" for one too large. 0 only
 * when a text of thousands of digits needs memory and there is none. */
size_t rqi_pyfloat(refq_bytes number, char out[RQI_PYFLOAT_MAX]);

/* The double a well-formed JSON number means, infinite when it is too large. false only without
 * memory, as above. */
REFQ_MUST_USE bool rqi_pyfloat_read(refq_bytes number, double *ret);

#endif
