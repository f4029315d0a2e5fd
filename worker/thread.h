/* SPDX-License-Identifier: MIT */
/* Threads of the daemon. */
#ifndef REFQ_WORKER_THREAD_H
#define REFQ_WORKER_THREAD_H

#include <refq/error.h>

#include <pthread.h>

/* Starts a thread that takes no signals. */
refq_err rqi_thread_start(pthread_t *ret, void *(*run)(void *), void *arg, refq_error *err);

#endif
