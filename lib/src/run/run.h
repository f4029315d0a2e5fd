/* SPDX-License-Identifier: MIT */
/*
 * One run of a handler, whatever the handler is and whoever wants it run.
 *
 * DESIGN. The owner (an attempt of the worker, a task of the memory backend)
 * embeds this in a struct of its own as the first member, fills in what is to be
 * run and hands it to an executor. It learns of everything through the
 * callbacks, which all come on the loop's thread, so an owner needs no lock.
 */
#ifndef RQI_RUN_RUN_H
#define RQI_RUN_RUN_H

#include "base/buf.h"
#include "run/exec.h"
#include "run/handlers.h"
#include "run/outcome.h"

#include <refq/task.h>

#include <stdatomic.h>
#include <sys/queue.h>

/* Why a run was told to stop: decides what its owner makes of its end. */
typedef enum rqi_stop_reason {
    RQI_STOP_NONE = 0,
    RQI_STOP_CANCELLED, /* the task was cancelled */
    RQI_STOP_FENCED,    /* the task is somebody else's by now */
    RQI_STOP_DRAIN,     /* its owner goes away: the task should run again elsewhere */
    RQI_STOP_TIMEOUT    /* C handlers only, by the executor: a retryable failure */
} rqi_stop_reason;

#define RQI_FENCE_MAX 44 /* "<20 digits>-<20 digits>" */

struct event;
struct rqi_executor;
typedef struct rqi_run rqi_run;

struct rqi_run {
    /* What to run: by the owner, before the start. */
    const rqi_handler *handler; /* borrowed; its set must outlive the run */
    refq_ref ref;
    char fence[RQI_FENCE_MAX + 1];
    char task[REFQ_NAME_MAX + 1];
    unsigned number;    /* of the attempt, from 1 */
    bool in_child;      /* a C handler: in a child process, whatever its definition says */
    int64_t timeout_ms; /* 0 = what the handler's definition says, which is put here */
    char traceparent[65];
    rqi_buf args; /* codec byte, msgpack; owned */

    /* On the loop's thread. on_done comes exactly once, perhaps before rqi_run_start() returns;
     * the run may be freed in it. The others may be NULL and do not come after it. */
    void (*on_done)(rqi_run *run);
    void (*on_progress)(rqi_run *run); /* there is news for rqi_run_take_progress() */
    /* The handler asks: {"question":"text"}, with "schema" when it gave one, at most RQI_ASK_MAX
     * bytes, borrowed. NULL instead of JSON: it waits for no answer any more. The timeout does not
     * run meanwhile. NULL for the callback: nobody can be asked. */
    void (*on_ask)(rqi_run *run, const char *json, size_t len);

    /* How it went: by the executor. */
    rqi_stop_reason stop;
    int64_t stopped_ms;  /* when it was told to, monotonic; 0 = was not */
    rqi_outcome outcome; /* valid from on_done on; owned */
    rqi_buf json;        /* the arguments as JSON text */
    int64_t deadline_ms; /* monotonic; 0 = none */
    rqi_buf named;       /* resolved.h: those arguments that a command names, as a JSON object */

    /* The executor's own. */
    struct rqi_executor *executor; /* NULL before the start */
    rqi_exec *exec;                /* while an external program runs */
    struct event *timer;           /* wall time of C handlers */
    int64_t left_ms;               /* until the deadline, while it stands still; else 0 */
    TAILQ_ENTRY(rqi_run) link;     /* of the pool's lists */
    void (*job)(rqi_run *run);     /* what the pool does instead of the handler; NULL = nothing */
    void (*on_job)(rqi_run *run);
    atomic_bool stopping; /* what a C handler's thread sees */

    /* Under the executor's lock. */
    TAILQ_ENTRY(rqi_run) news_link;
    bool has_news; /* in the list of runs whose owner has to be told something */
    bool progress_dirty;
    int64_t current, total;
    char message[65];
    bool asked;     /* there is a question the owner has not been told of */
    char *question; /* while the handler waits; owned */
    char *answer;   /* until the handler takes it; owned */
    int cancel_fd;  /* eventfd; -1 = not asked for */
};

TAILQ_HEAD(rqi_runs, rqi_run);

/* Makes a zeroed struct valid. */
void rqi_run_init(rqi_run *run);

/* Frees what the run owns. Not while its handler runs, unless the executor was stopped. */
void rqi_run_clear(rqi_run *run);

/* Sets a failure. */
void rqi_run_fail(rqi_run *run, rqi_outcome_kind kind, const char *fmt, ...) REFQ_PRINTF(3, 4);

#endif
