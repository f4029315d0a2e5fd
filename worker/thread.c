/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include "base/error.h"

#include <signal.h>
#include <string.h>

refq_err rqi_thread_start(pthread_t *ret, void *(*run)(void *), void *arg, refq_error *err)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(ret, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot start a thread: %s", strerror(failed));
    }
    return REFQ_OK;
}
