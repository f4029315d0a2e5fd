/* SPDX-License-Identifier: MIT */
/* What the files of a call share. */
#ifndef RQI_CALL_CALLS_H
#define RQI_CALL_CALLS_H

#include "call/definitions.h"
#include "call/inputs.h"

#include <refq/call.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct rqi_started;

enum { RQI_DESKS = 4 };

struct refq_calls {
    refq_client *client;
    refq_cache *cache;
    char **caches; /* owned; NULL-terminated; NULL = none */
    rqi_definitions *definitions;
    refq_logger log;
    atomic_uint refs; /* its owner's, and that of each call whose wait goes on, also if abandoned */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;  /* there is something to answer, or no more will come */
    pthread_cond_t idle;  /* nothing is under way */
    TAILQ_HEAD(rqi_started_list, rqi_started) waiting; /* under way: the client waits for them */
    struct rqi_started_list ready;                     /* to be answered */
    unsigned under_way;                                /* to be answered */
    refq_call_id last_id;
    pthread_t desks[RQI_DESKS]; /* threads that answer */
    unsigned desks_n;
    bool ending;
};

/* One call on its way. Zero-initialised; rqi_call_end() frees what it holds, however far it came.
 */
typedef struct rqi_under_way {
    refq_calls *calls;
    const refq_call_spec *spec; /* borrowed */
    const rqi_definition *definition;
    json_t *args;    /* without what is not the task's */
    char *args_text; /* the same */
    refq_format format;
    refq_caller *caller;
    rqi_inputs inputs;
    refq_ref as; /* made for this call: the task's, unless it has joined another */
    refq_submitted submitted;
} rqi_under_way;

/* Everything before the wait: nothing is queued when it fails. */
refq_err rqi_call_begin(rqi_under_way *w, refq_error *err);

/* How long to wait for the value. */
int64_t rqi_call_patience_ms(const rqi_under_way *w);

/* Answers with what has become of the task. */
refq_err rqi_call_answer(rqi_under_way *w, const refq_task *task, refq_response *ret,
                         refq_error *err);

void rqi_call_end(rqi_under_way *w);

/* start.c: waits until nothing is under way, and ends the threads. */
void rqi_calls_settle(refq_calls *calls);

void rqi_calls_unref(refq_calls *calls);

#endif
