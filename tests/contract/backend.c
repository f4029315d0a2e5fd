/* SPDX-License-Identifier: MIT */
/* The table itself, callers in numbers, and the end of a backend. */
#include "contract.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define CALLERS 8
#define EACH    20

static void table_and_capabilities_agree(rqi_ct *ct)
{
    const refq_backend_ops *o = rqi_ct_ops(ct);
    CT_CHECK(ct, o->name != NULL && o->name[0] != '\0', "the backend has no name");
    CT_CHECK(ct,
             o->submit && o->get_status && o->get_result && o->cancel && o->is_cancelled &&
                 o->wait && o->shutdown,
             "submit, get_status, get_result, cancel, is_cancelled, wait and shutdown are needed");
    const struct {
        const char *name;
        unsigned bit;
        bool offered;
    } ops[] = {
        {"list", REFQ_CAP_LIST, o->list != NULL},
        {"retry", REFQ_CAP_RETRY, o->retry != NULL},
        {"cleanup", REFQ_CAP_OPERATE, o->cleanup != NULL},
        {"stats", REFQ_CAP_OPERATE, o->stats != NULL},
        {"control", REFQ_CAP_OPERATE, o->control != NULL},
        {"queues", REFQ_CAP_OPERATE, o->queues != NULL},
        {"history", REFQ_CAP_HISTORY, o->history != NULL},
        {"args", REFQ_CAP_HISTORY, o->args != NULL},
        {"answer", REFQ_CAP_ASK, o->answer != NULL},
        {"events", REFQ_CAP_EVENTS, o->events != NULL},
        {"workers", REFQ_CAP_FLEET, o->workers != NULL},
        {"catalog", REFQ_CAP_CATALOG, o->catalog != NULL},
        {"detach", REFQ_CAP_CALL, o->detach != NULL},
        {"hand_out", REFQ_CAP_CALL, o->hand_out != NULL},
    };
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        bool said = (o->capabilities & ops[i].bit) != 0;
        CT_CHECK(ct, said == ops[i].offered, "%s: the capability bit says %s, the table %s",
                 ops[i].name, said ? "yes" : "no", ops[i].offered ? "yes" : "no");
    }
}

static void what_it_lacks_is_unsupported(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_ref(ct);
    refq_task *task = NULL;
    refq_list list;
    refq_texts texts;
    refq_events events;
    refq_stats stats;
    refq_list_query by = {.struct_size = sizeof by, .queue = ct->setup.queue};
    refq_events_query from = {.struct_size = sizeof from, .queue = ct->setup.queue};
    const refq_err want = REFQ_ERR_UNSUPPORTED;
    unsigned caps = ct->capabilities;
    if (!(caps & REFQ_CAP_LIST)) {
        CT_REFUSED(ct, refq_client_list(ct->client, &by, &list, &ct->err), want);
    }
    if (!(caps & REFQ_CAP_RETRY)) {
        CT_REFUSED(ct, refq_client_retry(ct->client, &ref, NULL, &task, &ct->err), want);
    }
    if (!(caps & REFQ_CAP_HISTORY)) {
        CT_REFUSED(ct, refq_client_history(ct->client, &ref, &texts, &ct->err), want);
        CT_REFUSED(ct, refq_client_args(ct->client, &ref, &texts, &ct->err), want);
    }
    if (!(caps & REFQ_CAP_CALL)) {
        CT_REFUSED(ct, refq_client_detach(ct->client, &ref, &ref, &task, &ct->err), want);
        CT_REFUSED(ct, refq_client_hand_out(ct->client, &ref, &task, &ct->err), want);
    }
    if (!(caps & REFQ_CAP_ASK)) {
        CT_REFUSED(ct, refq_client_answer(ct->client, &ref, "1", &task, &ct->err), want);
    }
    if (!(caps & REFQ_CAP_EVENTS)) {
        CT_REFUSED(ct, refq_client_events(ct->client, &from, &events, &ct->err), want);
    }
    if (!(caps & REFQ_CAP_OPERATE)) {
        CT_REFUSED(ct, refq_client_queues(ct->client, &texts, &ct->err), want);
        CT_REFUSED(ct, refq_client_stats(ct->client, ct->setup.queue, &stats, &ct->err), want);
    }
}

