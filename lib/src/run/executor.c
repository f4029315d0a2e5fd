/* SPDX-License-Identifier: MIT */
#include "run/executor.h"

#include "base/clock.h"
#include "base/error.h"
#include "codec/args.h"
#include "run/child.h"
#include "run/ctx.h"
#include "run/executor_state.h"
#include "run/pool.h"

#include <event2/event.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- Ends ------------------------------------------------------------------------------------- */

static void end_run(rqi_run *run)
{
    if (run->timer != NULL) {
        (void)evtimer_del(run->timer); /* it ended in time, however late that is told */
    }
    if (run->stop == RQI_STOP_TIMEOUT && run->outcome.kind != RQI_DONE) {
        rqi_run_fail(run, RQI_RETRYABLE, "timed out after %lld ms", (long long)run->timeout_ms);
    }
    rqi_talk_forget(run);
    run->on_done(run);
}

static void on_notify(evutil_socket_t fd, short what, void *arg)
{
    rqi_executor *x = arg;
    uint64_t count = 0;
    struct rqi_runs ended = TAILQ_HEAD_INITIALIZER(ended);
    rqi_run *run = NULL;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n;
    (void)what;
    rqi_talk_tell(x);
    rqi_pool_take(x->pool, &ended);
    while ((run = TAILQ_FIRST(&ended)) != NULL) {
        TAILQ_REMOVE(&ended, run, link);
        x->busy--;
        void (*on_job)(rqi_run *) = run->job != NULL ? run->on_job : end_run;
        run->job = NULL;
        on_job(run);
    }
}

/* --- Processes -------------------------------------------------------------------------------- */

static void on_exec_progress(void *arg, int64_t current, int64_t total, const char *message)
{
    rqi_run_progress(arg, current, total, message);
}

/* Failing runs for a keeper that died would burn the retries of a whole queue in seconds. */
static void end_without_keeper(rqi_run *run)
{
    rqi_executor *x = run->executor;
    rqi_run_stop(run, RQI_STOP_DRAIN);
    rqi_run_fail(run, RQI_CANCELLED, "the process that starts programs has died");
    end_run(run);
    if (x->o.on_broken != NULL) {
        x->o.on_broken(x->o.arg);
    }
}

static void on_exec_done(void *arg, rqi_outcome *outcome)
{
    rqi_run *run = arg;
    run->exec = NULL;
    if (rqi_keeper_is_gone(run->executor->keeper) && outcome->kind == RQI_RETRYABLE) {
        end_without_keeper(run);
        return;
    }
    rqi_outcome_done(&run->outcome);
    run->outcome = *outcome;
    outcome->value = (rqi_buf){0}; /* now ours */
    outcome->log_tail = (rqi_buf){0};
    end_run(run);
}

/* What the arguments lack will lack next time too; what the machine lacks may not. */
static rqi_outcome_kind kind_of(refq_err rc)
{
    return rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT ? RQI_PERMANENT : RQI_RETRYABLE;
}

static refq_err start_program(rqi_run *run, rqi_exec_call *call, refq_error *err)
{
    char ref[REFQ_REF_MAX + 1];
    call->def = &run->handler->exec;
    call->args = rqi_buf_bytes(&run->json);
    call->named = rqi_buf_bytes(&run->named);
    call->ref_id = refq_ref_format(&run->ref, ref);
    call->fence = run->fence;
    call->attempt = run->number;
    call->traceparent = run->traceparent[0] != '\0' ? run->traceparent : NULL;
    return rqi_exec_start(run->executor->keeper, call, &run->exec, err);
}

static refq_err start_child(rqi_run *run, rqi_exec_call *call, refq_error *err)
{
    return rqi_child_start(run->executor->keeper, run, call, &run->exec, err);
}

static void run_process(rqi_run *run, refq_err (*start)(rqi_run *, rqi_exec_call *, refq_error *))
{
    refq_error err;
    rqi_executor *x = run->executor;
    rqi_exec_call call = {
        .timeout_ms = run->timeout_ms,
        .log = x->o.log,
        .on_progress = on_exec_progress,
        .on_ask = run->on_ask != NULL ? rqi_talk_program_asks : NULL,
        .on_done = on_exec_done,
        .arg = run,
    };
    if (x->keeper == NULL) {
        rqi_run_fail(run, RQI_RETRYABLE, "this process runs no external programs");
        end_run(run);
        return;
    }
    refq_err rc = start(run, &call, &err);
    if (rc == REFQ_ERR_CLOSED) {
        end_without_keeper(run);
        return;
    }
    if (rc != REFQ_OK) {
        rqi_run_fail(run, kind_of(rc), "%s", err.text);
        end_run(run);
    }
}

/* --- C handlers ------------------------------------------------------------------------------- */

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_run_stop(arg, RQI_STOP_TIMEOUT);
}

static void set_timer(rqi_run *run)
{
    struct timeval tv = {.tv_sec = run->timeout_ms / 1000,
                         .tv_usec = run->timeout_ms % 1000 * 1000};
    run->timer = evtimer_new(run->executor->o.base, on_timeout, run);
    if (run->timer != NULL) {
        (void)evtimer_add(run->timer, &tv);
    }
}

static void run_function(rqi_run *run)
{
    rqi_executor *x = run->executor;
    if (run->handler->kind == RQI_HANDLER_INLINE) {
        rqi_ctx_run(run);
        end_run(run);
        return;
    }
    if (run->timeout_ms > 0) {
        set_timer(run);
    }
    if (rqi_pool_add(x->pool, run) != REFQ_OK) {
        rqi_run_fail(run, RQI_RETRYABLE, "the worker cannot start a thread");
        end_run(run);
        return;
    }
    x->busy++;
}

