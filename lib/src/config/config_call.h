/* SPDX-License-Identifier: MIT */
/* The keys of a task that tell how calls of it behave. */
#ifndef REFQ_WORKER_CONFIG_CALL_H
#define REFQ_WORKER_CONFIG_CALL_H

#include "config/config_read.h"

/* NULL-terminated; by the numbers of refq_reuse and refq_format. */
extern const char *const rqi_reuse_words[];
extern const char *const rqi_format_words[];

/* All read into an rqi_config_task. */
rqi_read_fn rqi_read_reuse;
rqi_read_fn rqi_read_format;
rqi_read_fn rqi_read_max_size;
rqi_read_fn rqi_read_input_schema;
rqi_read_fn rqi_read_output_schema;
rqi_read_fn rqi_read_namespace;
rqi_read_fn rqi_read_owner;
rqi_read_fn rqi_read_policy;

#endif
