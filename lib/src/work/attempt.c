/* SPDX-License-Identifier: MIT */
#include "work/attempt.h"

#include "work/alone.h"
#include "work/inputs.h"
#include "work/notes.h"
#include "work/worker.h"

#include <event2/event.h>
#include <stdlib.h>

#define DEADLINE_TOLD_MS                                                    \
    2000 /* an attempt that lives so long tells Redis when it will time out \
          */

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
    rqi_note_owe(attempt_of(run), RQI_NOTE_PROGRESS);
}

static void on_ask(rqi_run *run, const char *json, size_t len)
{
    rqi_attempt *a = attempt_of(run);
    if (json == NULL) {
        rqi_note_forget(a, RQI_NOTE_ASK);
        rqi_note_owe(a, RQI_NOTE_ANSWERED); /* nobody waits for it any more */
        return;
    }
    rqi_buf_clear(&a->question);
    rqi_buf_add(&a->question, json, len);
    rqi_note_owe(a, RQI_NOTE_ASK);
}

rqi_attempt *rqi_attempt_new(rqi_line *line)
{
    rqi_attempt *a = calloc(1, sizeof *a);
    if (a != NULL) {
        rqi_run_init(&a->run);
        a->run.on_done = on_done;
        a->run.on_progress = on_progress;
        a->run.on_ask = on_ask;
        a->line = line;
    }
    return a;
}

void rqi_attempt_free(rqi_attempt *a)
{
    if (a->timer != NULL) {
        event_free(a->timer);
    }
    rqi_run_clear(&a->run);
    rqi_buf_done(&a->question);
    rqi_buf_done(&a->after);
    rqi_inputs_free(a->inputs);
    rqi_scope_done(&a->scope);
    refq_handlers_unref(a->handlers);
    free(a);
}

bool rqi_attempt_is_active(const rqi_attempt *a)
{
    return a->state <= RQI_ATTEMPT_RUNNING;
}

static void on_deadline_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_note_owe(arg, RQI_NOTE_DEADLINE);
}

/* Redis is told of the deadline only by attempts that live a while: for short ones a note would
 * cost more than the task. */
static void tell_deadline_later(rqi_attempt *a)
{
    int64_t half = a->run.timeout_ms / 2;
    int64_t ms = half < DEADLINE_TOLD_MS ? half : DEADLINE_TOLD_MS;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    a->timer = evtimer_new(a->line->worker->base, on_deadline_due, a);
    if (a->timer != NULL) {
        (void)evtimer_add(a->timer, &tv);
    }
}

void rqi_attempt_run(rqi_attempt *a)
{
    a->state = RQI_ATTEMPT_RUNNING;
    if (a->run.handler == NULL) {
        rqi_worker_attempt_done(a); /* reported as unknown */
        return;
    }
    int64_t timeout = a->run.timeout_ms > 0 ? a->run.timeout_ms : a->run.handler->def.timeout_ms;
    if (timeout > 0 && a->run.handler->kind != RQI_HANDLER_INLINE) {
        a->run.timeout_ms = timeout;
        tell_deadline_later(a);
    }
    rqi_run_start(a->line->worker->executor, &a->run);
}

void rqi_attempt_stop(rqi_attempt *a, rqi_stop_reason why)
{
    if (!rqi_attempt_is_active(a)) {
        return;
    }
    rqi_run_stop(&a->run, why);
    if (a->state == RQI_ATTEMPT_WAITING) {
        rqi_alone_drop(a);
        rqi_run_fail(&a->run, RQI_CANCELLED, "stopped before it could run alone");
        rqi_worker_attempt_done(a);
    }
}
