/* SPDX-License-Identifier: MIT */
/* What a task wants, gives and decides about its calls, from the catalog's JSON. */
#ifndef RQI_CALL_DEFINITION_H
#define RQI_CALL_DEFINITION_H

#include <refq/access.h>
#include <refq/response.h>
#include <refq/schema.h>

#include <stdbool.h>
#include <stdint.h>

/* Immutable; shared by calls. Owns all it points to. */
typedef struct rqi_definition {
    int64_t async_timeout_ms;
    refq_schema *input; /* NULL = any object */
    char *expected;     /* expected_schema, JSON text */
    refq_reuse reuse;
    refq_format format;
    int64_t max_size;      /* 0 = what the cache says */
    refq_caller_rule rule; /* whose its results are */
} rqi_definition;

/* Free what *ret holds with rqi_definition_done(). REFQ_ERR_UNSUPPORTED when it says something that
 * this library does not understand: a call under other rules than the author's could show its
 * result to others. */
REFQ_MUST_USE refq_err rqi_definition_read(const char *text, rqi_definition *ret, refq_error *err);

void rqi_definition_done(rqi_definition *definition);

#endif
