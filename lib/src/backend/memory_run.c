/* SPDX-License-Identifier: MIT */
/*
 * Which task runs next, and what comes of it.
 *
 * DESIGN. A slot belongs to an attempt until its handler has really returned,
 * also when the task has moved on (cancelled, overdue): the attempt is then
 * detached, and what it says is not heard. A task whose own concurrency is used
 * up is put aside (HELD), so that it does not keep others waiting; the first one
 * held goes before what is in the lanes.
 */
#include "backend/memory.h"

#include "base/backoff.h"
#include "entry/compose.h"
#include "inputs/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOST_MS     1000  /* before a task whose end nobody saw is tried again */
#define OVERDUE_MS  10000 /* for a handler to end after its timeout */
#define CRASHES_MAX 3     /* then a task is poison */
#define NO_PROGRAMS "the process that starts programs has died"

static rqi_mem_attempt *attempt_of(rqi_run *run)
{
    return (rqi_mem_attempt *)run; /* its first member */
}

/* --- How it ended ----------------------------------------------------------------------------- */

static void keep_history(rqi_mem_task *t, const rqi_outcome *o, const char *class)
{
    rqi_buf text = {0};
    rqi_outcome_history(o, t->attempt, rqi_mem_now(t->queue->mem), class, t->queue->mem->id, &text);
    char *line = rqi_buf_take(&text, NULL);
    rqi_buf_done(&text);
    if (line == NULL) {
        return;
    }
    if (t->history_n == RQI_MEM_HISTORY) {
        free(t->history[--t->history_n]);
    }
    memmove((void *)(t->history + 1), (void *)t->history, t->history_n * sizeof t->history[0]);
    t->history[0] = line;
    t->history_n++;
}

static void release(rqi_mem_task *t, int64_t delay_ms)
{
    t->releases++;
    t->queue->releases++;
    rqi_mem_enqueue(t, delay_ms);
}

/* The attempt counts: the task is tried again, or has failed. */
static void count_failure(rqi_mem_task *t, const rqi_outcome *o)
{
    bool permanent = o->kind == RQI_PERMANENT;
    const refq_backoff *backoff = &t->kind->handler->def.backoff;
    keep_history(t, o, permanent ? "permanent" : "retryable");
    t->failures++;
    if (permanent || t->failures > (unsigned)rqi_mem_allowed_retries(t)) {
        rqi_mem_end(t, REFQ_FAILED, permanent ? "permanent" : "exhausted", o->error);
        return;
    }
    t->queue->retries++;
    rqi_outcome_short(o->error, t->error);
    rqi_mem_enqueue(t, o->retry_after_ms >= 0 ? o->retry_after_ms
                                              : rqi_backoff_delay(backoff, t->failures - 1));
}

static void complete(rqi_mem_task *t, rqi_outcome *o)
{
    int64_t now = rqi_mem_now(t->queue->mem);
    int64_t ttl = t->kind->handler->def.result_ttl_ms;
    rqi_entry entry = {.value = rqi_buf_bytes(&o->value),
                       .tool_name = t->name,
                       .scope = &t->scope.pub,
                       .created_at_ms = now,
                       .ttl_ms = ttl,
                       .by_task = true};
    rqi_entry_compose(&entry, &t->value);
    if (t->value.err != REFQ_OK) {
        rqi_buf_done(&t->value);
        t->value.err = REFQ_OK;
        rqi_outcome_fail(o, RQI_RETRYABLE, "no memory for a result of %zu bytes", o->value.len);
        count_failure(t, o);
        return;
    }
    if (o->log_tail.len > 0) {
        keep_history(t, o, "done");
    }
    t->expires_at = now + ttl + RQI_ENTRY_SLACK_MS;
    rqi_mem_end(t, REFQ_COMPLETE, NULL, NULL);
}

/* A child process of a C handler died: not the handler's failure, but three of them are enough. */
static void count_crash(rqi_mem_task *t, const rqi_outcome *o)
{
    keep_history(t, o, "crash");
    t->crashes++;
    t->queue->deaths++;
    if (t->crashes >= CRASHES_MAX) {
        rqi_mem_end(t, REFQ_FAILED, "poison", o->error);
        return;
    }
    rqi_outcome_short(o->error, t->error);
    rqi_mem_enqueue(t, rqi_backoff_delay(&t->kind->handler->def.backoff, t->crashes - 1));
}

