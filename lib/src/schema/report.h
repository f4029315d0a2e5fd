/* SPDX-License-Identifier: MIT */
/* The second pass over a value that does not fit: why not. */
#ifndef RQI_SCHEMA_REPORT_H
#define RQI_SCHEMA_REPORT_H

#include "schema/run.h"

/* Where violations go. */
typedef struct rqi_js_report {
    size_t max;                  /* violations wanted */
    size_t n;                    /* told so far */
    refq_schema_on_violation on; /* NULL: only the first one matters, and is kept here */
    void *arg;
    rqi_buf instance; /* of the first violation: its JSON pointer */
    rqi_buf text;     /* and what is said about it */
    size_t depth;     /* of its pointer */
    unsigned types;   /* it is only that none of these types is there; 0 = something else */
} rqi_js_report;

/* Tells of a check whose keyword explains itself. */
void rqi_js_report_check(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at);

/* Tells of a value where none may be. */
void rqi_js_report_never(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at);

/* Tells of something else that is wrong with the value at `at`. All three do nothing when nobody
 * wants to know. */
void rqi_js_report_say(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       const char *fmt, ...) REFQ_PRINTF(4, 5);

/* Replaces the run's report by one that keeps the first violation; `ret_saved` is for end. */
void rqi_js_report_begin(rqi_js_run *run, rqi_js_report *inner, rqi_js_report **ret_saved);
void rqi_js_report_end(rqi_js_run *run, rqi_js_report *saved);

/* Frees what it keeps. */
void rqi_js_report_done(rqi_js_report *report);

#endif
