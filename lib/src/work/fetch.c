/* SPDX-License-Identifier: MIT */
#include "work/fetch.h"

#include "work/worker.h"

#include <event2/event.h>

#define PAUSE_S 1 /* before what could not be fetched is asked for again */

void rqi_fetch_end(rqi_attempt *a, const char *what, const refq_error *err)
{
    rqi_run_fail(&a->run, RQI_RETRYABLE, "%s could not be fetched: %s", what,
                 err != NULL && a->run.stop == RQI_STOP_NONE ? err->text : "stopped");
    rqi_worker_attempt_done(a);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    rqi_attempt *a = arg;
    (void)fd;
    (void)what;
    event_free(a->timer);
    a->timer = NULL;
    if (a->run.stop != RQI_STOP_NONE) {
        rqi_fetch_end(a, "what it needs", NULL);
        return;
    }
    a->again(a);
}

bool rqi_fetch_later(rqi_attempt *a, const refq_error *err, void (*again)(rqi_attempt *a))
{
    if (!refq_err_retryable(err->code) || a->run.stop != RQI_STOP_NONE) {
        return false;
    }
    a->again = again;
    a->timer = evtimer_new(a->line->worker->base, on_pause_over, a);
    if (a->timer == NULL) {
        return false;
    }
    struct timeval pause = {.tv_sec = PAUSE_S};
    (void)evtimer_add(a->timer, &pause);
    return true;
}
