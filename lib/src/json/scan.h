/* SPDX-License-Identifier: MIT */
/*
 * Reading JSON text token by token.
 *
 * DESIGN. Values in the ref cache are written by Python, whose json module
 * writes what other readers refuse: NaN, Infinity, -Infinity, integers of any
 * length, lone surrogates as \u escapes. Such text must be measured, cut and
 * passed on without changing it, so there is no tree and no conversion here:
 * a token is a slice of the text. The scan checks while it reads, takes one
 * pass, allocates nothing and does not recurse; what kind of container is open
 * at each level is one bit. All else is RFC 8259: UTF-8 without a mark at the
 * front, no trailing commas, no control characters in strings. Duplicate keys
 * are well-formed; pytext.h says what they mean.
 */
#ifndef RQI_JSON_SCAN_H
#define RQI_JSON_SCAN_H

#include <refq/bytes.h>
#include <refq/error.h>

#include <stdbool.h>
#include <stdint.h>

#define RQI_SCAN_DEPTH 1024 /* containers inside each other in a value */
#define RQI_SCAN_ROOM  1088 /* the same in what has a value in it: an entry, a response */

typedef enum rqi_scan_kind {
    RQI_SCAN_BAD,  /* refused; scan.rc and the refq_error say why */
    RQI_SCAN_DONE, /* the value is complete; what follows it was not looked at */
    RQI_SCAN_NULL,
    RQI_SCAN_FALSE,
    RQI_SCAN_TRUE,
    RQI_SCAN_NAN,
    RQI_SCAN_INFINITY,
    RQI_SCAN_NEG_INFINITY,
    RQI_SCAN_INT,    /* no point and no exponent */
    RQI_SCAN_REAL,   /* any other number */
    RQI_SCAN_STRING, /* with its quotes */
    RQI_SCAN_KEY,    /* with its quotes; its value is the next token */
    RQI_SCAN_ARRAY,  /* [ */
    RQI_SCAN_ARRAY_END,
    RQI_SCAN_OBJECT, /* { */
    RQI_SCAN_OBJECT_END
} rqi_scan_kind;

typedef struct rqi_scan_token {
    rqi_scan_kind kind;
    refq_bytes text; /* borrowed from the scanned text */
    bool plain;      /* strings and keys: printable ASCII without escapes */
} rqi_scan_token;

typedef struct rqi_scan {
    const char *p;   /* the next byte to read */
    const char *end; /* past the text */
    const char *start;
    unsigned depth; /* open containers */
    unsigned max_depth;
    int step;                             /* what may come next */
    uint64_t objects[RQI_SCAN_ROOM / 64]; /* bit n: the container at level n is an object */
    refq_err rc;                          /* REFQ_OK until RQI_SCAN_BAD */
    refq_error *err;                      /* borrowed, may be NULL */
} rqi_scan;

/* Begins before one value. text and err are borrowed while scanning. max_depth 0 is RQI_SCAN_DEPTH,
 * and more than RQI_SCAN_ROOM is that. */
void rqi_scan_init(rqi_scan *s, refq_bytes text, unsigned max_depth, refq_error *err);

/* The next token. After RQI_SCAN_BAD or RQI_SCAN_DONE it stays that. REFQ_ERR_INVALID for what is
 * no JSON, REFQ_ERR_LIMIT for what is nested too deep; the error names the byte. */
rqi_scan_kind rqi_scan_next(rqi_scan *s, rqi_scan_token *ret);

/* After RQI_SCAN_KEY: goes on behind its value, which ends at `end`. */
void rqi_scan_skip(rqi_scan *s, const char *end);

/* After RQI_SCAN_DONE: REFQ_OK when only blanks follow the value. */
REFQ_MUST_USE refq_err rqi_scan_finish(rqi_scan *s);

/* REFQ_OK when text is one value and blanks; *ret_value (NULL = not wanted) is then the value
 * without them. */
REFQ_MUST_USE refq_err rqi_scan_check(refq_bytes text, unsigned max_depth, refq_bytes *ret_value,
                                      refq_error *err);

#endif
