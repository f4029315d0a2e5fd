/* SPDX-License-Identifier: MIT */
/*
 * One attempt a worker holds, from its claim until Redis has taken its report.
 *
 *   LOADING --(arguments, inputs fetched)-> RUNNING --(handler ended)-> READY
 *      |                                      ^                          |
 *      +--> WAITING --(nothing else runs)-----+                          |
 *                          gone <--(answer)-- SENT <--(in a finish call)-+
 *                                              |
 *                                              +--(call lost)--> READY
 */
#ifndef RQI_WORK_ATTEMPT_H
#define RQI_WORK_ATTEMPT_H

#include "run/run.h"
#include "task/scope.h"

typedef enum rqi_attempt_state {
    RQI_ATTEMPT_LOADING,
    RQI_ATTEMPT_WAITING, /* until it may run alone */
    RQI_ATTEMPT_RUNNING,
    RQI_ATTEMPT_READY, /* in the list of reports to be sent */
    RQI_ATTEMPT_SENT
} rqi_attempt_state;

struct event;
typedef struct rqi_line rqi_line;
typedef struct refq_worker refq_worker;

typedef struct rqi_attempt {
    rqi_run run;                   /* first: the executor hands it back; its fence is the entry */
    TAILQ_ENTRY(rqi_attempt) held; /* of the line's list of all it holds */
    TAILQ_ENTRY(rqi_attempt) link; /* of the ready or a call's list, or of those that wait */
    rqi_line *line;                /* borrowed */
    refq_handlers *handlers;       /* a reference: run.handler lies in it; NULL = phantom */
    rqi_attempt_state state;
    rqi_scope scope;
    unsigned failures;                    /* before this attempt */
    unsigned deaths;                      /* workers that vanished with the task */
    unsigned crashes;                     /* children that died with it */
    struct event *timer;                  /* LOADING: asks again; RUNNING: tells the deadline */
    void (*again)(struct rqi_attempt *a); /* what that asks */
    struct rqi_inputs *inputs;            /* while they are put in place; owned */
    rqi_buf after;                        /* it is parked until these are over; empty = it is not */
    unsigned generation;                  /* the line's incarnation it belongs to */
    bool unfit;               /* what was claimed cannot be read: it fails without having run */
    bool phantom;             /* not run here: Redis says we hold it, give it back */
    bool confirmed;           /* scratch of the comparison with `mine` */
    bool staged;              /* the result was SET beforehand */
    bool staged_failed;       /* it must go inline: staging did not work */
    unsigned owes;            /* notes Redis has not been told: bits of rqi_note_kind */
    rqi_buf question;         /* of RQI_NOTE_ASK */
    bool answering;           /* its answer is being fetched, or Redis has not heard that it came */
    int64_t progress_sent_ms; /* monotonic */
} rqi_attempt;

TAILQ_HEAD(rqi_attempts, rqi_attempt);

rqi_attempt *rqi_attempt_new(rqi_line *line);
void rqi_attempt_free(rqi_attempt *a);

/* Loading, waiting or running: it takes a slot. */
bool rqi_attempt_is_active(const rqi_attempt *a);

/* Starts the handler. However it ends, even at once, rqi_worker_attempt_done() follows. */
void rqi_attempt_run(rqi_attempt *a);

/* Tells an active one to stop; its end may follow before this returns. */
void rqi_attempt_stop(rqi_attempt *a, rqi_stop_reason why);

#endif
