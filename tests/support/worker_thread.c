/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A worker forks when it begins, and its handlers' processes descend from
 * that fork. If another thread of the test held a lock of AddressSanitizer at that
 * moment, it would be locked in them for ever (glibc's own would not). So a test
 * goes on only when the fork is over. Its end shows in the number of forks of the
 * process, the only thing that can be seen from outside.
 */
#include "support/worker_thread.h"

#include "support/wait.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int events; /* forks of this process, and ends of workers */

static void count(void)
{
    (void)atomic_fetch_add(&events, 1);
}

static void watch_forks(void)
{
    ck_assert_int_eq(pthread_atfork(NULL, count, NULL), 0);
}

static void *run(void *arg)
{
    refq_error err = {0};
    rqt_worker_thread *t = arg;
    t->ended = refq_worker_run(t->worker, &err);
    count();
    if (t->ended != REFQ_OK) {
        (void)fprintf(stderr, "worker: %s\n", err.text);
    }
    return NULL;
}

void rqt_worker_thread_start(rqt_worker_thread *t, refq_worker *worker)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch_forks);
    int before = atomic_load(&events);
    *t = (rqt_worker_thread){.worker = worker, .running = true};
    ck_assert_int_eq(pthread_create(&t->thread, NULL, run, t), 0);
    ck_assert(RQT_UNTIL(atomic_load(&events) != before, 10000));
}

refq_err rqt_worker_thread_join(rqt_worker_thread *t)
{
    if (t->running) {
        (void)pthread_join(t->thread, NULL);
        t->running = false;
    }
    return t->ended;
}

refq_err rqt_worker_thread_stop(rqt_worker_thread *t)
{
    if (t->running) {
        refq_worker_stop(t->worker);
    }
    return rqt_worker_thread_join(t);
}