static void settle(rqi_mem_task *t, rqi_mem_attempt *a)
{
    rqi_outcome *o = &a->run.outcome;
    bool program = a->kind->handler->kind == RQI_HANDLER_EXEC || a->kind->handler->def.child;
    rqi_mem_detach(t, RQI_STOP_NONE);
    if (rqi_mem_inputs_park(t, a)) {
        return;
    }
    if (o->kind == RQI_DONE) {
        complete(t, o);
    } else if (program && t->queue->mem->programs_broken) {
        rqi_outcome_fail(o, RQI_PERMANENT, "%s", NO_PROGRAMS);
        count_failure(t, o);
    } else if (o->kind == RQI_CANCELLED || o->lost || a->run.stop == RQI_STOP_DRAIN) {
        release(t, o->lost ? LOST_MS : 0);
    } else if (o->kind == RQI_CRASHED) {
        count_crash(t, o);
    } else {
        count_failure(t, o);
    }
}

static void on_done(rqi_run *run)
{
    rqi_mem_attempt *a = attempt_of(run);
    rqi_mem *m = a->queue->mem;
    a->kind->running--;
    a->queue->running--;
    TAILQ_REMOVE(&m->attempts, a, link);
    if (a->task != NULL) {
        a->task->running = NULL; /* there is nothing left to stop */
    }
    if (a->task != NULL && !m->closing) {
        settle(a->task, a);
    }
    rqi_run_clear(run);
    rqi_resolver_free(a->inputs);
    free(a);
    rqi_mem_kick(m);
}

void rqi_mem_overdue(rqi_mem_task *t)
{
    rqi_outcome o = {.retry_after_ms = -1};
    rqi_mem_detach(t, RQI_STOP_FENCED);
    rqi_outcome_fail(&o, RQI_RETRYABLE, "timed out, and its handler did not end");
    count_failure(t, &o);
}

/* --- What it says while it runs --------------------------------------------------------------- */

static void on_progress(rqi_run *run)
{
    rqi_mem_attempt *a = attempt_of(run);
    int64_t current = 0;
    int64_t total = 0;
    char message[65];
    if (!rqi_run_take_progress(run, &current, &total, message) || a->task == NULL) {
        return;
    }
    a->task->has_progress = true;
    a->task->current = current;
    a->task->total = total;
    memcpy(a->task->message, message, sizeof message);
    rqi_mem_changed(a->task);
}

static void on_ask(rqi_run *run, const char *json, size_t len)
{
    rqi_mem_task *t = attempt_of(run)->task;
    if (t == NULL) {
        return;
    }
    free(t->question);
    t->question = json != NULL ? strndup(json, len) : NULL;
    rqi_mem_schedule(t); /* its time stands still while it waits */
    rqi_mem_changed(t);
}

/* --- Starting --------------------------------------------------------------------------------- */

static rqi_mem_attempt *attempt_new(rqi_mem_task *t)
{
    rqi_mem_attempt *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    rqi_run *run = &a->run;
    rqi_run_init(run);
    a->queue = t->queue;
    a->kind = t->kind;
    a->task = t;
    run->handler = t->kind->handler;
    run->ref = t->ref;
    run->number = t->attempt + 1;
    run->timeout_ms = t->timeout_ms;
    run->on_done = on_done;
    run->on_progress = on_progress;
    run->on_ask = on_ask;
    memcpy(run->fence, t->fence, sizeof run->fence);
    memcpy(run->task, t->name, sizeof run->task);
    memcpy(run->traceparent, t->traceparent, sizeof run->traceparent);
    rqi_buf_add(&run->args, t->args.ptr, t->args.len);
    if (run->args.err != REFQ_OK) {
        rqi_run_clear(run);
        free(a);
        return NULL;
    }
    return a;
}

