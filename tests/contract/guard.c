/* SPDX-License-Identifier: MIT */
/*
 * A backend around the backend, which looks at its callbacks.
 *
 * backend.h promises that a callback comes exactly once, from the loop and never
 * from inside the call that started it. A client hides a broken promise until it
 * hurts, so each test runs over this guard: it notes every call, and at the end
 * of the test says which one was answered too early, twice, or never.
 */
#include "contract.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct guarded {
    refq_backend pub; /* first */
    refq_backend_ops ops;
    refq_backend *inner;
    struct rqi_ct_guard *guard;
    struct guarded *next;
} guarded;

/* One call of an operation; kept to the end of the test. */
typedef struct noted {
    struct noted *next;
    guarded *backend;
    const char *op;
    bool inside; /* the operation has not returned yet */
    unsigned answers;
    union {
        refq_submit_cb submit;
        refq_task_cb task;
        refq_result_cb result;
        refq_list_cb list;
        refq_count_cb count;
        refq_stats_cb stats;
        refq_texts_cb texts;
        refq_events_cb events;
        refq_workers_cb workers;
    } cb;
    refq_watch_cb watch;
    void *arg;
} noted;

struct rqi_ct_guard {
    pthread_mutex_t lock; /* a test may have two clients, each with a loop's thread */
    guarded *backends;    /* kept to the end of the test too: late callbacks point to them */
    noted *calls;
    char complaint[160];
};

static void complain(struct rqi_ct_guard *guard, const char *op, const char *what)
{
    pthread_mutex_lock(&guard->lock);
    if (guard->complaint[0] == '\0') {
        (void)snprintf(guard->complaint, sizeof guard->complaint, "the callback of %s() %s", op,
                       what);
    }
    pthread_mutex_unlock(&guard->lock);
}

static noted *note(refq_backend *b, const char *op, void *arg)
{
    guarded *g = (guarded *)b;
    noted *n = calloc(1, sizeof *n);
    if (n == NULL) {
        abort(); /* a test without its guard would prove nothing */
    }
    *n = (noted){.backend = g, .op = op, .inside = true, .arg = arg};
    pthread_mutex_lock(&g->guard->lock);
    n->next = g->guard->calls;
    g->guard->calls = n;
    pthread_mutex_unlock(&g->guard->lock);
    return n;
}

/* err: what the callback was given; a call that cannot even be remembered may fail at once. */
static void answered(noted *n, const refq_error *err)
{
    struct rqi_ct_guard *guard = n->backend->guard;
    n->answers++;
    if (n->answers > 1) {
        complain(guard, n->op, "came more than once");
    }
    if (n->inside && (err == NULL || err->code != REFQ_ERR_NOMEM)) {
        complain(guard, n->op, "came from inside the call");
    }
}

/* --- Callbacks -------------------------------------------------------------------------------- */

static void on_submit(void *arg, const refq_error *err, const refq_submitted *done, size_t n)
{
    noted *c = arg;
    answered(c, err);
    c->cb.submit(c->arg, err, done, n);
}

static void on_task(void *arg, const refq_error *err, refq_task *task)
{
    noted *c = arg;
    answered(c, err);
    c->cb.task(c->arg, err, task);
}

static void on_result(void *arg, const refq_error *err, refq_task *task, refq_bytes entry)
{
    noted *c = arg;
    answered(c, err);
    c->cb.result(c->arg, err, task, entry);
}

static bool on_watch(void *arg, const refq_task *task)
{
    noted *c = arg;
    if (c->inside || c->answers > 0) {
        complain(c->backend->guard, "wait", "or its watch came at a wrong time");
    }
    return c->watch(c->arg, task);
}

static void on_list(void *arg, const refq_error *err, const refq_page *page)
{
    noted *c = arg;
    answered(c, err);
    c->cb.list(c->arg, err, page);
}

static void on_count(void *arg, const refq_error *err, int64_t n)
{
    noted *c = arg;
    answered(c, err);
    c->cb.count(c->arg, err, n);
}

