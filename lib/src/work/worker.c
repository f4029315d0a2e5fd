/* SPDX-License-Identifier: MIT */
#include "work/worker.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rand.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define AFTER_GRACE_MS 15000 /* for cancelled programs to end and reports to be taken */

/* --- What the parts ask ----------------------------------------------------------------------- */

int64_t rqi_worker_server_ms(const refq_worker *w)
{
    return rqi_mono_ms() + w->clock_offset_ms;
}

rqi_attempt *rqi_worker_find(refq_worker *w, const char *hex, const char *entry_or_null)
{
    rqi_attempt *a = NULL;
    TAILQ_FOREACH(a, &w->held, held)
    {
        if (strcmp(a->run.ref.hex, hex) == 0 &&
            (entry_or_null == NULL || strcmp(a->run.fence, entry_or_null) == 0)) {
            return a;
        }
    }
    return NULL;
}

/* What the next beat says must agree with what Redis counts: attempts, phantoms excluded. */
static void tell_lease(refq_worker *w)
{
    if (w->lease != NULL) {
        rqi_lease_say(w->lease, w->held_n, w->draining);
    }
}

void rqi_worker_add(refq_worker *w, rqi_attempt *a)
{
    TAILQ_INSERT_TAIL(&w->held, a, held);
    w->held_n++;
}

void rqi_worker_drop(refq_worker *w, rqi_attempt *a)
{
    TAILQ_REMOVE(&w->held, a, held);
    w->held_n--;
    rqi_attempt_free(a);
}

void rqi_worker_attempt_done(rqi_attempt *a)
{
    refq_worker *w = a->worker;
    if (!a->phantom) {
        w->running_n--;
    }
    if (a->generation != w->generation) {
        rqi_worker_drop(w, a); /* nobody waits for a dead incarnation's report */
    } else {
        a->state = RQI_ATTEMPT_READY;
        TAILQ_INSERT_TAIL(&w->ready, a, link);
        w->ready_n++;
    }
    rqi_claim_kick(w);
}

static void wake(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    (void)n;
}

void rqi_worker_fail(refq_worker *w, const refq_error *err)
{
    w->failed = *err;
    (void)event_base_loopbreak(w->base);
}

static void stop_all(refq_worker *w, rqi_stop_reason why)
{
    rqi_attempt *a = NULL;
    TAILQ_FOREACH(a, &w->held, held)
    {
        if (a->state == RQI_ATTEMPT_LOADING || a->state == RQI_ATTEMPT_RUNNING) {
            rqi_run_stop(&a->run, why);
        }
    }
}

/* --- Incarnations ----------------------------------------------------------------------------- */

/* What this incarnation held belongs to others now: nothing of it is reported any more. */
static void forsake_all(refq_worker *w)
{
    rqi_attempt *a = NULL;
    while ((a = TAILQ_FIRST(&w->ready)) != NULL) {
        TAILQ_REMOVE(&w->ready, a, link);
        w->ready_n--;
        rqi_worker_drop(w, a);
    }
    w->generation++;
    stop_all(w, RQI_STOP_FENCED);
    w->started = false;
}

void rqi_worker_reborn(refq_worker *w)
{
    if (w->draining && !w->started) {
        return; /* known already */
    }
    rqi_log(&w->o.log, REFQ_LOG_WARN, "event=lease_lost worker=%s held=%zu action=\"%s\"", w->id,
            w->held_n, w->draining ? "stop what runs" : "stop what runs, begin anew");
    forsake_all(w);
    if (w->draining) {
        return; /* on its way out: there is nothing to give back, nor a goodbye to say */
    }
    rqi_rand_hex(w->id, REFQ_HEX_LEN / 2);
    w->parked = false;
    w->recount = false;
    w->hungry = true;
    tell_lease(w);
    rqi_lease_renew(w->lease, w->id);
    rqi_orders_renew(w->orders);
}

static void ignore_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    (void)arg;
    (void)err;
    (void)reply;
}

/* With every incarnation: a server that forgot the last one has forgotten this too. */
static void announce_queue(refq_worker *w)
{
    rqi_key key;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "SADD");
    rqi_cmd_adds(&w->cmd, rqi_key_queues(w->keys.prefix, key));
    rqi_cmd_adds(&w->cmd, w->queue);
    rqi_conn_send(w->conn, &w->cmd, 0, ignore_reply, NULL);
}

static void take_notice(refq_worker *w)
{
    rqi_notice notice;
    rqi_lease_take(w->lease, &notice);
    if (notice.failed.code != REFQ_OK && !w->started) {
        rqi_worker_fail(w, &notice.failed);
        return;
    }
    if (notice.gone) {
        rqi_worker_reborn(w);
        if (!w->draining) {
            return;
        }
    }
    if (notice.started) {
        w->started = true;
        announce_queue(w);
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=started worker=%s queue=%s slots=%u tasks=%zu",
                w->id, w->queue, w->o.concurrency, rqi_handlers_count(w->handlers));
    }
    if (notice.ended && w->saying_bye) {
        (void)event_base_loopbreak(w->base);
    }
    w->recount = w->recount || notice.recount;
    for (size_t i = 0; i < notice.orders_n; i++) {
        rqi_orders_cancel(w, notice.orders[i]);
    }
}

