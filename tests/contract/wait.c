/* SPDX-License-Identifier: MIT */
/* Looking and waiting. */
#include "contract.h"

#include <pthread.h>
#include <string.h>

#define WAITERS 24

static void unknown_task_is_not_found(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_ref(ct);
    refq_task *task = NULL;
    CT_REFUSED(ct, refq_client_status(ct->client, &ref, &task, &ct->err), REFQ_ERR_NOTFOUND);
    CT_REFUSED(ct, refq_client_wait(ct->client, &ref, 1000, NULL, NULL, &task, &ct->err),
               REFQ_ERR_NOTFOUND);
}

static void a_task_that_is_over_is_told_at_once(rqi_ct *ct)
{
    for (int i = RQI_CT_COMPLETE; i < RQI_CT_STATES; i++) {
        refq_task *task = NULL;
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        CT_OK(ct, refq_client_wait(ct->client, &ref, -1, NULL, NULL, &task, &ct->err));
        (void)rqi_ct_own(ct, task);
        CT_CHECK(ct, refq_task_status(task) == rqi_ct_status_of((rqi_ct_state)i),
                 "%s is told as %s", rqi_ct_state_name((rqi_ct_state)i),
                 refq_status_name(refq_task_status(task)));
    }
}

static void deadline_gives_the_present_state(rqi_ct *ct)
{
    const int64_t deadlines[] = {0, 30};
    for (int i = RQI_CT_DELAYED; i <= RQI_CT_RUNNING; i++) {
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        for (int k = 0; k < 2; k++) {
            refq_task *task = NULL;
            CT_OK(ct,
                  refq_client_wait(ct->client, &ref, deadlines[k], NULL, NULL, &task, &ct->err));
            (void)rqi_ct_own(ct, task);
            CT_CHECK(ct, refq_task_status(task) == rqi_ct_status_of((rqi_ct_state)i),
                     "%s is told as %s", rqi_ct_state_name((rqi_ct_state)i),
                     refq_status_name(refq_task_status(task)));
        }
    }
}

/* --- Many waiters ----------------------------------------------------------------------------- */

struct waiter {
    refq_client *client;
    refq_ref ref;
    int64_t timeout_ms;
    pthread_t thread;
    bool running;
    refq_err rc;
    refq_task *task;
};

static void *wait_in_thread(void *arg)
{
    struct waiter *w = arg;
    w->rc = refq_client_wait(w->client, &w->ref, w->timeout_ms, NULL, NULL, &w->task, NULL);
    return NULL;
}

static void start_waiter(rqi_ct *ct, struct waiter *w, const refq_ref *ref, int64_t timeout_ms)
{
    *w = (struct waiter){.client = ct->client, .ref = *ref, .timeout_ms = timeout_ms};
    w->rc = REFQ_ERR_INTERNAL;
    w->running = pthread_create(&w->thread, NULL, wait_in_thread, w) == 0;
}

static void join_waiter(rqi_ct *ct, struct waiter *w)
{
    if (w->running) {
        (void)pthread_join(w->thread, NULL);
    }
    if (w->task != NULL) {
        (void)rqi_ct_own(ct, w->task);
    }
}

static void every_waiter_is_told(rqi_ct *ct)
{
    struct waiter waiters[WAITERS];
    refq_ref runs = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    refq_ref delayed = rqi_ct_make(ct, RQI_CT_DELAYED, NULL);
    for (int i = 0; i < WAITERS; i++) {
        start_waiter(ct, &waiters[i], i % 2 ? &runs : &delayed, i % 3 ? -1 : ct->budget_ms);
    }
    (void)rqi_ct_cancel_task(ct, &delayed);
    rqi_ct_open(ct->stage, 1);
    for (int i = 0; i < WAITERS; i++) {
        join_waiter(ct, &waiters[i]);
    }
    for (int i = 0; i < WAITERS; i++) {
        refq_status want = i % 2 ? REFQ_COMPLETE : REFQ_CANCELLED;
        CT_CHECK(ct, waiters[i].rc == REFQ_OK, "waiter %d: %s", i, refq_strerror(waiters[i].rc));
        CT_CHECK(ct, refq_task_status(waiters[i].task) == want, "waiter %d was told %s", i,
                 refq_status_name(refq_task_status(waiters[i].task)));
    }
}

