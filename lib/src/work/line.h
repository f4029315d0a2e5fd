/* SPDX-License-Identifier: MIT */
/*
 * One queue, as a worker serves it.
 *
 * DESIGN. To Redis a worker is one incarnation in each of its queues: each has
 * its own id and lease, and each may be given up and begin anew while the others
 * go on. What the queues share is the process: slots, executor, the main
 * connection and the lease's thread (worker.h).
 */
#ifndef RQI_WORK_LINE_H
#define RQI_WORK_LINE_H

#include "task/keys.h"
#include "work/attempt.h"
#include "work/unknown.h"

#include <refq/work.h>

#define RQI_LINES_MAX 64

struct rqi_bell;

struct rqi_line {
    refq_worker *worker; /* borrowed */
    unsigned index;      /* in the worker's list */
    char queue[REFQ_QUEUE_MAX + 1];
    rqi_keys keys;
    refq_handlers *handlers; /* what claims from now on run with; a reference */
    refq_handlers *fresh;    /* the same, to be put in their place; under the worker's lock */

    char id[REFQ_HEX_LEN + 1]; /* this incarnation */
    unsigned generation;       /* rises with each incarnation */
    struct rqi_bell *bell;
    struct event *later; /* looks again after a pause: progress, or a call that failed */
    struct event *alarm; /* the next due task that is ours to wake up for */

    struct rqi_attempts held; /* all attempts */
    struct rqi_attempts ready;
    size_t held_n, ready_n;
    size_t running_n; /* loading, waiting or running: these take slots */
    size_t stuck_n;   /* of them, told to stop long ago */

    bool started;     /* registered: may claim */
    bool registered;  /* was, once: also while a new incarnation is not yet */
    bool saying_bye;  /* the goodbye is on its way */
    bool ended;       /* it was said, or there is nobody to say it to */
    bool broken;      /* the last call failed for a reason that time may mend */
    bool hungry;      /* free slots should be filled: nothing says that nothing is there */
    bool parked;      /* Redis lists us as waiting for the bell */
    bool last_full;   /* the last claim got all it wanted */
    bool recount;     /* ask `mine` before anything else */
    bool asking_mine; /* nothing else is sent until it is answered */
    bool notes_any;   /* some attempt may have notes to be sent */
    bool quiet;       /* told to claim nothing, by an order of its queue */
    bool limited;     /* some of its tasks have a `concurrency` */
    unsigned calls;   /* finish calls under way */
    size_t claiming;  /* slots spoken for by them */
    rqi_unknown unknown;
    refq_worker_counters counters;
};

/* Makes a line; nothing is opened. Takes a reference to the handlers. */
refq_err rqi_line_new(refq_worker *w, const char *queue, refq_handlers *handlers, rqi_line **ret,
                      refq_error *err);

/* Puts the fresh handlers in place of the present ones; false when there are none. */
bool rqi_line_renew_handlers(rqi_line *line);

/* Its events and the connection to its bell. */
refq_err rqi_line_open(rqi_line *line, refq_error *err);

/* Undoes that, also half of it; the attempts stay. */
void rqi_line_close(rqi_line *line);

/* Frees the attempts (nothing runs any more), the events and the line. NULL is fine. */
void rqi_line_free(rqi_line *line);

/* entry NULL = any. */
rqi_attempt *rqi_line_find(rqi_line *line, const char *hex, const char *entry);
void rqi_line_add(rqi_line *line, rqi_attempt *a);
void rqi_line_drop(rqi_line *line, rqi_attempt *a); /* removes and frees */
void rqi_line_make_ready(rqi_line *line, rqi_attempt *a);

/* Tells all that runs to stop. */
void rqi_line_stop_all(rqi_line *line, rqi_stop_reason why);

/* The incarnation is dead to Redis: stop everything it ran and begin a new one. */
void rqi_line_reborn(rqi_line *line);

#endif