static void on_notify(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    uint64_t count = 0;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n;
    (void)what;
    take_notice(w);
    rqi_claim_kick(w);
}

/* --- Stopping --------------------------------------------------------------------------------- */

static void say_bye_when_done(refq_worker *w)
{
    if (!w->draining || w->saying_bye || w->held_n > 0 || w->calls > 0) {
        return;
    }
    w->saying_bye = true;
    if (!w->started) {
        (void)event_base_loopbreak(w->base);
        return;
    }
    rqi_lease_bye(w->lease);
}

static void arm(struct event *ev, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)evtimer_add(ev, &tv);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    uint64_t count = 0;
    ssize_t n = read(fd, &count, sizeof count);
    (void)what;
    w->stops += n == (ssize_t)sizeof count ? (unsigned)count : 1;
    if (!w->draining) {
        w->draining = true;
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=draining running=%zu grace_ms=%lld", w->running_n,
                (long long)w->o.grace_ms);
        arm(w->deadline, w->o.grace_ms);
    }
    if (w->stops > 1) {
        stop_all(w, RQI_STOP_DRAIN);
        arm(w->deadline, AFTER_GRACE_MS);
        w->stops = 2;
    }
    tell_lease(w);
    rqi_claim_kick(w);
}

/* First the grace has run out, then the patience with what does not end or cannot be reported. */
static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    (void)fd;
    (void)what;
    if (w->stops < 2) {
        w->stops = 2;
        rqi_log(&w->o.log, REFQ_LOG_WARN, "event=grace_over running=%zu", w->running_n);
        stop_all(w, RQI_STOP_DRAIN);
        arm(w->deadline, AFTER_GRACE_MS);
        return;
    }
    refq_error err;
    (void)rqi_fail(&err, REFQ_ERR_TIMEOUT,
                   "%zu attempts did not end or could not be reported; their tasks run again "
                   "elsewhere when the lease is over",
                   w->held_n);
    rqi_worker_fail(w, &err);
}

/* The process that starts programs has died: all is given back, and the worker ends. */
static void on_broken(void *arg)
{
    refq_worker *w = arg;
    if (w->failed.code != REFQ_OK) {
        return;
    }
    (void)rqi_fail(&w->failed, REFQ_ERR_INTERNAL,
                   "the process that starts programs (refq-keeper) has died; all tasks were given "
                   "back, start the worker again");
    rqi_log(&w->o.log, REFQ_LOG_ERROR, "event=keeper_lost held=%zu", w->held_n);
    w->draining = true; /* at once: nothing more may be claimed */
    arm(w->deadline, w->o.grace_ms);
    rqi_claim_kick(w);
}

void refq_worker_stop(refq_worker *worker)
{
    wake(worker->fd_stop);
}

/* --- Running ---------------------------------------------------------------------------------- */

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    (void)fd;
    (void)what;
    rqi_claim_look(w);
    tell_lease(w);
    say_bye_when_done(w);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    w->broken = false;
    on_kick(fd, what, arg);
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_claim_now(arg);
}

