/* SPDX-License-Identifier: MIT */
#include "work/worker.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "work/alone.h"
#include "work/drain.h"
#include "work/health.h"
#include "work/notices.h"
#include "work/stuck.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- What the parts ask ----------------------------------------------------------------------- */

int64_t rqi_worker_server_ms(const refq_worker *w)
{
    return rqi_mono_ms() + w->clock_offset_ms;
}

static const char *state_of(const rqi_line *line)
{
    if (line->worker->draining) {
        return "draining";
    }
    return rqi_claim_is_off(line) ? "quiet" : "running";
}

/* What the next beat says must agree with what Redis counts: attempts, phantoms excluded. */
void rqi_worker_tell_lease(refq_worker *w)
{
    rqi_stuck_look(w);
    for (size_t i = 0; w->lease != NULL && i < w->lines_n; i++) {
        const rqi_line *line = w->lines[i];
        const rqi_lease_words words = {
            .state = state_of(line), .running = line->held_n, .stuck = line->stuck_n};
        rqi_lease_say(w->lease, line->index, &words);
    }
}

void rqi_worker_attempt_done(rqi_attempt *a)
{
    rqi_line *line = a->line;
    refq_worker *w = line->worker;
    rqi_health_count(a);
    if (!a->phantom) {
        line->running_n--;
        w->running_n--;
    }
    if (a == w->loner) {
        rqi_alone_drop(a);
    }
    if (a->timer != NULL) {
        (void)evtimer_del(a->timer);
    }
    /* What lies on a shelf because of the task's limit may be taken now. */
    line->hungry = line->hungry || (line->limited && !a->phantom);
    if (a->generation != line->generation) {
        rqi_line_drop(line, a); /* nobody waits for a dead incarnation's report */
    } else {
        rqi_line_make_ready(line, a);
    }
    rqi_claim_kick(w);
}

static void wake(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    (void)n;
}

void rqi_worker_wake(refq_worker *w)
{
    wake(w->notify_fd);
}

void rqi_worker_fail(refq_worker *w, const refq_error *err)
{
    w->failed = *err;
    (void)event_base_loopbreak(w->base);
}

