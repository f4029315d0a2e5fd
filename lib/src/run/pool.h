/* SPDX-License-Identifier: MIT */
/* Threads for C handlers: started when needed, at most a fixed number. */
#ifndef RQI_RUN_POOL_H
#define RQI_RUN_POOL_H

#include "run/run.h"

typedef struct rqi_pool rqi_pool;

/* notify_fd (an eventfd, borrowed) is written to when runs have ended. */
refq_err rqi_pool_new(unsigned threads_max, int notify_fd, rqi_pool **ret, refq_error *err);

/* Hands a run to a thread; it comes back through rqi_pool_take(). */
refq_err rqi_pool_add(rqi_pool *pool, rqi_run *run);

/* Moves the runs that have ended to the end of `ended`. */
void rqi_pool_take(rqi_pool *pool, struct rqi_runs *ended);

/* Joins the threads once their handlers have returned, and frees. NULL is fine. */
void rqi_pool_free(rqi_pool *pool);

#endif
