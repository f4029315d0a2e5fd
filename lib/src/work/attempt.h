/* SPDX-License-Identifier: MIT */
/*
 * One attempt a worker holds, from its claim until Redis has taken its report.
 *
 *   LOADING --(large arguments fetched)--> RUNNING --(handler ended)--> READY
 *                                                                        |
 *                          gone <--(answer)-- SENT <--(in a finish call)-+
 *                                              |
 *                                              +--(call lost)--> READY
 */
#ifndef RQI_WORK_ATTEMPT_H
#define RQI_WORK_ATTEMPT_H

#include "base/buf.h"
#include "run/exec.h"
#include "run/outcome.h"
#include "work/handler.h"

#include <refq/task.h>

#include <stdatomic.h>
#include <sys/queue.h>

typedef enum rqi_attempt_state {
    RQI_ATTEMPT_LOADING,
    RQI_ATTEMPT_RUNNING,
    RQI_ATTEMPT_READY, /* in the list of reports to be sent */
    RQI_ATTEMPT_SENT
} rqi_attempt_state;

/* Why an attempt was told to stop: decides what is reported when it has. */
typedef enum rqi_stop_reason {
    RQI_STOP_NONE = 0,
    RQI_STOP_CANCELLED, /* the task was cancelled: only its end is reported */
    RQI_STOP_FENCED,    /* the task is not ours any more: likewise */
    RQI_STOP_DRAIN,     /* the worker goes away: give the task back */
    RQI_STOP_TIMEOUT    /* C handlers only: a retryable failure */
} rqi_stop_reason;

#define RQI_ENTRY_ID_MAX 44 /* "<20 digits>-<20 digits>" */

struct event;

typedef struct rqi_attempt {
    TAILQ_ENTRY(rqi_attempt) held; /* of the worker's list of all it holds */
    TAILQ_ENTRY(rqi_attempt) link; /* of the pool's, the ready or a call's list */
    refq_worker *worker;           /* borrowed */
    const rqi_handler *handler;    /* borrowed; NULL = this worker does not know the task */
    rqi_attempt_state state;
    refq_ref ref;
    char entry[RQI_ENTRY_ID_MAX + 1]; /* the fence */
    char task[REFQ_NAME_MAX + 1];
    unsigned number;    /* from 1 */
    unsigned failures;  /* before this attempt */
    int64_t timeout_ms; /* 0 = none */
    char traceparent[65];
    rqi_buf args;        /* as stored: codec byte, msgpack */
    rqi_buf json;        /* the same as JSON text */
    rqi_exec *exec;      /* while an external program runs */
    struct event *timer; /* wall time of C handlers; owned */
    rqi_stop_reason stop;
    rqi_outcome outcome;
    unsigned generation; /* the worker's incarnation it belongs to */
    bool phantom;        /* not run here: Redis says we hold it, give it back */
    bool confirmed;      /* scratch of the comparison with `mine` */
    bool staged;         /* the result was SET beforehand */
    bool staged_failed;  /* it must go inline: staging did not work */

    atomic_bool stopping; /* what a C handler's thread sees */
    /* Progress: written by the handler's thread or the loop, under the worker's lock. */
    int64_t current, total;
    char message[65];
    bool progress_dirty;
    int64_t progress_sent_ms; /* monotonic */
} rqi_attempt;

TAILQ_HEAD(rqi_attempts, rqi_attempt);

rqi_attempt *rqi_attempt_new(refq_worker *worker);
void rqi_attempt_free(rqi_attempt *a);

/* Starts the handler. However it ends, even at once, rqi_worker_attempt_done() follows. */
void rqi_attempt_run(rqi_attempt *a);

/* Tells the handler to stop. The first reason stays. */
void rqi_attempt_stop(rqi_attempt *a, rqi_stop_reason why);

/* Sets a failure. */
void rqi_attempt_fail(rqi_attempt *a, rqi_outcome_kind kind, const char *fmt, ...)
    REFQ_PRINTF(3, 4);

#endif
