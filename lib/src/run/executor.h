/* SPDX-License-Identifier: MIT */
/*
 * The executor: runs handlers, and knows nothing of where tasks come from.
 *
 * DESIGN. One executor belongs to one event loop and is used from its thread
 * only. Programs run under a keeper (keeper.h), C handlers on a pool of threads
 * (pool.h) or on the loop itself. What a handler's thread has to say (progress,
 * a question, its end) is left under a lock; an eventfd wakes the loop, which
 * tells the run's owner. Progress that comes faster than the loop turns is told
 * once.
 */
#ifndef RQI_RUN_EXECUTOR_H
#define RQI_RUN_EXECUTOR_H

#include "run/run.h"

#include <refq/log.h>

typedef struct rqi_executor rqi_executor;

typedef struct rqi_executor_options {
    struct event_base *base; /* borrowed */
    unsigned threads;        /* C handlers at a time */
    bool programs; /* programs, and C handlers in children, may be run: a keeper is forked */
    const refq_logger *log; /* borrowed; may be NULL */
    /* The keeper has died: no program can be run any more. Those that ran were told as
     * RQI_CANCELLED with stop RQI_STOP_DRAIN. May be NULL. */
    void (*on_broken)(void *arg);
    void *arg;
} rqi_executor_options;

/* With programs, call it before the process makes threads: it forks. */
refq_err rqi_executor_new(const rqi_executor_options *options, rqi_executor **ret, refq_error *err);

/* Starts run->handler; the run stays where it is until on_done. */
void rqi_run_start(rqi_executor *executor, rqi_run *run);

/* Has a thread of the pool do something else for a run that is not started yet; on_job follows on
 * the loop's thread, once. What tells the run to stop meanwhile is left in run->stop. */
refq_err rqi_run_job(rqi_executor *executor, rqi_run *run, void (*job)(rqi_run *run),
                     void (*on_job)(rqi_run *run));

/* Tells the handler to stop; on_done still comes. The first reason stays. */
void rqi_run_stop(rqi_run *run, rqi_stop_reason why);

/* Hands the answer (JSON text) to the handler that asked; false when it does not wait for one. */
bool rqi_run_answer(rqi_run *run, const char *json, size_t len);

/* The latest progress; false when there is none that was not taken before. Any thread. */
bool rqi_run_take_progress(rqi_run *run, int64_t *ret_current, int64_t *ret_total,
                           char message[65]);

bool rqi_executor_can_run_programs(const rqi_executor *executor);

/* Hears of handlers' ends without the loop, until all C handlers have returned or the time is over:
 * for owners that go away. True when none is left. */
bool rqi_executor_drain(rqi_executor *executor, int64_t budget_ms);

/* Kills the programs that run; their on_done will not come. C handlers go on. */
void rqi_executor_stop(rqi_executor *executor);

/* C handlers that have not returned. */
unsigned rqi_executor_busy(rqi_executor *executor);

/* Waits for C handlers to return, so ask rqi_executor_busy() first; stops and frees. The runs are
 * cleared before. NULL is fine. */
void rqi_executor_free(rqi_executor *executor);

/* --- What handlers do (ctx.c, any thread) ----------------------------------------------------- */

void rqi_run_progress(rqi_run *run, int64_t current, int64_t total, const char *message);

/* Blocks until there is an answer, owned by the caller. */
refq_err rqi_run_ask(rqi_run *run, const char *json, size_t len, char **ret_answer);

/* -1 when there is no descriptor left. */
int rqi_run_cancel_fd(rqi_run *run);

const refq_logger *rqi_run_logger(const rqi_run *run);

#endif
