/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The handler only calls refq_worker_stop(), which is made for it.
 * SIGHUP is ignored, so that a worker survives the terminal it was started
 * from; the signal stays free for reloading the task file.
 */
#include "signals.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static refq_worker *_Atomic attached;

static const int stop_signals[] = {SIGTERM, SIGINT};
static const int ignored_signals[] = {SIGPIPE, SIGHUP};

static void on_stop(int signal)
{
    (void)signal;
    int saved = errno;
    refq_worker *worker = atomic_load(&attached);
    if (worker != NULL) {
        refq_worker_stop(worker);
    }
    errno = saved;
}

static refq_err handle(const int *signals, size_t n, void (*handler)(int), refq_error *err)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < n; i++) {
        if (sigaction(signals[i], &action, NULL) != 0) {
            return rqi_fail(err, REFQ_ERR_INTERNAL, "cannot set up signal %d: %s", signals[i],
                            strerror(errno));
        }
    }
    return REFQ_OK;
}

refq_err rqi_signals_ignore(refq_error *err)
{
    return handle(ignored_signals, sizeof ignored_signals / sizeof ignored_signals[0], SIG_IGN,
                  err);
}

refq_err rqi_signals_attach(refq_worker *worker, refq_error *err)
{
    atomic_store(&attached, worker);
    return handle(stop_signals, sizeof stop_signals / sizeof stop_signals[0], on_stop, err);
}

void rqi_signals_detach(void)
{
    (void)handle(stop_signals, sizeof stop_signals / sizeof stop_signals[0], SIG_IGN, NULL);
    atomic_store(&attached, NULL);
}
