/* SPDX-License-Identifier: MIT */
/* The registry: what can be run, by name. */
#ifndef RQI_RUN_HANDLERS_H
#define RQI_RUN_HANDLERS_H

#include <refq/handlers.h>

struct rqi_plugin;

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
    const struct rqi_plugin *plugin; /* it comes from; NULL = none. Borrowed from the set */
    unsigned long serial;            /* rises with each handler of the process */
} rqi_handler;

/* Checks and copies. *ret (borrowed) is the new handler. */
refq_err rqi_handlers_add(refq_handlers *set, rqi_handler_kind kind, const refq_task_def *def,
                          const refq_exec_def *exec, rqi_handler **ret, refq_error *err);

/* Has the set own a plugin, whose handlers are those from `first` on: they get its arg. */
refq_err rqi_handlers_take_plugin(refq_handlers *set, size_t first, struct rqi_plugin *plugin,
                                  refq_error *err);

/* Removes the handlers from `first` on; only while nobody knows them. */
void rqi_handlers_cut(refq_handlers *set, size_t first);

/* NULL when there is none. Borrowed: whoever keeps it keeps a reference to the set. */
const rqi_handler *rqi_handlers_find(const refq_handlers *set, const char *name);

size_t rqi_handlers_count(const refq_handlers *set);
const rqi_handler *rqi_handlers_at(const refq_handlers *set, size_t i);

/* The serial of the last handler that was made. */
unsigned long rqi_handlers_serial(void);

/* Whether they need a keeper: programs, and handlers in a child process. */
bool rqi_handlers_have_programs(const refq_handlers *set);

/* From now on nothing can be added: threads read the set without a lock. */
void rqi_handlers_seal(refq_handlers *set);

#endif