/* False when there is no memory: it is tried again when something else happens. */
static bool start(rqi_mem_task *t)
{
    rqi_mem_queue *q = t->queue;
    rqi_mem *m = q->mem;
    rqi_mem_attempt *a = attempt_new(t);
    if (a == NULL) {
        return false;
    }
    int64_t timeout = t->timeout_ms != 0 ? t->timeout_ms : t->kind->handler->def.timeout_ms;
    t->status = REFQ_PROCESSING;
    t->attempt++;
    t->started_at = rqi_mem_now(m);
    t->start_by = 0;
    t->deadline_at = timeout > 0 ? t->started_at + timeout + OVERDUE_MS : 0;
    t->running = a;
    rqi_mem_move(t, RQI_MEM_RUNNING);
    rqi_mem_log_event(t);
    rqi_mem_changed(t);
    t->kind->running++;
    q->running++;
    TAILQ_INSERT_TAIL(&m->attempts, a, link);
    /* It may be over when this returns. */
    if (t->scope.pub.actor != NULL) {
        rqi_mem_inputs_start(a);
    } else {
        rqi_run_start(m->executor, &a->run);
    }
    return true;
}

static bool is_full(const rqi_mem_kind *kind)
{
    unsigned most = kind->handler->def.concurrency;
    return most != 0 && kind->running >= most;
}

/* The first held task that may run now, of the highest lane; NULL when there is none. */
static rqi_mem_task *next_held(rqi_mem_queue *q)
{
    static const refq_lane order[] = {REFQ_LANE_HIGH, REFQ_LANE_NORMAL, REFQ_LANE_LOW};
    bool any = false;
    for (size_t i = 0; i < q->kinds_n && !any; i++) {
        any = q->kinds[i].held > 0 && !is_full(&q->kinds[i]);
    }
    for (size_t i = 0; any && i < RQI_MEM_LANES; i++) {
        rqi_mem_task *t = NULL;
        TAILQ_FOREACH(t, &q->places[RQI_MEM_HELD], link)
        {
            if (t->lane == order[i] && !is_full(t->kind)) {
                return t;
            }
        }
    }
    return NULL;
}

/* In turns of 8 high, 4 normal, 1 low; what a lane lacks goes to the others. */
static rqi_mem_task *next_ready(rqi_mem_queue *q)
{
    static const refq_lane credits[] = {
        REFQ_LANE_HIGH, REFQ_LANE_NORMAL, REFQ_LANE_HIGH, REFQ_LANE_HIGH,   REFQ_LANE_NORMAL,
        REFQ_LANE_HIGH, REFQ_LANE_LOW,    REFQ_LANE_HIGH, REFQ_LANE_NORMAL, REFQ_LANE_HIGH,
        REFQ_LANE_HIGH, REFQ_LANE_NORMAL, REFQ_LANE_HIGH};
    const unsigned turns = sizeof credits / sizeof credits[0];
    q->turn = (q->turn + 1) % turns;
    const refq_lane order[] = {credits[q->turn], REFQ_LANE_HIGH, REFQ_LANE_NORMAL, REFQ_LANE_LOW};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        rqi_mem_task *t = TAILQ_FIRST(&q->lanes[order[i]]);
        if (t != NULL) {
            return t;
        }
    }
    return NULL;
}

/* Does what is to be done with the next task of the lanes; false when nothing can be done. */
static bool take_ready(rqi_mem_queue *q)
{
    rqi_mem_task *t = next_ready(q);
    if (t == NULL) {
        return false;
    }
    if (t->start_by != 0 && t->start_by <= rqi_mem_now(q->mem)) {
        rqi_mem_end(t, REFQ_FAILED, "expired", "no worker started it in time");
        return true;
    }
    if (t->kind == NULL) {
        rqi_mem_end(t, REFQ_FAILED, "unknown_handler", "no worker offers this task");
        return true;
    }
    if (is_full(t->kind)) {
        t->kind->held++;
        rqi_mem_move(t, RQI_MEM_HELD);
        return true;
    }
    return start(t);
}

bool rqi_mem_start_some(rqi_mem_queue *q)
{
    for (int i = 0; i < RQI_MEM_STEP; i++) {
        if (q->paused || q->running >= q->slots) {
            return false;
        }
        rqi_mem_task *held = next_held(q);
        if (!(held != NULL ? start(held) : take_ready(q))) {
            return false;
        }
    }
    return true;
}
