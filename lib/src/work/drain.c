/* SPDX-License-Identifier: MIT */
#include "work/drain.h"

#include "base/error.h"
#include "base/log.h"
#include "work/worker.h"

#include <event2/event.h>

#define AFTER_GRACE_MS 15000 /* for cancelled programs to end and reports to be taken */

static void stop_all(refq_worker *w, rqi_stop_reason why)
{
    for (size_t i = 0; i < w->lines_n; i++) {
        rqi_line_stop_all(w->lines[i], why);
    }
}

static void say_bye_when_done(rqi_line *line)
{
    if (line->saying_bye || line->held_n > 0 || line->calls > 0) {
        return;
    }
    line->saying_bye = true;
    if (line->started) {
        rqi_lease_bye(line->worker->lease, line->index);
    } else {
        line->ended = true;
    }
}

void rqi_drain_look(refq_worker *w)
{
    size_t ended = 0;
    for (size_t i = 0; i < w->lines_n; i++) {
        say_bye_when_done(w->lines[i]);
        ended += w->lines[i]->ended;
    }
    if (ended == w->lines_n) {
        (void)event_base_loopbreak(w->base);
    }
}

void rqi_drain_begin(refq_worker *w)
{
    if (w->draining) {
        return;
    }
    w->draining = true;
    rqi_log(&w->o.log, REFQ_LOG_INFO, "event=draining running=%zu grace_ms=%lld", w->running_n,
            (long long)w->o.grace_ms);
    rqi_claim_arm(w->deadline, w->o.grace_ms);
    rqi_claim_kick(w);
}

void rqi_drain_ask(refq_worker *w, unsigned times)
{
    w->stops += times;
    rqi_drain_begin(w);
    if (w->stops > 1) {
        stop_all(w, RQI_STOP_DRAIN);
        rqi_claim_arm(w->deadline, AFTER_GRACE_MS);
        w->stops = 2;
    }
    rqi_claim_kick(w);
}

static size_t held_by_all(const refq_worker *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->lines_n; i++) {
        n += w->lines[i]->held_n;
    }
    return n;
}

/* First the grace has run out, then the patience with what does not end or cannot be reported. */
void rqi_drain_deadline(refq_worker *w)
{
    if (w->stops < 2) {
        w->stops = 2;
        rqi_log(&w->o.log, REFQ_LOG_WARN, "event=grace_over running=%zu", w->running_n);
        stop_all(w, RQI_STOP_DRAIN);
        rqi_claim_arm(w->deadline, AFTER_GRACE_MS);
        return;
    }
    refq_error err;
    (void)rqi_fail(&err, REFQ_ERR_TIMEOUT,
                   "%zu attempts did not end or could not be reported; their tasks run again "
                   "elsewhere when the lease is over",
                   held_by_all(w));
    rqi_worker_fail(w, &err);
}

void rqi_drain_broken(refq_worker *w)
{
    if (w->failed.code != REFQ_OK) {
        return;
    }
    (void)rqi_fail(&w->failed, REFQ_ERR_INTERNAL,
                   "the process that starts programs (refq-keeper) has died; all tasks were given "
                   "back, start the worker again");
    rqi_log(&w->o.log, REFQ_LOG_ERROR, "event=keeper_lost held=%zu", held_by_all(w));
    w->draining = true; /* at once: nothing more may be claimed */
    rqi_claim_arm(w->deadline, w->o.grace_ms);
    rqi_claim_kick(w);
}