static void waiting_goes_on_through_retries(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":2,\"after\":60}");
    refq_task *task = NULL;
    CT_OK(ct, refq_client_wait(ct->client, &ref, -1, NULL, NULL, &task, &ct->err));
    (void)rqi_ct_own(ct, task);
    CT_CHECK(ct, refq_task_status(task) == REFQ_COMPLETE, "told as %s",
             refq_status_name(refq_task_status(task)));
    CT_CHECK(ct, refq_task_number(task, "attempt", 0) == 3, "told before the third attempt");
}

/* --- Watching --------------------------------------------------------------------------------- */

struct seen {
    rqi_ct_stage *stage;
    unsigned times;
    unsigned stop_after; /* 0 = never */
    bool opened;
    bool back; /* a status that cannot follow the one before */
    refq_status last;
};

static bool on_change(void *arg, const refq_task *task)
{
    struct seen *s = arg;
    refq_status now = refq_task_status(task);
    s->back = s->back || (s->times > 0 && refq_status_is_terminal(s->last) && now != s->last);
    s->last = now;
    s->times++;
    if (now == REFQ_PROCESSING && !s->opened) {
        s->opened = true;
        rqi_ct_open(s->stage, 1);
    }
    return s->stop_after == 0 || s->times < s->stop_after;
}

/* The gate is opened by the watch itself, so it must be called while the task runs. */
static void watch_sees_it_run(rqi_ct *ct)
{
    struct seen seen = {.stage = ct->stage};
    refq_task *task = NULL;
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"gate\":1}");
    CT_OK(ct, refq_client_wait(ct->client, &ref, ct->budget_ms, on_change, &seen, &task, &ct->err));
    (void)rqi_ct_own(ct, task);
    CT_CHECK(ct, seen.opened, "the watch was not called while it ran");
    CT_CHECK(ct, refq_task_status(task) == REFQ_COMPLETE, "the wait ended with %s",
             refq_status_name(refq_task_status(task)));
    CT_CHECK(ct, !seen.back, "the watch saw a status after the last one");
}

static void watch_can_stop_the_wait(rqi_ct *ct)
{
    struct seen seen = {.stage = ct->stage, .stop_after = 1, .opened = true};
    refq_task *task = NULL;
    refq_ref ref = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    CT_OK(ct, refq_client_wait(ct->client, &ref, -1, on_change, &seen, &task, &ct->err));
    (void)rqi_ct_own(ct, task);
    CT_CHECK(ct, seen.times == 1, "the watch was called %u times", seen.times);
    CT_CHECK(ct, refq_task_status(task) == REFQ_PROCESSING, "told as %s",
             refq_status_name(refq_task_status(task)));
    CT_CHECK(ct, rqi_ct_is(ct, &ref, REFQ_PROCESSING), "it does not run any more");
}

const rqi_ct_case rqi_ct_cases_wait[] = {
    {"wait.unknown_task_is_not_found", unknown_task_is_not_found, 0, 0},
    {"wait.a_task_that_is_over_is_told_at_once", a_task_that_is_over_is_told_at_once, 0, 0},
    {"wait.deadline_gives_the_present_state", deadline_gives_the_present_state, 0, 0},
    {"wait.every_waiter_is_told", every_waiter_is_told, 0, 0},
    {"wait.goes_on_through_retries", waiting_goes_on_through_retries, 0, 0},
    {"wait.watch_sees_it_run", watch_sees_it_run, 0, 0},
    {"wait.watch_can_stop_the_wait", watch_can_stop_the_wait, 0, 0},
    {0},
};
