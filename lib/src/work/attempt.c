/* SPDX-License-Identifier: MIT */
#include "work/attempt.h"

#include "base/error.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "codec/args.h"
#include "work/ctx.h"
#include "work/pool.h"
#include "work/worker.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rqi_attempt *rqi_attempt_new(refq_worker *worker)
{
    rqi_attempt *a = calloc(1, sizeof *a);
    if (a != NULL) {
        a->worker = worker;
        a->outcome.retry_after_ms = -1;
        atomic_init(&a->stopping, false);
    }
    return a;
}

void rqi_attempt_free(rqi_attempt *a)
{
    if (a->timer != NULL) {
        event_free(a->timer);
    }
    rqi_buf_done(&a->args);
    rqi_buf_done(&a->json);
    rqi_outcome_done(&a->outcome);
    free(a);
}

void rqi_attempt_fail(rqi_attempt *a, rqi_outcome_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    a->outcome.kind = kind;
    (void)vsnprintf(a->outcome.error, sizeof a->outcome.error, fmt, ap);
    va_end(ap);
}

void rqi_attempt_stop(rqi_attempt *a, rqi_stop_reason why)
{
    if (a->stop != RQI_STOP_NONE) {
        return;
    }
    a->stop = why;
    atomic_store(&a->stopping, true);
    if (a->exec != NULL) {
        rqi_exec_cancel(a->exec);
    }
}

/* --- External programs ------------------------------------------------------------------------ */

static void on_exec_progress(void *arg, int64_t current, int64_t total, const char *message)
{
    rqi_worker_progress(arg, current, total, message);
}

/* Without its keeper a worker can run no program: failing tasks for that would burn the retries of
 * the whole queue in seconds. They are given back, and the worker ends. */
static void give_back_without_keeper(rqi_attempt *a)
{
    refq_worker *w = a->worker;
    rqi_attempt_stop(a, RQI_STOP_DRAIN);
    rqi_attempt_fail(a, RQI_CANCELLED, "the process that starts programs has died");
    rqi_worker_attempt_done(a);
    rqi_worker_keeper_lost(w);
}

static void on_exec_done(void *arg, rqi_outcome *outcome)
{
    rqi_attempt *a = arg;
    a->exec = NULL;
    if (rqi_keeper_is_gone(rqi_worker_keeper(a->worker)) && outcome->kind == RQI_RETRYABLE) {
        give_back_without_keeper(a);
        return;
    }
    rqi_outcome_done(&a->outcome);
    a->outcome = *outcome;
    outcome->value = (rqi_buf){0}; /* now ours */
    outcome->log_tail = (rqi_buf){0};
    rqi_worker_attempt_done(a);
}

/* What the arguments lack will lack next time too; what the machine lacks may not. */
static rqi_outcome_kind kind_of(refq_err rc)
{
    return rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT ? RQI_PERMANENT : RQI_RETRYABLE;
}

static void run_exec(rqi_attempt *a)
{
    refq_error err;
    char ref[REFQ_REF_MAX + 1];
    rqi_exec_call call = {
        .def = &a->handler->exec,
        .args = rqi_buf_bytes(&a->json),
        .ref_id = refq_ref_format(&a->ref, ref),
        .fence = a->entry,
        .attempt = a->number,
        .traceparent = a->traceparent[0] != '\0' ? a->traceparent : NULL,
        .timeout_ms = a->timeout_ms,
        .log = rqi_worker_logger(a->worker),
        .on_progress = on_exec_progress,
        .on_done = on_exec_done,
        .arg = a,
    };
    refq_err rc = rqi_exec_start(rqi_worker_keeper(a->worker), &call, &a->exec, &err);
    if (rc == REFQ_ERR_CLOSED) {
        give_back_without_keeper(a);
        return;
    }
    if (rc != REFQ_OK) {
        rqi_attempt_fail(a, kind_of(rc), "%s", err.text);
        rqi_worker_attempt_done(a);
    }
}

/* --- C handlers ------------------------------------------------------------------------------- */

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_attempt_stop(arg, RQI_STOP_TIMEOUT);
}

static void run_function(rqi_attempt *a)
{
    if (a->handler->kind == RQI_HANDLER_INLINE) {
        rqi_ctx_run(a);
        rqi_worker_attempt_done(a);
        return;
    }
    if (a->timeout_ms > 0) {
        struct timeval tv = {.tv_sec = a->timeout_ms / 1000,
                             .tv_usec = a->timeout_ms % 1000 * 1000};
        a->timer = evtimer_new(rqi_worker_base(a->worker), on_timeout, a);
        if (a->timer != NULL) {
            (void)evtimer_add(a->timer, &tv);
        }
    }
    if (rqi_pool_add(rqi_worker_pool(a->worker), a) != REFQ_OK) {
        rqi_attempt_fail(a, RQI_RETRYABLE, "the worker cannot start a thread");
        rqi_worker_attempt_done(a);
    }
}

/* --- Start ------------------------------------------------------------------------------------ */

static refq_err decode_args(rqi_attempt *a, refq_error *err)
{
    if (a->args.len == 0 || a->args.ptr[0] != 'm') {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the arguments are gone or of a format this version "
                        "does not know");
    }
    refq_bytes packed = {.ptr = a->args.ptr + 1, .len = a->args.len - 1};
    return rqi_args_decode(packed, &a->json, err);
}

void rqi_attempt_run(rqi_attempt *a)
{
    refq_error err;
    a->state = RQI_ATTEMPT_RUNNING;
    if (a->handler == NULL) {
        rqi_worker_attempt_done(a); /* reported as a release */
        return;
    }
    /* An inline handler is for tiny work: it decodes only when it asks. */
    if (a->handler->kind != RQI_HANDLER_INLINE && decode_args(a, &err) != REFQ_OK) {
        rqi_attempt_fail(a, RQI_PERMANENT, "undecodable arguments: %s", err.text);
        rqi_worker_attempt_done(a);
        return;
    }
    if (a->timeout_ms == 0) {
        a->timeout_ms = a->handler->def.timeout_ms;
    }
    if (a->handler->kind == RQI_HANDLER_EXEC) {
        run_exec(a);
    } else {
        run_function(a);
    }
}
