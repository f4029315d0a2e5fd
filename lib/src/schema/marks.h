/* SPDX-License-Identifier: MIT */
/* Which members of an object or items of an array some keyword has looked at, for
 * unevaluatedProperties and unevaluatedItems: one bit each, in their order. */
#ifndef RQI_SCHEMA_MARKS_H
#define RQI_SCHEMA_MARKS_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct rqi_js_marks {
    size_t n;       /* members or items */
    uint64_t few;   /* the bits, when they fit */
    uint64_t *many; /* owned; NULL when they do */
} rqi_js_marks;

/* For the members or items of a value; false when out of memory. */
bool rqi_js_marks_init(rqi_js_marks *marks, const json_t *value);
void rqi_js_marks_done(rqi_js_marks *marks);

/* What it costs to make, merge and clear them, in steps. */
uint64_t rqi_js_marks_cost(const json_t *value);

/* These take NULL, for nobody wants to know. */
void rqi_js_marks_set(rqi_js_marks *marks, size_t i);
void rqi_js_marks_fill(rqi_js_marks *marks, size_t n); /* the first n */
void rqi_js_marks_merge(rqi_js_marks *marks, const rqi_js_marks *from);

bool rqi_js_marks_has(const rqi_js_marks *marks, size_t i);

#endif
