/* SPDX-License-Identifier: MIT */
/*
 * The worker: claims tasks from Redis and runs them with its handlers.
 *
 *     refq_worker_options opt = {.struct_size = sizeof opt, .redis = "redis://127.0.0.1"};
 *     refq_worker_new(&opt, &worker, &err);
 *     refq_worker_serve(worker, "docs", handlers, &err);
 *     refq_worker_run(worker, &err);
 */
#ifndef REFQ_WORK_H
#define REFQ_WORK_H

#include <refq/access.h>
#include <refq/error.h>
#include <refq/export.h>
#include <refq/handlers.h>
#include <refq/log.h>
#include <refq/task.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct refq_worker refq_worker;

typedef enum refq_worker_state {
    REFQ_STATE_STARTING = 0, /* not registered in all of its queues yet */
    REFQ_STATE_RUNNING,
    REFQ_STATE_QUIET,    /* claims nothing, and goes on with what it runs */
    REFQ_STATE_DRAINING, /* stops: finishes what it runs */
    REFQ_STATE_ENDED     /* refq_worker_run() returns, or has returned */
} refq_worker_state;

/* "starting", "running" ...; never NULL. */
REFQ_API const char *refq_worker_state_name(refq_worker_state state);

typedef struct refq_worker_options {
    size_t struct_size;       /* sizeof(refq_worker_options) */
    const char *redis;        /* URL; NULL = REFQ_REDIS or redis://127.0.0.1:6379 */
    const char *prefix;       /* of all keys; NULL = "refq" */
    unsigned concurrency;     /* attempts at a time; 0 = number of CPUs; at most 4096 */
    int64_t lease_ms;         /* 0 = 10 s; a silent worker's tasks go to others after this */
    int64_t beat_ms;          /* 0 = lease / 5; at most a third of the lease */
    int64_t grace_ms;         /* 0 = 25 s; how long a stopping worker waits for running attempts */
    int64_t record_ttl_ms;    /* 0 = 24 h; how long finished tasks' records live */
    int64_t unknown_grace_ms; /* 0 = 60 s; a task that no worker has offered for so long fails when
                                 this worker comes upon it */
    refq_logger log;

    /* Told of each change to RUNNING, QUIET or DRAINING, on the thread of refq_worker_run(). By the
     * first of them all helper processes have been forked, so threads may be made in it. It must
     * not block. NULL = nobody is told. */
    void (*on_state)(void *arg, refq_worker_state state);
    void *on_state_arg; /* borrowed */

    /* Who may use which values as inputs, as the caches of the servers that submit have it. Copied;
     * NULL = the built-in rules. Asked on any of the worker's threads; it must not block. */
    const refq_access *access;
} refq_worker_options;

/* Checks the options and makes a worker; nothing is started. The caller owns *ret_worker. */
REFQ_API REFQ_MUST_USE refq_err refq_worker_new(const refq_worker_options *options,
                                                refq_worker **ret_worker, refq_error *err);

/* Has the worker serve a queue with these handlers; takes a reference. Before refq_worker_run()
 * only; once for each queue, for up to 64: they share the worker's slots fairly. REFQ_ERR_CONFLICT
 * when it serves the queue already, REFQ_ERR_INVALID for an empty registry or a name that is no
 * queue's. */
REFQ_API REFQ_MUST_USE refq_err refq_worker_serve(refq_worker *worker, const char *queue,
                                                  refq_handlers *handlers, refq_error *err);

/* Gives a queue other handlers while the worker runs: the next claims use them, attempts that run
 * keep what they have, and the next beat tells the catalog. Takes a reference. Any thread.
 * REFQ_ERR_NOTFOUND when it does not serve the queue, REFQ_ERR_INVALID for an empty registry. C
 * handlers that were registered after refq_worker_run() cannot run in a child process. */
REFQ_API REFQ_MUST_USE refq_err refq_worker_reload(refq_worker *worker, const char *queue,
                                                   refq_handlers *handlers, refq_error *err);

/* While quiet, a worker claims nothing and goes on with what it runs. Any thread. */
REFQ_API void refq_worker_quiet(refq_worker *worker, bool quiet);

/* What became of attempts since the worker was made. */
typedef struct refq_worker_counters {
    uint64_t claimed;
    uint64_t done;
    uint64_t failed;    /* retryable and permanent failures */
    uint64_t cancelled; /* stopped because the task was cancelled, or is another worker's by now */
    uint64_t released;  /* given back: draining, or a task that is unknown here */
    uint64_t crashed;   /* C handlers whose child process died */
} refq_worker_counters;

#define REFQ_HEALTH_QUEUES 64

typedef struct refq_health_queue {
    char queue[REFQ_QUEUE_MAX + 1];
    char worker[REFQ_HEX_LEN + 1]; /* the incarnation */
    bool started;                  /* registered: it may claim */
    bool quiet;                    /* told to claim nothing */
    int64_t beat_age_ms;           /* since Redis last answered a beat; -1 = it never has */
    unsigned claiming;             /* slots spoken for by calls under way */
    unsigned running;              /* attempts that take slots */
    unsigned held;                 /* these, and those whose end is being reported */
    unsigned stuck;                /* C handlers that were told to stop and do not */
    refq_worker_counters counters;
} refq_health_queue;

typedef struct refq_health {
    refq_worker_state state;
    bool connected;         /* to Redis, with the connection that claims and reports */
    int64_t lease_ms;       /* a beat_age_ms beyond this: others take the tasks over */
    int64_t loop_silent_ms; /* since the loop was asked for a sign of life; 0 = it has answered */
    int64_t lease_late_ms;  /* by how much the thread of the leases is late for its next beat */
    unsigned slots;
    unsigned running; /* this and the next: of all queues */
    unsigned stuck;
    refq_worker_counters counters;
    size_t queues_n;
    refq_health_queue queues[REFQ_HEALTH_QUEUES];
} refq_health;

/* How the worker is, without waiting for it: as of the loop's last turn, which is not long ago
 * while loop_silent_ms is small. Each call asks the loop for a sign of life that the next call can
 * tell. Any thread, while the worker exists. */
REFQ_API void refq_worker_health(refq_worker *worker, refq_health *ret);

/* Runs until refq_worker_stop(); blocks the calling thread, which becomes the worker's loop.
 * REFQ_OK after a clean stop. Call it once, and before the process makes threads if it can:
 * external programs, and C handlers that crash, run under a helper process that is forked here. */
REFQ_API REFQ_MUST_USE refq_err refq_worker_run(refq_worker *worker, refq_error *err);

/* Asks the worker to stop: it claims no more, gives running attempts the grace, then cancels and
 * releases them. A second call cancels at once. Any thread; async-signal-safe. */
REFQ_API void refq_worker_stop(refq_worker *worker);

/* Frees a worker that is not running; NULL is fine. */
REFQ_API void refq_worker_free(refq_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
