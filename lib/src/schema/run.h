/* SPDX-License-Identifier: MIT */
/*
 * One validation under way.
 *
 * DESIGN. Most values are valid, so a first pass only answers yes or no and stops at the first no;
 * only then a second pass goes the same way and puts failures into words. Both spend steps of a
 * budget and count how deeply evaluations are nested, so that no schema, pattern or value can hang
 * or exhaust the stack: what runs out sets `stop`, and everything returns.
 */
#ifndef RQI_SCHEMA_RUN_H
#define RQI_SCHEMA_RUN_H

#include "schema/marks.h"
#include "schema/schema.h"

#define RQI_JS_MAX_NESTED 1024 /* evaluations inside each other */

/* The value being looked at. */
typedef struct rqi_js_at {
    rqi_js_place place;
    const json_t *value;
    bool is_name; /* the value is the name of the member at `place` */
} rqi_js_at;

/* The resources that were entered on the way: what "$dynamicRef" looks through. */
typedef struct rqi_js_scope {
    const struct rqi_js_scope *outer;
    const rqi_js_resource *resource;
} rqi_js_scope;

typedef struct rqi_js_run {
    const refq_schema *schema;
    refq_err stop;      /* REFQ_OK while it goes on */
    const char *reason; /* why it stopped */
    uint64_t steps;     /* left */
    unsigned nested;
    const rqi_js_scope *scope;
    struct rqi_js_report *report;   /* NULL: nobody wants to know why */
    struct rqi_js_matcher *matcher; /* what matching a pattern needs; made when needed */
} rqi_js_run;

/* True when the value fits the node. What was looked at is added to marks (may be NULL); after a
 * failure they mean nothing. */
bool rqi_js_eval(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at,
                 rqi_js_marks *marks);

/* The same without a report. */
bool rqi_js_eval_quietly(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at,
                         rqi_js_marks *marks);

/* Takes steps from the budget; false when it is used up. */
bool rqi_js_spend(rqi_js_run *run, uint64_t steps);

/* Ends the run; always false. `reason` is a constant text. */
bool rqi_js_stop(rqi_js_run *run, refq_err code, const char *reason);

/* After a failure: whether to look for more of them. */
bool rqi_js_go_on(const rqi_js_run *run);

/* A member or an item of the value. */
rqi_js_at rqi_js_at_member(const rqi_js_at *at, void *iter);
rqi_js_at rqi_js_at_item(const rqi_js_at *at, size_t index);

/* Validates a loaded value; what `on` gets, see refq_schema_explain(). max 0: only yes or no. */
REFQ_MUST_USE refq_err rqi_js_validate(const refq_schema *schema, const json_t *value, size_t max,
                                       refq_schema_on_violation on, void *arg, refq_error *err);

#endif