/* --- Callers ---------------------------------------------------------------------------------- */

struct caller {
    rqi_ct *ct;
    pthread_t thread;
    bool running;
    refq_err rc;
    unsigned complete;
};

static refq_err do_one(refq_client *client, const char *queue, int64_t budget_ms, bool *complete)
{
    refq_spec spec = {.struct_size = sizeof spec, .task = "play"};
    refq_submitted done;
    refq_task *task = NULL;
    refq_err rc = refq_ref_make(queue, &spec.ref, NULL);
    if (rc == REFQ_OK) {
        rc = refq_client_submit(client, &spec, &done, NULL);
    }
    if (rc == REFQ_OK) {
        rc = refq_client_wait(client, &done.ref, budget_ms, NULL, NULL, &task, NULL);
    }
    *complete = rc == REFQ_OK && refq_task_status(task) == REFQ_COMPLETE;
    refq_task_free(task);
    return rc;
}

static void *call_often(void *arg)
{
    struct caller *c = arg;
    for (int i = 0; i < EACH && c->rc == REFQ_OK; i++) {
        bool complete = false;
        c->rc = do_one(c->ct->client, c->ct->setup.queue, c->ct->budget_ms, &complete);
        c->complete += complete;
    }
    return NULL;
}

static void many_threads_call_at_once(rqi_ct *ct)
{
    struct caller callers[CALLERS] = {0};
    unsigned complete = 0;
    for (int i = 0; i < CALLERS; i++) {
        callers[i].ct = ct;
        callers[i].running = pthread_create(&callers[i].thread, NULL, call_often, &callers[i]) == 0;
    }
    for (int i = 0; i < CALLERS; i++) {
        if (callers[i].running) {
            (void)pthread_join(callers[i].thread, NULL);
        }
        complete += callers[i].complete;
    }
    CT_CHECK(ct, complete == CALLERS * EACH, "%u of %d tasks became complete", complete,
             CALLERS * EACH);
}

/* --- Its end ---------------------------------------------------------------------------------- */

struct waiter {
    refq_client *client;
    refq_ref ref;
    refq_task *task;
    refq_err rc;
    atomic_bool waits;
};

static bool on_seen(void *arg, const refq_task *task)
{
    struct waiter *w = arg;
    (void)task;
    atomic_store(&w->waits, true);
    return true;
}

static void *wait_for_ever(void *arg)
{
    struct waiter *w = arg;
    w->rc = refq_client_wait(w->client, &w->ref, -1, on_seen, w, &w->task, NULL);
    return NULL;
}

/* The wait must be under way when the client closes: a watch begins with what is. */
static void closing_ends_what_is_outstanding(rqi_ct *ct)
{
    struct waiter w = {.client = ct->client, .ref = rqi_ct_make(ct, RQI_CT_DELAYED, NULL)};
    pthread_t thread;
    CT_CHECK(ct, pthread_create(&thread, NULL, wait_for_ever, &w) == 0, "no thread");
    while (!atomic_load(&w.waits)) {
        rqi_ct_nap();
    }
    refq_client_close(ct->client);
    ct->client = NULL;
    (void)pthread_join(thread, NULL);
    CT_CHECK(ct, w.rc == REFQ_ERR_CLOSED, "the wait ended with: %s", refq_strerror(w.rc));
}

static void another_client_sees_the_same(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    refq_ref later = rqi_ct_make(ct, RQI_CT_DELAYED, NULL);
    refq_client_close(ct->client);
    ct->client = NULL;
    CT_OK(ct, refq_client_open_with(rqi_ct_guarded, ct, &ct->client, &ct->err));
    CT_CHECK(ct, rqi_ct_is(ct, &ref, REFQ_COMPLETE), "the finished task is lost");
    CT_CHECK(ct, rqi_ct_is(ct, &later, REFQ_PENDING), "the waiting task is lost");
    (void)rqi_ct_result(ct, &ref);
}

