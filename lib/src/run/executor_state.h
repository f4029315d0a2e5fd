/* SPDX-License-Identifier: MIT */
/* What the files of the executor share: executor.c starts and ends runs, talk.c carries words
 * between a handler and the run's owner. */
#ifndef RQI_RUN_EXECUTOR_STATE_H
#define RQI_RUN_EXECUTOR_STATE_H

#include "run/executor.h"
#include "run/pool.h"

#include <pthread.h>

struct rqi_executor {
    rqi_executor_options o;
    rqi_keeper *keeper; /* NULL = no programs */
    rqi_pool *pool;
    struct event *notify;
    int notify_fd; /* threads wake the loop */
    unsigned busy; /* runs handed to the pool and not back yet; the loop's */

    pthread_mutex_t lock;
    pthread_cond_t answered; /* some run was answered or stopped */
    struct rqi_runs news;    /* runs whose owner has to be told something */
    unsigned news_n;
};

/* Tells the owners what their handlers have said. On the loop's thread. */
void rqi_talk_tell(rqi_executor *x);

/* A program asks, or (json NULL) waits for no answer any more. */
void rqi_talk_program_asks(void *run, const char *json, size_t len);

/* The run is over: its owner is told nothing more of what was said. */
void rqi_talk_forget(rqi_run *run);

#endif
