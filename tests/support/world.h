/* SPDX-License-Identifier: MIT */
/*
 * A backend with everything it needs, for tests that do the same to several.
 *
 * Tasks are known by numbers, in the order they were made, so that two worlds can
 * be compared. Handlers are those of the contract (tests/contract/stage.c): what
 * they do is in the arguments, and gates stop time.
 */
#ifndef RQT_SUPPORT_WORLD_H
#define RQT_SUPPORT_WORLD_H

#include "contract/contract.h"
#include "support/worker_thread.h"

#include <refq/work.h>

#define RQT_TASKS_MAX 64
#define RQT_SEEN_MAX  512

typedef struct rqt_world_task {
    refq_ref ref;
    int made_by;     /* whatever the test calls what made it */
    int gate;        /* -1 = it waits at none */
    bool opened;     /* its gate was */
    bool follows;    /* submitted to wait for another one */
    refq_ref joiner; /* the last call that shares it; no hex = none does */
} rqt_world_task;

typedef struct rqt_world {
    const char *name;
    bool redis;
    char queue[REFQ_QUEUE_MAX + 1];
    refq_handlers *handlers;
    rqi_ct_stage *stage;
    refq_worker *worker; /* redis only */
    rqt_worker_thread thread;
    refq_client *client;
    rqt_world_task tasks[RQT_TASKS_MAX];
    size_t n;
    bool paused;
    unsigned singles; /* running tasks of which there may be one at a time */
} rqt_world;

/* Redis needs the fixture's server. Fails the test when it cannot. */
void rqt_world_start(rqt_world *w, bool redis);
void rqt_world_stop(rqt_world *w);

/* Waits until nothing moves any more by itself; false after the budget, and then `why` says what
 * still does. */
bool rqt_world_rest(rqt_world *w, int budget_ms, char why[RQT_SEEN_MAX]);

/* What a caller can see of one task, as one line. */
void rqt_world_see(rqt_world *w, size_t task, char out[RQT_SEEN_MAX]);

/* The queue's numbers, likewise. */
void rqt_world_numbers(rqt_world *w, char out[RQT_SEEN_MAX]);

/* The number of the task with this hex part; -1 when there is none. */
int rqt_world_task_of(const rqt_world *w, const char *hex);

#endif