/* --- Without a client ------------------------------------------------------------------------- */

struct answer {
    struct event_base *base;
    bool came;
    refq_err rc;
    refq_status status;
};

static void on_submitted(void *arg, const refq_error *err, const refq_submitted *done, size_t n)
{
    struct answer *a = arg;
    (void)n;
    *a = (struct answer){a->base, true, err ? err->code : REFQ_OK, done ? done->status : 0};
    (void)event_base_loopbreak(a->base);
}

static void on_task(void *arg, const refq_error *err, refq_task *task)
{
    struct answer *a = arg;
    *a = (struct answer){a->base, true, err ? err->code : REFQ_OK, 0};
    a->status = err == NULL ? refq_task_status(task) : REFQ_PENDING;
    refq_task_free(task);
    (void)event_base_loopbreak(a->base);
}

static struct answer answer_of(struct answer *a)
{
    while (!a->came && event_base_loop(a->base, EVLOOP_ONCE) == 0) {
    }
    struct answer copy = *a;
    a->came = false;
    return copy;
}

/* Gives what is_cancelled() said before and after a cancel; the backend is gone then. */
static void ask_is_cancelled(refq_backend *b, struct event_base *base, const refq_spec *spec,
                             struct answer out[3])
{
    struct answer a = {.base = base};
    b->ops->is_cancelled(b, &spec->ref, on_task, &a);
    out[0] = answer_of(&a);
    b->ops->submit(b, spec, 1, on_submitted, &a);
    (void)answer_of(&a);
    b->ops->is_cancelled(b, &spec->ref, on_task, &a);
    out[1] = answer_of(&a);
    b->ops->cancel(b, &spec->ref, on_task, &a);
    (void)answer_of(&a);
    b->ops->is_cancelled(b, &spec->ref, on_task, &a);
    out[2] = answer_of(&a);
    b->ops->shutdown(b);
}

static void is_cancelled_tells(rqi_ct *ct)
{
    struct event_base *base = event_base_new();
    refq_backend *b = NULL;
    struct answer out[3];
    refq_spec spec = {
        .struct_size = sizeof spec, .ref = rqi_ct_ref(ct), .task = "play", .delay_ms = 3600000};
    CT_CHECK(ct, base != NULL, "no event base");
    refq_err rc = rqi_ct_guarded(base, ct, &b, &ct->err);
    if (rc == REFQ_OK) {
        ask_is_cancelled(b, base, &spec, out);
    }
    event_base_free(base);
    CT_CHECK(ct, rc == REFQ_OK, "%s", ct->err.text);
    CT_CHECK(ct, out[0].rc == REFQ_ERR_NOTFOUND, "before it exists: %s", refq_strerror(out[0].rc));
    CT_CHECK(ct, out[1].rc == REFQ_OK && out[1].status == REFQ_PENDING, "it waits, not %s",
             refq_status_name(out[1].status));
    CT_CHECK(ct, out[2].rc == REFQ_OK && out[2].status == REFQ_CANCELLED, "it is cancelled, not %s",
             refq_status_name(out[2].status));
}

const rqi_ct_case rqi_ct_cases_backend[] = {
    {"backend.table_and_capabilities_agree", table_and_capabilities_agree, 0, 0},
    {"backend.what_it_lacks_is_unsupported", what_it_lacks_is_unsupported, 0, 0},
    {"backend.is_cancelled_tells", is_cancelled_tells, 0, 0},
    {"backend.many_threads_call_at_once", many_threads_call_at_once, 0, 0},
    {"backend.closing_ends_what_is_outstanding", closing_ends_what_is_outstanding, 0, 0},
    {"backend.another_client_sees_the_same", another_client_sees_the_same, REFQ_CAP_DURABLE, 0},
    {0},
};