void refq_worker_stop(refq_worker *worker)
{
    wake(worker->fd_stop);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void on_notify(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    uint64_t count = 0;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n;
    (void)what;
    rqi_notices_take(w);
    rqi_claim_kick(w);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    uint64_t count = 0;
    ssize_t n = read(fd, &count, sizeof count);
    (void)what;
    rqi_drain_ask(arg, n == (ssize_t)sizeof count ? (unsigned)count : 1);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_drain_deadline(arg);
}

static void on_broken(void *arg)
{
    rqi_drain_broken(arg);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    (void)fd;
    (void)what;
    if (w->conn == NULL) {
        return; /* the last turn, after the end */
    }
    rqi_claim_look(w);
    rqi_worker_tell_lease(w);
    rqi_health_publish(w);
    if (w->draining) {
        rqi_drain_look(w);
    }
}

/* --- Running ---------------------------------------------------------------------------------- */

static refq_err make_events(refq_worker *w, refq_error *err)
{
    w->base = event_base_new();
    if (w->base == NULL || w->notify_fd < 0 || w->fd_stop < 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    w->notify = event_new(w->base, w->notify_fd, EV_READ | EV_PERSIST, on_notify, w);
    w->stop = event_new(w->base, w->fd_stop, EV_READ | EV_PERSIST, on_stop, w);
    w->kick = evtimer_new(w->base, on_kick, w);
    w->deadline = evtimer_new(w->base, on_deadline, w);
    if (w->notify == NULL || w->stop == NULL || w->kick == NULL || w->deadline == NULL ||
        event_add(w->notify, NULL) != 0 || event_add(w->stop, NULL) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    return REFQ_OK;
}

static refq_err make_executor(refq_worker *w, refq_error *err)
{
    const rqi_executor_options options = {.base = w->base,
                                          .threads = w->o.concurrency,
                                          .programs =
                                              true, /* any task may come to need a process */
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
        rc = rqi_orders_new(w, &w->orders, err);
    }
    for (size_t i = 0; rc == REFQ_OK && i < w->lines_n; i++) {
        rc = rqi_line_open(w->lines[i], err);
    }
    return rc;
}

static refq_err start_lease(refq_worker *w, refq_error *err)
{
    const rqi_lease_options options = {.url = &w->url,
                                       .log = &w->o.log,
                                       .lease_ms = w->o.lease_ms,
                                       .beat_ms = w->o.beat_ms,
                                       .record_ttl_ms = w->o.record_ttl_ms,
                                       .slots = w->o.concurrency,
                                       .notify_fd = w->notify_fd};
    rqi_lease_line lines[RQI_LINES_MAX];
    for (size_t i = 0; i < w->lines_n; i++) {
        const rqi_line *line = w->lines[i];
        lines[i] = (rqi_lease_line){&line->keys, line->handlers, line->id};
    }
    return rqi_lease_start(&options, lines, w->lines_n, &w->lease, err);
}

/* Order matters: the executor forks, so it is made before any thread; the lease comes last because
 * it makes the worker visible. */
static refq_err start(refq_worker *w, refq_error *err)
{
    refq_err (*const steps[])(refq_worker *, refq_error *) = {make_events, make_executor,
                                                              open_connections, start_lease};
    refq_err rc = REFQ_OK;
    for (size_t i = 0; rc == REFQ_OK && i < sizeof steps / sizeof steps[0]; i++) {
        rc = steps[i](w, err);
    }
    if (rc == REFQ_OK) {
        rqi_health_open(w);
    }
    return rc;
}

static void free_event(struct event **ev)
{
    if (*ev != NULL) {
        event_free(*ev);
        *ev = NULL;
    }
}

/* libevent finishes freeing a connection, and late errors reach their callbacks, in a turn of the
 * loop: one more, in which nothing is begun any more. */
static void run_what_is_deferred(refq_worker *w)
{
    struct event *quiet[] = {w->notify, w->stop, w->deadline, w->kick};
    for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++) {
        if (quiet[i] != NULL) {
            (void)event_del(quiet[i]);
        }
    }
    if (w->base != NULL) {
        (void)event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
}

static void close_connections(refq_worker *w)
{
    for (size_t i = 0; i < w->lines_n; i++) {
        rqi_line_close(w->lines[i]);
    }
    rqi_orders_free(w->orders);
    w->orders = NULL;
    rqi_conn_free(w->conn);
    w->conn = NULL;
}

static void free_lines(refq_worker *w)
{
    for (size_t i = 0; i < w->lines_n; i++) {
        rqi_line_free(w->lines[i]);
    }
    w->lines_n = 0;
}

/* Undoes start(), also a half-done one. */
static void stop_parts(refq_worker *w)
{
    struct event **events[] = {&w->notify, &w->stop, &w->kick, &w->deadline};
    rqi_health_close(w);
    rqi_lease_stop(w->lease);
    w->lease = NULL;
    if (w->executor != NULL) {
        rqi_executor_stop(w->executor);
    }
    close_connections(w);
    run_what_is_deferred(w);
    /* A C handler that ignores being told to stop still uses its attempt and thread: both are left
     * alone, for the process is about to end. */
    if (w->executor != NULL && rqi_executor_busy(w->executor) > 0) {
        rqi_log(&w->o.log, REFQ_LOG_ERROR, "event=stuck_handlers running=%zu", w->running_n);
        w->stuck = true;
        return;
    }
    free_lines(w);
    rqi_executor_free(w->executor);
    w->executor = NULL;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        free_event(events[i]);
    }
    if (w->base != NULL) {
        event_base_free(w->base);
        w->base = NULL;
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
    if (w->lines_n == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "a worker that serves no queue has nothing to do; call "
                        "refq_worker_serve()");
    }
    block_sigpipe(&before);
    refq_err rc = start(w, err);
    if (rc == REFQ_OK) {
        (void)event_base_loop(w->base, EVLOOP_NO_EXIT_ON_EMPTY);
        if (w->failed.code != REFQ_OK) {
            rc = w->failed.code;
            if (err != NULL) {
                *err = w->failed;
            }
        }
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=stopped");
    }
    stop_parts(w);
    restore_sigpipe(&before);
    return rc;
}
