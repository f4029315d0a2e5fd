/* SPDX-License-Identifier: MIT */
#include "work/worker.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "work/alone.h"
#include "work/health.h"
#include "work/stuck.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AFTER_GRACE_MS 15000 /* for cancelled programs to end and reports to be taken */

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

static void stop_all(refq_worker *w, rqi_stop_reason why)
{
    for (size_t i = 0; i < w->lines_n; i++) {
        rqi_line_stop_all(w->lines[i], why);
    }
}

/* --- What other threads say ------------------------------------------------------------------- */

static void ignore_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    (void)arg;
    (void)err;
    (void)reply;
}

/* With every incarnation: a server that forgot the last one has forgotten this too. */
static void announce_queue(rqi_line *line)
{
    refq_worker *w = line->worker;
    rqi_key key;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "SADD");
    rqi_cmd_adds(&w->cmd, rqi_key_queues(line->keys.prefix, key));
    rqi_cmd_adds(&w->cmd, line->queue);
    rqi_conn_send(w->conn, &w->cmd, 0, ignore_reply, NULL);
}

static void begin_claims(rqi_line *line)
{
    refq_worker *w = line->worker;
    line->started = true;
    line->registered = true;
    announce_queue(line);
    rqi_log(&w->o.log, REFQ_LOG_INFO, "event=started worker=%s queue=%s slots=%u tasks=%zu",
            line->id, line->queue, w->o.concurrency, rqi_handlers_count(line->handlers));
}

static void take_orders(rqi_line *line, const rqi_notice *notice)
{
    static const char answer[] = "answer:";
    for (size_t i = 0; i < notice->orders_n; i++) {
        const char *order = notice->orders[i];
        bool is_answer = strncmp(order, answer, sizeof answer - 1) == 0;
        const char *hex = is_answer ? order + sizeof answer - 1 : order;
        if (strlen(hex) == REFQ_HEX_LEN) {
            (is_answer ? rqi_orders_answer : rqi_orders_cancel)(line, hex);
        }
    }
    if (notice->beaten) {
        rqi_orders_standing(line, notice->standing);
    }
}

static void take_notice(rqi_line *line)
{
    refq_worker *w = line->worker;
    rqi_notice notice;
    if (!rqi_lease_take(w->lease, line->index, &notice)) {
        return;
    }
    if (notice.failed.code != REFQ_OK && !line->started) {
        rqi_worker_fail(w, &notice.failed);
        return;
    }
    if (notice.gone) {
        rqi_line_reborn(line);
        if (!w->draining) {
            return;
        }
    }
    if (notice.started) {
        begin_claims(line);
    }
    line->ended = line->ended || (notice.ended && line->saying_bye);
    line->recount = line->recount || notice.recount;
    take_orders(line, &notice);
}

static void take_reload(rqi_line *line)
{
    refq_worker *w = line->worker;
    if (rqi_line_renew_handlers(line)) {
        rqi_lease_offer(w->lease, line->index, line->handlers);
        line->hungry = true;
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=reloaded queue=%s tasks=%zu", line->queue,
                rqi_handlers_count(line->handlers));
    }
}

static void take_quiet(refq_worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool quiet = w->quiet_asked;
    pthread_mutex_unlock(&w->lock);
    if (quiet != w->quiet) {
        w->quiet = quiet;
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=%s running=%zu", quiet ? "quiet" : "resumed",
                w->running_n);
        for (size_t i = 0; i < w->lines_n; i++) {
            w->lines[i]->hungry = true;
        }
    }
}

static void on_notify(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    uint64_t count = 0;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n;
    (void)what;
    take_quiet(w);
    for (size_t i = 0; i < w->lines_n; i++) {
        take_notice(w->lines[i]);
        take_reload(w->lines[i]);
    }
    rqi_claim_kick(w);
}

void refq_worker_quiet(refq_worker *worker, bool quiet)
{
    pthread_mutex_lock(&worker->lock);
    worker->quiet_asked = quiet;
    pthread_mutex_unlock(&worker->lock);
    rqi_worker_wake(worker);
}

/* --- Stopping --------------------------------------------------------------------------------- */

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

static void end_when_done(refq_worker *w)
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

void rqi_worker_drain(refq_worker *w)
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

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    uint64_t count = 0;
    ssize_t n = read(fd, &count, sizeof count);
    (void)what;
    w->stops += n == (ssize_t)sizeof count ? (unsigned)count : 1;
    rqi_worker_drain(w);
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
static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    refq_worker *w = arg;
    (void)fd;
    (void)what;
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
    rqi_log(&w->o.log, REFQ_LOG_ERROR, "event=keeper_lost held=%zu", held_by_all(w));
    w->draining = true; /* at once: nothing more may be claimed */
    rqi_claim_arm(w->deadline, w->o.grace_ms);
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
    if (w->conn == NULL) {
        return; /* the last turn, after the end */
    }
    rqi_claim_look(w);
    rqi_worker_tell_lease(w);
    rqi_health_publish(w);
    if (w->draining) {
        end_when_done(w);
    }
}

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
