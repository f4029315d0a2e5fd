/* SPDX-License-Identifier: MIT */
#include "work/alone.h"

#include "base/log.h"
#include "work/notes.h"
#include "work/worker.h"

#define DEATHS_ALONE 3

bool rqi_alone_must(const rqi_attempt *a)
{
    return a->deaths >= DEATHS_ALONE;
}

bool rqi_alone_wanted(const refq_worker *w)
{
    return w->loner != NULL || !TAILQ_EMPTY(&w->waiting);
}

void rqi_alone_wait(rqi_attempt *a)
{
    refq_worker *w = a->line->worker;
    rqi_log(&w->o.log, REFQ_LOG_WARN,
            "event=runs_alone ref=%s:%s task=%s deaths=%u crashes=%u action=\"wait until nothing "
            "else runs\"",
            a->line->queue, a->run.ref.hex, a->run.task, a->deaths, a->crashes);
    a->state = RQI_ATTEMPT_WAITING;
    TAILQ_INSERT_TAIL(&w->waiting, a, link);
    w->waiting_n++;
    rqi_claim_kick(w);
}

void rqi_alone_look(refq_worker *w)
{
    rqi_attempt *a = TAILQ_FIRST(&w->waiting);
    if (a == NULL || w->loner != NULL || w->claiming > 0 || w->running_n > w->waiting_n) {
        return;
    }
    TAILQ_REMOVE(&w->waiting, a, link);
    w->waiting_n--;
    w->loner = a;
    rqi_note_owe(a, RQI_NOTE_ALONE);
}

void rqi_alone_go(rqi_attempt *a)
{
    if (a->line->worker->loner == a && a->state == RQI_ATTEMPT_WAITING) {
        rqi_attempt_run(a);
    }
}

void rqi_alone_drop(rqi_attempt *a)
{
    refq_worker *w = a->line->worker;
    if (w->loner == a) {
        w->loner = NULL;
    } else if (a->state == RQI_ATTEMPT_WAITING) {
        TAILQ_REMOVE(&w->waiting, a, link);
        w->waiting_n--;
    }
}