static void on_stats(void *arg, const refq_error *err, const refq_stats *stats)
{
    noted *c = arg;
    answered(c, err);
    c->cb.stats(c->arg, err, stats);
}

static void on_texts(void *arg, const refq_error *err, const refq_bytes *texts, size_t n)
{
    noted *c = arg;
    answered(c, err);
    c->cb.texts(c->arg, err, texts, n);
}

static void on_events(void *arg, const refq_error *err, const refq_event *events, size_t n,
                      const char *next)
{
    noted *c = arg;
    answered(c, err);
    c->cb.events(c->arg, err, events, n, next);
}

static void on_workers(void *arg, const refq_error *err, const refq_worker_info *workers, size_t n)
{
    noted *c = arg;
    answered(c, err);
    c->cb.workers(c->arg, err, workers, n);
}

/* --- Operations ------------------------------------------------------------------------------- */

/* Hands a call on: notes it, sets its callback, calls the inner operation. */
#define HAND_ON(op, kind, on, ...)                    \
    do {                                              \
        noted *n_ = note(b, #op, arg);                \
        refq_backend *inner_ = n_->backend->inner;    \
        n_->cb.kind = cb;                             \
        inner_->ops->op(inner_, __VA_ARGS__, on, n_); \
        n_->inside = false;                           \
    } while (0)

static void submit(refq_backend *b, const refq_spec *specs, size_t n, refq_submit_cb cb, void *arg)
{
    HAND_ON(submit, submit, on_submit, specs, n);
}

static void get_status(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    HAND_ON(get_status, task, on_task, ref);
}

static void get_result(refq_backend *b, const refq_ref *ref, refq_result_cb cb, void *arg)
{
    HAND_ON(get_result, result, on_result, ref);
}

static void cancel(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    HAND_ON(cancel, task, on_task, ref);
}

static void is_cancelled(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    HAND_ON(is_cancelled, task, on_task, ref);
}

static void wait_for(refq_backend *b, const refq_ref *ref, int64_t timeout_ms, refq_watch_cb watch,
                     refq_task_cb cb, void *arg)
{
    noted *n = note(b, "wait", arg);
    refq_backend *inner = n->backend->inner;
    n->cb.task = cb;
    n->watch = watch;
    inner->ops->wait(inner, ref, timeout_ms, watch != NULL ? on_watch : NULL, on_task, n);
    n->inside = false;
}

static void detach(refq_backend *b, const refq_ref *ref, const refq_ref *caller, refq_task_cb cb,
                   void *arg)
{
    HAND_ON(detach, task, on_task, ref, caller);
}

static void hand_out(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    HAND_ON(hand_out, task, on_task, ref);
}

static void retry(refq_backend *b, const refq_ref *ref, const refq_ref *as, refq_task_cb cb,
                  void *arg)
{
    HAND_ON(retry, task, on_task, ref, as);
}

static void list(refq_backend *b, const refq_list_query *query, refq_list_cb cb, void *arg)
{
    HAND_ON(list, list, on_list, query);
}

static void cleanup(refq_backend *b, const refq_cleanup_query *query, refq_count_cb cb, void *arg)
{
    HAND_ON(cleanup, count, on_count, query);
}

static void stats(refq_backend *b, const char *queue, refq_stats_cb cb, void *arg)
{
    HAND_ON(stats, stats, on_stats, queue);
}

static void control(refq_backend *b, const refq_control *what, refq_count_cb cb, void *arg)
{
    HAND_ON(control, count, on_count, what);
}

static void queues(refq_backend *b, refq_texts_cb cb, void *arg)
{
    noted *n = note(b, "queues", arg);
    refq_backend *inner = n->backend->inner;
    n->cb.texts = cb;
    inner->ops->queues(inner, on_texts, n);
    n->inside = false;
}

static void catalog(refq_backend *b, const char *queue, const char *task, refq_texts_cb cb,
                    void *arg)
{
    HAND_ON(catalog, texts, on_texts, queue, task);
}

static void history(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg)
{
    HAND_ON(history, texts, on_texts, ref);
}

static void args(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg)
{
    HAND_ON(args, texts, on_texts, ref);
}

static void answer(refq_backend *b, const refq_ref *ref, const char *json, refq_task_cb cb,
                   void *arg)
{
    HAND_ON(answer, task, on_task, ref, json);
}

static void events(refq_backend *b, const refq_events_query *query, refq_events_cb cb, void *arg)
{
    HAND_ON(events, events, on_events, query);
}

static void workers(refq_backend *b, const char *queue, refq_workers_cb cb, void *arg)
{
    HAND_ON(workers, workers, on_workers, queue);
}

static void shutdown_backend(refq_backend *b)
{
    guarded *g = (guarded *)b;
    g->inner->ops->shutdown(g->inner);
    g->inner = NULL;
}

/* --- The guard -------------------------------------------------------------------------------- */

/* An operation that is not there must not look as if it were. */
static void fill_table(guarded *g)
{
    const refq_backend_ops *in = g->inner->ops;
    g->ops = (refq_backend_ops){
        .struct_size = sizeof g->ops,
        .name = in->name,
        .capabilities = in->capabilities,
        .submit = in->submit ? submit : NULL,
        .get_status = in->get_status ? get_status : NULL,
        .get_result = in->get_result ? get_result : NULL,
        .cancel = in->cancel ? cancel : NULL,
        .is_cancelled = in->is_cancelled ? is_cancelled : NULL,
        .wait = in->wait ? wait_for : NULL,
        .detach = in->detach ? detach : NULL,
        .hand_out = in->hand_out ? hand_out : NULL,
        .retry = in->retry ? retry : NULL,
        .list = in->list ? list : NULL,
        .cleanup = in->cleanup ? cleanup : NULL,
        .stats = in->stats ? stats : NULL,
        .control = in->control ? control : NULL,
        .queues = in->queues ? queues : NULL,
        .catalog = in->catalog ? catalog : NULL,
        .history = in->history ? history : NULL,
        .args = in->args ? args : NULL,
        .answer = in->answer ? answer : NULL,
        .events = in->events ? events : NULL,
        .workers = in->workers ? workers : NULL,
        .shutdown = shutdown_backend,
    };
    g->pub.ops = &g->ops;
}

refq_err rqi_ct_guarded(struct event_base *base, void *arg, refq_backend **ret, refq_error *err)
{
    rqi_ct *ct = arg;
    if (ct->guard == NULL) {
        ct->guard = calloc(1, sizeof *ct->guard);
        if (ct->guard != NULL) {
            (void)pthread_mutex_init(&ct->guard->lock, NULL);
        }
    }
    guarded *g = calloc(1, sizeof *g);
    if (ct->guard == NULL || g == NULL) {
        free(g);
        return REFQ_ERR_NOMEM;
    }
    refq_err rc = ct->subject->backend(base, ct->subject->arg, &g->inner, err);
    if (rc != REFQ_OK) {
        free(g);
        return rc;
    }
    g->guard = ct->guard;
    g->next = ct->guard->backends;
    ct->guard->backends = g;
    fill_table(g);
    *ret = &g->pub;
    return REFQ_OK;
}

const refq_backend_ops *rqi_ct_ops(const rqi_ct *ct)
{
    return ct->guard->backends->pub.ops;
}

void rqi_ct_guard_end(rqi_ct *ct)
{
    struct rqi_ct_guard *guard = ct->guard;
    if (guard == NULL) {
        return;
    }
    while (guard->calls != NULL) {
        noted *n = guard->calls;
        guard->calls = n->next;
        if (n->answers == 0) {
            complain(guard, n->op, "never came");
        }
        free(n);
    }
    while (guard->backends != NULL) {
        guarded *g = guard->backends;
        guard->backends = g->next;
        free(g);
    }
    if (guard->complaint[0] != '\0' && ct->failure[0] == '\0') {
        (void)snprintf(ct->failure, sizeof ct->failure, "%s", guard->complaint);
    }
    (void)pthread_mutex_destroy(&guard->lock);
    free(guard);
    ct->guard = NULL;
}
