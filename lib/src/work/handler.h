/* SPDX-License-Identifier: MIT */
/* The registry: what a worker can run, by name. */
#ifndef RQI_WORK_HANDLER_H
#define RQI_WORK_HANDLER_H

#include <refq/work.h>

typedef enum rqi_handler_kind {
    RQI_HANDLER_THREAD,
    RQI_HANDLER_INLINE,
    RQI_HANDLER_EXEC
} rqi_handler_kind;

typedef struct rqi_handler {
    rqi_handler_kind kind;
    refq_task_def def;  /* owned copy, defaults filled in */
    refq_exec_def exec; /* owned copy; RQI_HANDLER_EXEC only */
    refq_handler fn;    /* the others */
    void *arg;
} rqi_handler;

typedef struct rqi_registry {
    rqi_handler **items; /* owned, each too: running attempts point to them */
    size_t n;
} rqi_registry;

/* Checks and copies. *ret (borrowed) is the new handler. */
refq_err rqi_registry_add(rqi_registry *reg, rqi_handler_kind kind, const refq_task_def *def,
                          const refq_exec_def *exec, rqi_handler **ret, refq_error *err);

const rqi_handler *rqi_registry_find(const rqi_registry *reg, const char *name);

void rqi_registry_done(rqi_registry *reg);

#endif