static refq_err make_events(refq_worker *w, refq_error *err)
{
    w->base = event_base_new();
    w->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->base == NULL || w->notify_fd < 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    w->notify = event_new(w->base, w->notify_fd, EV_READ | EV_PERSIST, on_notify, w);
    w->stop = event_new(w->base, w->fd_stop, EV_READ | EV_PERSIST, on_stop, w);
    w->kick = evtimer_new(w->base, on_kick, w);
    w->later = evtimer_new(w->base, on_later, w);
    w->alarm = evtimer_new(w->base, on_alarm, w);
    w->deadline = evtimer_new(w->base, on_deadline, w);
    if (w->notify == NULL || w->stop == NULL || w->kick == NULL || w->later == NULL ||
        w->alarm == NULL || w->deadline == NULL || event_add(w->notify, NULL) != 0 ||
        event_add(w->stop, NULL) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    return REFQ_OK;
}

static refq_err make_executor(refq_worker *w, refq_error *err)
{
    const rqi_executor_options options = {.base = w->base,
                                          .threads = w->o.concurrency,
                                          .programs = rqi_handlers_have_programs(w->handlers),
                                          .log = &w->o.log,
                                          .on_broken = on_broken,
                                          .arg = w};
    return rqi_executor_new(&options, &w->executor, err);
}

static refq_err open_connections(refq_worker *w, refq_error *err)
{
    rqi_conn_options conn = {.base = w->base,
                             .url = &w->url,
                             .name = "refq-worker",
                             .log = &w->o.log,
                             .patient = true,
                             .on_up = rqi_claim_up,
                             .arg = w};
    refq_err rc = rqi_conn_new(&conn, &w->conn, err);
    if (rc == REFQ_OK) {
        rc = rqi_bell_new(w, &w->bell, err);
    }
    if (rc == REFQ_OK) {
        rc = rqi_orders_new(w, &w->orders, err);
    }
    return rc;
}

/* Order matters: the executor forks, so it is made before any thread; the lease comes last because
 * it makes the worker visible. */
static refq_err start(refq_worker *w, refq_error *err)
{
    refq_err rc = make_events(w, err);
    if (rc == REFQ_OK) {
        rc = make_executor(w, err);
    }
    if (rc == REFQ_OK) {
        rc = open_connections(w, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_lease_options lease = {.url = &w->url,
                               .keys = &w->keys,
                               .handlers = w->handlers,
                               .log = &w->o.log,
                               .lease_ms = w->o.lease_ms,
                               .beat_ms = w->o.beat_ms,
                               .record_ttl_ms = w->o.record_ttl_ms,
                               .slots = w->o.concurrency,
                               .notify_fd = w->notify_fd};
    rqi_rand_hex(w->id, REFQ_HEX_LEN / 2);
    return rqi_lease_start(&lease, w->id, &w->lease, err);
}

static void free_event(struct event **ev)
{
    if (*ev != NULL) {
        event_free(*ev);
        *ev = NULL;
    }
}

static void drop_all(refq_worker *w)
{
    rqi_attempt *a = NULL;
    while ((a = TAILQ_FIRST(&w->held)) != NULL) {
        rqi_worker_drop(w, a);
    }
    TAILQ_INIT(&w->ready);
    w->ready_n = 0;
}

/* libevent finishes freeing a connection, and late errors reach their callbacks, in a turn of the
 * loop: one more, in which nothing is begun any more. */
static void run_what_is_deferred(refq_worker *w)
{
    struct event *quiet[] = {w->notify, w->stop, w->deadline};
    for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++) {
        if (quiet[i] != NULL) {
            (void)event_del(quiet[i]);
        }
    }
    w->saying_bye = true;
    if (w->base != NULL) {
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
}

/* Undoes start(), also a half-done one. */
static void stop_parts(refq_worker *w)
{
    struct event **events[] = {&w->notify, &w->stop, &w->kick, &w->later, &w->alarm, &w->deadline};
    rqi_lease_stop(w->lease);
    w->lease = NULL;
    w->started = false;
    if (w->executor != NULL) {
        rqi_executor_stop(w->executor);
    }
    rqi_bell_free(w->bell);
    rqi_orders_free(w->orders);
    w->bell = NULL;
    w->orders = NULL;
    rqi_conn_free(w->conn);
    w->conn = NULL;
    run_what_is_deferred(w);
    /* A C handler that ignores being told to stop still uses its attempt and thread: both are left
     * alone, for the process is about to end. */
    if (w->executor != NULL && rqi_executor_busy(w->executor) > 0) {
        rqi_log(&w->o.log, REFQ_LOG_ERROR, "event=stuck_handlers running=%zu", w->running_n);
        w->stuck = true;
        return;
    }
    drop_all(w);
    rqi_executor_free(w->executor);
    w->executor = NULL;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        free_event(events[i]);
    }
    if (w->base != NULL) {
        event_base_free(w->base);
        w->base = NULL;
    }
    if (w->notify_fd >= 0) {
        (void)close(w->notify_fd);
        w->notify_fd = -1;
    }
}

/* Writing to a server that has just gone away raises SIGPIPE, which would end the program around
 * us. Blocked, it is an error like others; what it left pending is taken away again. */
static void block_sigpipe(sigset_t *ret_before)
{
    sigset_t pipe_only;
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, ret_before);
}

static void restore_sigpipe(const sigset_t *before)
{
    static const struct timespec at_once;
    sigset_t pipe_only;
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    if (sigismember(before, SIGPIPE) == 0) {
        (void)sigtimedwait(&pipe_only, NULL, &at_once);
    }
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

refq_err refq_worker_run(refq_worker *w, refq_error *err)
{
    sigset_t before;
    if (w->handlers == NULL) {
        return rqi_fail(
            err, REFQ_ERR_INVALID,
            "a worker that serves no queue has nothing to do; call refq_worker_serve()");
    }
    block_sigpipe(&before);
    refq_err rc = start(w, err);
    if (rc == REFQ_OK) {
        w->hungry = true;
        (void)event_base_loop(w->base, EVLOOP_NO_EXIT_ON_EMPTY);
        if (w->failed.code != REFQ_OK) {
            rc = w->failed.code;
            if (err != NULL) {
                *err = w->failed;
            }
        }
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=stopped worker=%s", w->id);
    }
    stop_parts(w);
    restore_sigpipe(&before);
    return rc;
}
