/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The loop publishes a copy of its numbers once per turn, so that whoever
 * asks neither waits for it nor stops it. Whether the loop itself is alive cannot
 * come from the loop: who asks leaves a mark and wakes it, and the mark's age is
 * how long it has not been looking. The lease's thread has a timer, so it shows
 * by being late.
 */
#include "work/health.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

_Static_assert(REFQ_HEALTH_QUEUES == RQI_LINES_MAX, "every queue has its place");

const char *refq_worker_state_name(refq_worker_state state)
{
    static const char *const names[] = {
        [REFQ_STATE_STARTING] = "starting", [REFQ_STATE_RUNNING] = "running",
        [REFQ_STATE_QUIET] = "quiet",       [REFQ_STATE_DRAINING] = "draining",
        [REFQ_STATE_ENDED] = "ended",
    };
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

/* --- Counting --------------------------------------------------------------------------------- */

void rqi_health_count(const rqi_attempt *a)
{
    refq_worker_counters *n = &a->line->counters;
    if (a->phantom || a->after.len > 0) {
        return; /* it was never run here */
    }
    if (a->run.stop == RQI_STOP_CANCELLED || a->run.stop == RQI_STOP_FENCED) {
        n->cancelled++;
    } else if (a->run.handler != NULL && a->run.outcome.kind == RQI_DONE) {
        n->done++;
    } else if (a->run.handler == NULL || a->run.stop == RQI_STOP_DRAIN ||
               a->run.outcome.kind == RQI_CANCELLED || a->run.outcome.lost) {
        n->released++;
    } else if (a->run.outcome.kind == RQI_CRASHED) {
        n->crashed++;
    } else {
        n->failed++;
    }
}

/* --- Publishing ------------------------------------------------------------------------------- */

static refq_worker_state state_of(const refq_worker *w)
{
    size_t quiet = 0;
    size_t registered = 0;
    for (size_t i = 0; i < w->lines_n; i++) {
        quiet += w->lines[i]->quiet;
        registered += w->lines[i]->registered;
    }
    if (w->draining) {
        return REFQ_STATE_DRAINING;
    }
    if (registered < w->lines_n) {
        return REFQ_STATE_STARTING;
    }
    return w->quiet || quiet == w->lines_n ? REFQ_STATE_QUIET : REFQ_STATE_RUNNING;
}

static void fill_queue(const rqi_line *line, refq_health_queue *ret)
{
    memcpy(ret->queue, line->queue, sizeof ret->queue);
    memcpy(ret->worker, line->id, sizeof ret->worker);
    ret->started = line->started;
    ret->quiet = line->quiet || line->worker->quiet;
    ret->claiming = (unsigned)line->claiming;
    ret->running = (unsigned)line->running_n;
    ret->held = (unsigned)line->held_n;
    ret->stuck = (unsigned)line->stuck_n;
    ret->counters = line->counters;
}

void rqi_health_publish(refq_worker *w)
{
    refq_health *h = &w->health;
    refq_worker_state state = state_of(w);
    pthread_mutex_lock(&w->lock);
    bool changed = h->state != state;
    h->state = state;
    h->connected = w->conn != NULL && rqi_conn_is_up(w->conn);
    h->slots = w->o.concurrency;
    h->queues_n = w->lines_n;
    for (size_t i = 0; i < w->lines_n; i++) {
        fill_queue(w->lines[i], &h->queues[i]);
    }
    w->asked_ms = 0;
    pthread_mutex_unlock(&w->lock);
    if (changed && w->o.on_state != NULL) {
        w->o.on_state(w->o.on_state_arg, state);
    }
}

void rqi_health_open(refq_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->health_on = true;
    w->health.lease_ms = w->o.lease_ms;
    pthread_mutex_unlock(&w->lock);
    rqi_health_publish(w);
}

void rqi_health_close(refq_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->health_on = false;
    w->health.state = REFQ_STATE_ENDED;
    w->health.connected = false;
    pthread_mutex_unlock(&w->lock);
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void add(refq_worker_counters *sum, const refq_worker_counters *n)
{
    sum->claimed += n->claimed;
    sum->done += n->done;
    sum->failed += n->failed;
    sum->cancelled += n->cancelled;
    sum->released += n->released;
    sum->crashed += n->crashed;
}

static void add_up(refq_health *h)
{
    for (size_t i = 0; i < h->queues_n; i++) {
        h->running += h->queues[i].running;
        h->stuck += h->queues[i].stuck;
        add(&h->counters, &h->queues[i].counters);
    }
}

/* Under the lock. The lease's own lock is only ever taken inside of it. */
static void add_ages(refq_worker *w, refq_health *h)
{
    int64_t now = rqi_mono_ms();
    w->asked_ms = w->asked_ms != 0 ? w->asked_ms : now;
    h->loop_silent_ms = now - w->asked_ms;
    h->lease_late_ms = rqi_lease_late_ms(w->lease);
    for (size_t i = 0; i < h->queues_n; i++) {
        int64_t last = rqi_lease_last_ms(w->lease, (unsigned)i);
        h->queues[i].beat_age_ms = last != 0 ? now - last : -1;
    }
}

void refq_worker_health(refq_worker *w, refq_health *ret)
{
    pthread_mutex_lock(&w->lock);
    *ret = w->health;
    bool on = w->health_on;
    if (on) {
        add_ages(w, ret);
    }
    pthread_mutex_unlock(&w->lock);
    add_up(ret);
    if (on) {
        rqi_worker_wake(w);
    }
}
