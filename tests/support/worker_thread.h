/* SPDX-License-Identifier: MIT */
/* A refq_worker that runs on a thread of the test process. */
#ifndef RQT_WORKER_THREAD_H
#define RQT_WORKER_THREAD_H

#include <refq/work.h>

#include <pthread.h>

/* Zeroed at first. */
typedef struct rqt_worker_thread {
    refq_worker *worker; /* borrowed */
    pthread_t thread;
    bool running;   /* from the start to the join; others may read it, only */
    refq_err ended; /* after the join */
} rqt_worker_thread;

/* Returns when the worker has forked, or is over already. */
void rqt_worker_thread_start(rqt_worker_thread *t, refq_worker *worker);

/* Waits for its end; what refq_worker_run() answered. REFQ_OK when it was never started. */
refq_err rqt_worker_thread_join(rqt_worker_thread *t);

/* Stops the worker and waits for its end. */
refq_err rqt_worker_thread_stop(rqt_worker_thread *t);

#endif
