/* SPDX-License-Identifier: MIT */
/* The part of a task's definition that tells how calls of it behave. */
#ifndef RQI_RUN_CALL_DEF_H
#define RQI_RUN_CALL_DEF_H

#include "base/buf.h"

#include <refq/handlers.h>

/* REFQ_ERR_INVALID or REFQ_ERR_LIMIT for what no call could use; the error begins with the name of
 * the field as task files have it. */
refq_err rqi_call_def_check(const refq_task_def *def, refq_error *err);

/* Appends the members of the catalog's definition, each with a comma before it: those that are
 * set. */
void rqi_call_def_json(const refq_task_def *def, rqi_buf *out);

/* Appends the same in words for people, each with a comma before it. */
void rqi_call_def_words(const refq_task_def *def, rqi_buf *out);

/* Whether it says `policy` as a JSON object, not by a preset's name. */
bool rqi_call_def_own_policy(const char *policy);

#endif
