/* SPDX-License-Identifier: MIT */
/* What goes into a child on stdin and comes back on its stdout. Both ends are one binary, forked
 * from one process, so this is no format: no versions, no byte order. */
#ifndef RQI_RUN_CHILD_WIRE_H
#define RQI_RUN_CHILD_WIRE_H

#include "run/run.h"

#include <refq/log.h>

#define RQI_CHILD_VALUE_MAX ((size_t)200 << 20) /* bytes of a result */
#define RQI_CHILD_DEPTH_MAX 512                 /* of its JSON */
#define RQI_CHILD_MAGIC     0x52514331U

typedef struct rqi_child_input {
    refq_handler fn; /* an address of this binary; not used with a plugin */
    void *arg;
    refq_ref ref;
    char fence[RQI_FENCE_MAX + 1];
    char task[REFQ_NAME_MAX + 1];
    unsigned number;
    int64_t timeout_ms;
    int64_t deadline_ms;
    bool can_ask;
    refq_log_level log_level; /* lines below it are not sent */
    bool can_log;
    size_t plugin_len; /* these follow, in this order */
    size_t config_len;
    size_t args_len;
    size_t json_len; /* of resolved arguments, instead of args */
} rqi_child_input;

typedef struct rqi_child_result {
    uint32_t magic;
    rqi_outcome_kind kind;
    int64_t retry_after_ms;
    size_t error_len; /* these follow, in this order */
    size_t value_len;
} rqi_child_result;

#endif
