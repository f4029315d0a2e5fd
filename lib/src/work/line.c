/* SPDX-License-Identifier: MIT */
#include "work/line.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rand.h"
#include "work/limits.h"
#include "work/worker.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Attempts --------------------------------------------------------------------------------- */

rqi_attempt *rqi_line_find(rqi_line *line, const char *hex, const char *entry)
{
    rqi_attempt *a = NULL;
    TAILQ_FOREACH(a, &line->held, held)
    {
        if (strcmp(a->run.ref.hex, hex) == 0 &&
            (entry == NULL || strcmp(a->run.fence, entry) == 0)) {
            return a;
        }
    }
    return NULL;
}

void rqi_line_add(rqi_line *line, rqi_attempt *a)
{
    TAILQ_INSERT_TAIL(&line->held, a, held);
    line->held_n++;
}

void rqi_line_drop(rqi_line *line, rqi_attempt *a)
{
    TAILQ_REMOVE(&line->held, a, held);
    line->held_n--;
    rqi_attempt_free(a);
}

void rqi_line_make_ready(rqi_line *line, rqi_attempt *a)
{
    a->state = RQI_ATTEMPT_READY;
    TAILQ_INSERT_TAIL(&line->ready, a, link);
    line->ready_n++;
}

void rqi_line_stop_all(rqi_line *line, rqi_stop_reason why)
{
    rqi_attempt *next = NULL;
    for (rqi_attempt *a = TAILQ_FIRST(&line->held); a != NULL; a = next) {
        next = TAILQ_NEXT(a, held); /* one that waits is gone when it is told */
        rqi_attempt_stop(a, why);
    }
}

/* --- Incarnations ----------------------------------------------------------------------------- */

/* What this incarnation held belongs to others now: nothing of it is reported any more. */
static void forsake_all(rqi_line *line)
{
    rqi_attempt *a = NULL;
    while ((a = TAILQ_FIRST(&line->ready)) != NULL) {
        TAILQ_REMOVE(&line->ready, a, link);
        line->ready_n--;
        rqi_line_drop(line, a);
    }
    line->generation++;
    rqi_line_stop_all(line, RQI_STOP_FENCED);
    line->started = false;
}

void rqi_line_reborn(rqi_line *line)
{
    refq_worker *w = line->worker;
    if (w->draining && !line->started) {
        return; /* known already */
    }
    rqi_log(&w->o.log, REFQ_LOG_WARN, "event=lease_lost worker=%s queue=%s held=%zu action=\"%s\"",
            line->id, line->queue, line->held_n,
            w->draining ? "stop what runs" : "stop what runs, begin anew");
    forsake_all(line);
    if (w->draining) {
        return; /* on its way out: there is nothing to give back, nor a goodbye to say */
    }
    rqi_rand_hex(line->id, REFQ_HEX_LEN / 2);
    line->parked = false;
    line->recount = false;
    line->hungry = true;
    rqi_worker_tell_lease(w);
    rqi_lease_renew(w->lease, line->index, line->id);
    rqi_orders_listen(w->orders, line);
}

/* --- Life ------------------------------------------------------------------------------------- */

refq_err rqi_line_new(refq_worker *w, const char *queue, refq_handlers *handlers, rqi_line **ret,
                      refq_error *err)
{
    rqi_keys keys;
    refq_err rc = rqi_keys_make(w->prefix, queue, &keys, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    line->worker = w;
    line->keys = keys;
    (void)snprintf(line->queue, sizeof line->queue, "%s", queue);
    line->handlers = refq_handlers_ref(handlers);
    rqi_handlers_seal(handlers);
    line->limited = rqi_limits_any(line);
    TAILQ_INIT(&line->held);
    TAILQ_INIT(&line->ready);
    *ret = line;
    return REFQ_OK;
}

bool rqi_line_renew_handlers(rqi_line *line)
{
    refq_worker *w = line->worker;
    pthread_mutex_lock(&w->lock);
    refq_handlers *fresh = line->fresh;
    line->fresh = NULL;
    pthread_mutex_unlock(&w->lock);
    if (fresh == NULL) {
        return false;
    }
    refq_handlers_unref(line->handlers); /* running attempts have references of their own */
    line->handlers = fresh;
    line->limited = rqi_limits_any(line);
    line->unknown = (rqi_unknown){0};
    return true;
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    rqi_line *line = arg;
    (void)fd;
    (void)what;
    line->broken = false;
    rqi_claim_kick(line->worker);
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_claim_now(arg);
}

refq_err rqi_line_open(rqi_line *line, refq_error *err)
{
    struct event_base *base = line->worker->base;
    rqi_rand_hex(line->id, REFQ_HEX_LEN / 2);
    line->hungry = true;
    line->later = evtimer_new(base, on_later, line);
    line->alarm = evtimer_new(base, on_alarm, line);
    if (line->later == NULL || line->alarm == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    return rqi_bell_new(line, &line->bell, err);
}

void rqi_line_close(rqi_line *line)
{
    line->started = false;
    rqi_bell_free(line->bell);
    line->bell = NULL;
}

static void free_event(struct event *ev)
{
    if (ev != NULL) {
        event_free(ev);
    }
}

void rqi_line_free(rqi_line *line)
{
    rqi_attempt *a = NULL;
    if (line == NULL) {
        return;
    }
    while ((a = TAILQ_FIRST(&line->held)) != NULL) {
        rqi_line_drop(line, a);
    }
    free_event(line->later);
    free_event(line->alarm);
    refq_handlers_unref(line->handlers);
    refq_handlers_unref(line->fresh);
    free(line);
}
