/* SPDX-License-Identifier: MIT */
/*
 * One JSON value with the places in it where references stand.
 *
 * DESIGN. A value is written anew once, in the strict form without blanks, and
 * its references become holes: offset, length, and what is to stand there. From
 * then on nothing of it is parsed again, however often it is used: its size with
 * all holes filled is a sum, and filling them is copying.
 */
#ifndef RQI_INPUTS_VALUE_H
#define RQI_INPUTS_VALUE_H

#include "base/buf.h"

#include <stdint.h>

typedef struct rqi_input_hole {
    size_t at; /* offset of the opening quote */
    uint32_t len;
    uint32_t node;  /* what its text refers to */
    uint16_t depth; /* containers around it */
} rqi_input_hole;

typedef struct rqi_input_value {
    rqi_buf text; /* strict JSON */
    rqi_input_hole *holes;
    size_t n;
    size_t cap;
    unsigned depth; /* containers inside each other */
} rqi_input_value;

/* Tells of a string that has the form of a reference: *ret_node is what goes into its hole. ref_id
 * is borrowed until it returns. */
typedef refq_err (*rqi_input_found)(void *arg, const char *ref_id, uint32_t *ret_node,
                                    refq_error *err);

/* Reads a JSON text into a zeroed value. Free it also after a failure. REFQ_ERR_LIMIT when it is
 * larger than max bytes or nested too deep; else what `found` refuses, or what is no JSON. */
REFQ_MUST_USE refq_err rqi_input_value_read(rqi_input_value *v, refq_bytes json, size_t max,
                                            rqi_input_found found, void *arg, refq_error *err);
void rqi_input_value_done(rqi_input_value *v);

#endif
