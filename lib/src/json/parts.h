/* SPDX-License-Identifier: MIT */
/*
 * The members of an object or the items of an array, one after the other, as
 * slices of the text: for reading what has a known shape, such as an entry.
 *
 *     rqi_parts_open(&parts, text, &err);
 *     while (rqi_parts_next(&parts, &part)) { ... }
 *     rc = rqi_parts_rc(&parts);
 */
#ifndef RQI_JSON_PARTS_H
#define RQI_JSON_PARTS_H

#include "json/scan.h"

typedef struct rqi_part {
    refq_bytes key;     /* with its quotes (str.h reads it); empty in an array */
    refq_bytes value;   /* without blanks around it */
    rqi_scan_kind kind; /* of the value's first token */
} rqi_part;

typedef struct rqi_parts {
    rqi_scan scan;
    rqi_scan_kind
        kind; /* RQI_SCAN_OBJECT or RQI_SCAN_ARRAY; RQI_SCAN_BAD when the text is neither */
} rqi_parts;

/* Begins. text and err are borrowed while reading. */
void rqi_parts_open(rqi_parts *p, refq_bytes text, refq_error *err);

/* The next part; false at the end, and when the text is refused. */
bool rqi_parts_next(rqi_parts *p, rqi_part *ret);

/* After false: REFQ_OK when the whole text is one object or array; otherwise as rqi_scan_next(). */
REFQ_MUST_USE refq_err rqi_parts_rc(rqi_parts *p);

#endif