refq_err rqi_run_job(rqi_executor *executor, rqi_run *run, void (*job)(rqi_run *run),
                     void (*on_job)(rqi_run *run))
{
    run->job = job;
    run->on_job = on_job;
    refq_err rc = rqi_pool_add(executor->pool, run);
    if (rc == REFQ_OK) {
        executor->busy++;
    } else {
        run->job = NULL;
    }
    return rc;
}

/* --- Start ------------------------------------------------------------------------------------ */

static refq_err decode_args(rqi_run *run, refq_error *err)
{
    if (run->args.len == 0 || run->args.ptr[0] != 'm') {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the arguments are gone or of a format this version does not know");
    }
    refq_bytes packed = {.ptr = run->args.ptr + 1, .len = run->args.len - 1};
    return rqi_args_decode(packed, &run->json, err);
}

void rqi_run_start(rqi_executor *executor, rqi_run *run)
{
    refq_error err;
    run->executor = executor;
    atomic_store(&run->stopping, run->stop != RQI_STOP_NONE);
    if (run->timeout_ms == 0) {
        run->timeout_ms = run->handler->def.timeout_ms;
    }
    bool child =
        run->handler->kind != RQI_HANDLER_EXEC && (run->in_child || run->handler->def.child);
    /* An inline handler is for tiny work: it decodes only when it asks, and no timer reaches it. */
    if (run->handler->kind == RQI_HANDLER_INLINE && !child) {
        run_function(run);
        return;
    }
    if (run->json.len == 0 && decode_args(run, &err) != REFQ_OK) {
        rqi_run_fail(run, RQI_PERMANENT, "undecodable arguments: %s", err.text);
        end_run(run);
        return;
    }
    run->deadline_ms = run->timeout_ms > 0 ? rqi_mono_ms() + run->timeout_ms : 0;
    if (run->handler->kind == RQI_HANDLER_EXEC) {
        run_process(run, start_program);
    } else if (child) {
        run_process(run, start_child);
    } else {
        run_function(run);
    }
}

/* --- The executor ----------------------------------------------------------------------------- */

static void on_keeper_gone(void *arg)
{
    rqi_executor *x = arg;
    if (x->o.on_broken != NULL) {
        x->o.on_broken(x->o.arg);
    }
}

static refq_err start_keeper(rqi_executor *x, refq_error *err)
{
    refq_err rc = rqi_keeper_start(&x->keeper, err);
    if (rc == REFQ_OK) {
        rqi_keeper_on_gone(x->keeper, on_keeper_gone, x);
        rc = rqi_keeper_attach(x->keeper, x->o.base, err);
    }
    return rc;
}

static refq_err make_notify(rqi_executor *x, refq_error *err)
{
    x->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    x->notify = x->notify_fd >= 0
                    ? event_new(x->o.base, x->notify_fd, EV_READ | EV_PERSIST, on_notify, x)
                    : NULL;
    if (x->notify == NULL || event_add(x->notify, NULL) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot wake an event loop");
    }
    return REFQ_OK;
}

refq_err rqi_executor_new(const rqi_executor_options *options, rqi_executor **ret, refq_error *err)
{
    rqi_executor *x = calloc(1, sizeof *x);
    if (x == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    x->o = *options;
    x->notify_fd = -1;
    TAILQ_INIT(&x->news);
    (void)pthread_mutex_init(&x->lock, NULL);
    (void)pthread_cond_init(&x->answered, NULL);
    refq_err rc = options->programs ? start_keeper(x, err) : REFQ_OK;
    if (rc == REFQ_OK) {
        rc = make_notify(x, err);
    }
    if (rc == REFQ_OK) {
        rc = rqi_pool_new(options->threads, x->notify_fd, &x->pool, err);
    }
    if (rc != REFQ_OK) {
        rqi_executor_free(x);
        return rc;
    }
    *ret = x;
    return REFQ_OK;
}

bool rqi_executor_can_run_programs(const rqi_executor *executor)
{
    return executor->keeper != NULL;
}

unsigned rqi_executor_busy(rqi_executor *executor)
{
    return executor->busy;
}

bool rqi_executor_drain(rqi_executor *executor, int64_t budget_ms)
{
    int64_t end = rqi_mono_ms() + budget_ms;
    int64_t left = budget_ms;
    while (executor->busy > 0 && left > 0) {
        struct pollfd fd = {.fd = executor->notify_fd, .events = POLLIN};
        (void)poll(&fd, 1, left < INT_MAX ? (int)left : INT_MAX);
        on_notify(executor->notify_fd, 0, executor);
        left = end - rqi_mono_ms();
    }
    return executor->busy == 0;
}

const refq_logger *rqi_run_logger(const rqi_run *run)
{
    return run->executor->o.log;
}

void rqi_executor_stop(rqi_executor *executor)
{
    rqi_keeper_stop(executor->keeper);
    executor->keeper = NULL;
}

void rqi_executor_free(rqi_executor *executor)
{
    if (executor == NULL) {
        return;
    }
    rqi_executor_stop(executor);
    rqi_pool_free(executor->pool);
    if (executor->notify != NULL) {
        event_free(executor->notify);
    }
    if (executor->notify_fd >= 0) {
        (void)close(executor->notify_fd);
    }
    (void)pthread_cond_destroy(&executor->answered);
    (void)pthread_mutex_destroy(&executor->lock);
    free(executor);
}
