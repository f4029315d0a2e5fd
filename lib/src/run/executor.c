/* SPDX-License-Identifier: MIT */
#include "run/executor.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/utf8.h"
#include "codec/args.h"
#include "run/ctx.h"
#include "run/pool.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct rqi_executor {
    rqi_executor_options o;
    rqi_keeper *keeper; /* NULL = no programs */
    rqi_pool *pool;
    struct event *notify;
    int notify_fd; /* threads wake the loop */
    unsigned busy; /* runs handed to the pool and not back yet; the loop's */

    pthread_mutex_t lock;
    pthread_cond_t answered; /* some run was answered or stopped */
    struct rqi_runs news;    /* runs whose owner has to be told something */
    unsigned news_n;
};

static void wake(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    (void)n;
}

/* --- News of handlers ------------------------------------------------------------------------- */

/* Under the lock. */
static void add_news(rqi_run *run)
{
    rqi_executor *x = run->executor;
    if (run->has_news) {
        return;
    }
    run->has_news = true;
    bool first = TAILQ_EMPTY(&x->news);
    TAILQ_INSERT_TAIL(&x->news, run, news_link);
    x->news_n++;
    if (first) {
        wake(x->notify_fd);
    }
}

/* Under the lock. */
static void drop_news(rqi_run *run)
{
    if (run->has_news) {
        TAILQ_REMOVE(&run->executor->news, run, news_link);
        run->executor->news_n--;
        run->has_news = false;
    }
}

void rqi_run_progress(rqi_run *run, int64_t current, int64_t total, const char *message)
{
    rqi_executor *x = run->executor;
    const char *text = message != NULL ? message : "";
    size_t cut = rqi_utf8_cut(text, strlen(text), sizeof run->message - 1);
    pthread_mutex_lock(&x->lock);
    run->current = current;
    run->total = total;
    memcpy(run->message, text, cut);
    run->message[cut] = '\0';
    run->progress_dirty = true;
    add_news(run);
    pthread_mutex_unlock(&x->lock);
}

bool rqi_run_take_progress(rqi_run *run, int64_t *ret_current, int64_t *ret_total, char message[65])
{
    rqi_executor *x = run->executor;
    pthread_mutex_lock(&x->lock);
    bool dirty = run->progress_dirty;
    run->progress_dirty = false;
    *ret_current = run->current;
    *ret_total = run->total;
    memcpy(message, run->message, sizeof run->message);
    pthread_mutex_unlock(&x->lock);
    return dirty;
}

static void tell_owner(rqi_run *run, bool progress, const char *question)
{
    if (progress && run->on_progress != NULL) {
        run->on_progress(run);
    }
    if (question != NULL && run->on_ask != NULL) {
        run->on_ask(run, question, strlen(question));
    }
}

/* Tells the first of the list; false when there is none. */
static bool tell_first(rqi_executor *x)
{
    pthread_mutex_lock(&x->lock);
    rqi_run *run = TAILQ_FIRST(&x->news);
    if (run == NULL) {
        pthread_mutex_unlock(&x->lock);
        return false;
    }
    drop_news(run);
    bool progress = run->progress_dirty;
    char *question = run->asked && run->question != NULL ? strdup(run->question) : NULL;
    run->asked = false;
    pthread_mutex_unlock(&x->lock);
    tell_owner(run, progress, question);
    free(question);
    return true;
}

/* One at a time, because a callback may end any run, also one that is still listed; and no more
 * than there are now, because a handler may add some faster than they are told. */
static void tell_news(rqi_executor *x)
{
    pthread_mutex_lock(&x->lock);
    unsigned n = x->news_n;
    pthread_mutex_unlock(&x->lock);
    while (n-- > 0 && tell_first(x)) {
    }
    pthread_mutex_lock(&x->lock);
    if (x->news_n > 0) {
        wake(x->notify_fd);
    }
    pthread_mutex_unlock(&x->lock);
}

/* --- Questions -------------------------------------------------------------------------------- */

refq_err rqi_run_ask(rqi_run *run, const char *json, size_t len, char **ret_answer)
{
    rqi_executor *x = run->executor;
    char *question = run->on_ask != NULL ? strndup(json, len) : NULL;
    if (question == NULL) {
        return run->on_ask == NULL ? REFQ_ERR_UNSUPPORTED : REFQ_ERR_NOMEM;
    }
    pthread_mutex_lock(&x->lock);
    run->question = question;
    run->asked = true;
    add_news(run);
    while (run->answer == NULL && !atomic_load(&run->stopping)) {
        (void)pthread_cond_wait(&x->answered, &x->lock);
    }
    char *answer = run->answer;
    run->answer = NULL;
    run->question = NULL;
    run->asked = false;
    pthread_mutex_unlock(&x->lock);
    free(question);
    if (answer == NULL) {
        return REFQ_ERR_CLOSED;
    }
    *ret_answer = answer;
    return REFQ_OK;
}

