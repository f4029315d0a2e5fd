/* SPDX-License-Identifier: MIT */
/* The response for a task that has no value (yet). */
#ifndef RQI_REPLY_ASYNC_H
#define RQI_REPLY_ASYNC_H

#include "base/buf.h"

#include <refq/response.h>

typedef struct rqi_async_reply {
    const refq_task *task;
    refq_format format;
    const char *error;  /* the whole text of a failure; NULL = what the record has */
    const char *schema; /* expected_schema, JSON text; NULL = null */
} rqi_async_reply;

/* Appends one JSON object. */
void rqi_async_reply_add(const rqi_async_reply *reply, rqi_buf *out);

/* Appends what is in the place of `expected_schema` for a task whose output_schema this is: JSON
 * text of {return_type, fields, example, description}; "null" when there is none. */
void rqi_expected_schema_add(const char *output_schema, rqi_buf *out);

#endif
