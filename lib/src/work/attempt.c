/* SPDX-License-Identifier: MIT */
#include "work/attempt.h"

#include "run/executor.h"
#include "work/worker.h"

#include <event2/event.h>
#include <stdlib.h>

static rqi_attempt *attempt_of(rqi_run *run)
{
    return (rqi_attempt *)run; /* its first member */
}

static void on_done(rqi_run *run)
{
    rqi_worker_attempt_done(attempt_of(run));
}

static void on_progress(rqi_run *run)
{
    rqi_attempt *a = attempt_of(run);
    a->has_progress = true;
    a->worker->progress_any = true;
    rqi_claim_kick(a->worker);
}

rqi_attempt *rqi_attempt_new(refq_worker *worker)
{
    rqi_attempt *a = calloc(1, sizeof *a);
    if (a != NULL) {
        rqi_run_init(&a->run);
        a->run.on_done = on_done;
        a->run.on_progress = on_progress;
        a->worker = worker;
    }
    return a;
}

void rqi_attempt_free(rqi_attempt *a)
{
    if (a->timer != NULL) {
        event_free(a->timer);
    }
    rqi_run_clear(&a->run);
    refq_handlers_unref(a->handlers);
    free(a);
}

void rqi_attempt_run(rqi_attempt *a)
{
    a->state = RQI_ATTEMPT_RUNNING;
    if (a->run.handler == NULL) {
        rqi_worker_attempt_done(a); /* reported as a release */
        return;
    }
    rqi_run_start(a->worker->executor, &a->run);
}