bool rqi_run_answer(rqi_run *run, const char *json, size_t len)
{
    rqi_executor *x = run->executor;
    char *copy = x != NULL ? strndup(json, len) : NULL;
    if (copy == NULL) {
        return false;
    }
    pthread_mutex_lock(&x->lock);
    bool waits = run->question != NULL && run->answer == NULL;
    if (waits) {
        run->answer = copy;
        (void)pthread_cond_broadcast(&x->answered);
    }
    pthread_mutex_unlock(&x->lock);
    if (!waits) {
        free(copy);
    }
    return waits;
}

/* --- Stopping --------------------------------------------------------------------------------- */

int rqi_run_cancel_fd(rqi_run *run)
{
    rqi_executor *x = run->executor;
    pthread_mutex_lock(&x->lock);
    if (run->cancel_fd < 0) {
        run->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (run->cancel_fd >= 0 && atomic_load(&run->stopping)) {
            wake(run->cancel_fd);
        }
    }
    int fd = run->cancel_fd;
    pthread_mutex_unlock(&x->lock);
    return fd;
}

void rqi_run_stop(rqi_run *run, rqi_stop_reason why)
{
    rqi_executor *x = run->executor;
    if (run->stop != RQI_STOP_NONE) {
        return;
    }
    run->stop = why;
    if (x == NULL) {
        return; /* not started yet: its owner looks at `stop` before it does */
    }
    pthread_mutex_lock(&x->lock);
    atomic_store(&run->stopping, true);
    if (run->cancel_fd >= 0) {
        wake(run->cancel_fd);
    }
    (void)pthread_cond_broadcast(&x->answered);
    pthread_mutex_unlock(&x->lock);
    if (run->exec != NULL) {
        rqi_exec_cancel(run->exec);
    }
}

/* --- Ends ------------------------------------------------------------------------------------- */

static void end_run(rqi_run *run)
{
    rqi_executor *x = run->executor;
    if (run->timer != NULL) {
        (void)evtimer_del(run->timer); /* it ended in time, however late that is told */
    }
    if (run->stop == RQI_STOP_TIMEOUT && run->outcome.kind != RQI_DONE) {
        rqi_run_fail(run, RQI_RETRYABLE, "timed out after %lld ms", (long long)run->timeout_ms);
    }
    pthread_mutex_lock(&x->lock);
    drop_news(run);
    pthread_mutex_unlock(&x->lock);
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
    tell_news(x);
    rqi_pool_take(x->pool, &ended);
    while ((run = TAILQ_FIRST(&ended)) != NULL) {
        TAILQ_REMOVE(&ended, run, link);
        x->busy--;
        end_run(run);
    }
}

/* --- External programs ------------------------------------------------------------------------ */

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

static void run_exec(rqi_run *run)
{
    refq_error err;
    rqi_executor *x = run->executor;
    char ref[REFQ_REF_MAX + 1];
    rqi_exec_call call = {
        .def = &run->handler->exec,
        .args = rqi_buf_bytes(&run->json),
        .ref_id = refq_ref_format(&run->ref, ref),
        .fence = run->fence,
        .attempt = run->number,
        .traceparent = run->traceparent[0] != '\0' ? run->traceparent : NULL,
        .timeout_ms = run->timeout_ms,
        .log = x->o.log,
        .on_progress = on_exec_progress,
        .on_done = on_exec_done,
        .arg = run,
    };
    if (x->keeper == NULL) {
        rqi_run_fail(run, RQI_RETRYABLE, "this process runs no external programs");
        end_run(run);
        return;
    }
    refq_err rc = rqi_exec_start(x->keeper, &call, &run->exec, &err);
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
    /* An inline handler is for tiny work: it decodes only when it asks, and no timer reaches it. */
    if (run->handler->kind == RQI_HANDLER_INLINE) {
        run_function(run);
        return;
    }
    if (decode_args(run, &err) != REFQ_OK) {
        rqi_run_fail(run, RQI_PERMANENT, "undecodable arguments: %s", err.text);
        end_run(run);
        return;
    }
    run->deadline_ms = run->timeout_ms > 0 ? rqi_mono_ms() + run->timeout_ms : 0;
    if (run->handler->kind == RQI_HANDLER_EXEC) {
        run_exec(run);
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
