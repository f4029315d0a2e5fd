/* SPDX-License-Identifier: MIT */
/* A task's definition as the catalog tells it to clients. */
#ifndef RQI_RUN_DEFINITION_H
#define RQI_RUN_DEFINITION_H

#include "base/buf.h"

#include <refq/handlers.h>

/* Appends one JSON object. */
void rqi_definition_json(const refq_task_def *def, rqi_buf *out);

#endif
