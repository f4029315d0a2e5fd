/* SPDX-License-Identifier: MIT */
/*
 * Calls that hold no thread while they wait.
 *
 * DESIGN. What comes before the wait is a few round trips and is done on the
 * caller's thread. The wait is the client's: one entry in its list, woken by
 * push. What comes after it (reading the value, making a preview of megabytes)
 * may take long, so it is not done on the client's thread but at one of a few
 * desks, threads that are started with the first call.
 *
 *   start --> waiting --(over, or out of patience)--> ready --(desk)--> callback
 *                |
 *                +--(abandoned)--> waiting, without a callback --> freed
 *
 * A wait cannot be taken back, so that of an abandoned call goes on until its
 * patience is over. It needs nothing but its own memory and the lock: what the
 * calls share is freed with the last of these, or with its owner.
 *
 * A call is known to its caller by a number, so that one who abandons it a
 * moment too late meets nothing, rather than something that is gone.
 */
#include "call/calls.h"

#include "base/error.h"
#include "client/client.h"

#include <signal.h>
#include <stdlib.h>

typedef struct rqi_started {
    TAILQ_ENTRY(rqi_started) link;
    refq_calls *calls;
    refq_call_id id;
    refq_call_spec spec; /* only its numbers are looked at once it has begun */
    rqi_under_way w;
    rqi_call wait;
    refq_task *task; /* owned; how it stood when the wait was over */
    refq_call_cb cb; /* NULL: abandoned */
    void *arg;
} rqi_started;

/* --- The desks -------------------------------------------------------------------------------- */

static void free_started(rqi_started *s)
{
    refq_task_free(s->task);
    rqi_call_end(&s->w);
    free(s);
}

static void answer(rqi_started *s)
{
    refq_error err = s->wait.err;
    refq_response response = {0};
    refq_err rc = err.code;
    if (rc == REFQ_OK) {
        rc = rqi_call_answer(&s->w, s->task, &response, &err);
    }
    s->cb(s->arg, rc == REFQ_OK ? NULL : &err, rc == REFQ_OK ? &response : NULL);
}

/* The next one to be answered, NULL at the end. */
static rqi_started *take(refq_calls *calls)
{
    pthread_mutex_lock(&calls->lock);
    while (TAILQ_EMPTY(&calls->ready) && !calls->ending) {
        (void)pthread_cond_wait(&calls->work, &calls->lock);
    }
    rqi_started *s = TAILQ_FIRST(&calls->ready);
    if (s != NULL) {
        TAILQ_REMOVE(&calls->ready, s, link);
    }
    pthread_mutex_unlock(&calls->lock);
    return s;
}

/* With the lock held. */
static void one_less(refq_calls *calls)
{
    calls->under_way--;
    (void)pthread_cond_broadcast(&calls->idle);
}

static void *sit(void *arg)
{
    refq_calls *calls = arg;
    rqi_started *s = NULL;
    while ((s = take(calls)) != NULL) {
        answer(s);
        free_started(s);
        pthread_mutex_lock(&calls->lock);
        one_less(calls);
        pthread_mutex_unlock(&calls->lock);
        rqi_calls_unref(calls);
    }
    return NULL;
}

/* Signals are the program's business. With the lock held; false when there is no thread at all. */
static bool open_desks(refq_calls *calls)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (calls->desks_n < RQI_DESKS &&
           pthread_create(&calls->desks[calls->desks_n], NULL, sit, calls) == 0) {
        calls->desks_n++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return calls->desks_n > 0;
}

void rqi_calls_settle(refq_calls *calls)
{
    pthread_mutex_lock(&calls->lock);
    while (calls->under_way > 0) {
        (void)pthread_cond_wait(&calls->idle, &calls->lock);
    }
    calls->ending = true;
    (void)pthread_cond_broadcast(&calls->work);
    pthread_mutex_unlock(&calls->lock);
    for (unsigned i = 0; i < calls->desks_n; i++) {
        (void)pthread_join(calls->desks[i], NULL);
    }
}

/* --- The wait, on the client's thread --------------------------------------------------------- */

static void on_over(rqi_call *wait)
{
    rqi_started *s = wait->arg;
    refq_calls *calls = s->calls;
    pthread_mutex_lock(&calls->lock);
    bool abandoned = s->cb == NULL;
    TAILQ_REMOVE(&calls->waiting, s, link);
    if (!abandoned) {
        TAILQ_INSERT_TAIL(&calls->ready, s, link);
        (void)pthread_cond_signal(&calls->work);
    }
    pthread_mutex_unlock(&calls->lock);
    if (abandoned) {
        free_started(s);
        rqi_calls_unref(calls);
    }
}

static void on_task(void *arg, const refq_error *err, refq_task *task)
{
    rqi_call *wait = arg;
    ((rqi_started *)wait->arg)->task = task;
    rqi_call_done(wait, err);
}

static void start_wait(rqi_call *wait)
{
    rqi_started *s = wait->arg;
    refq_backend *b = rqi_client_backend(wait->client);
    b->ops->wait(b, &s->w.submitted.ref, rqi_call_patience_ms(&s->w), NULL, on_task, wait);
}

/* --- Starting and abandoning ------------------------------------------------------------------ */

static refq_err enlist(rqi_started *s, refq_call_id *ret_id, refq_error *err)
{
    refq_calls *calls = s->calls;
    pthread_mutex_lock(&calls->lock);
    bool good = open_desks(calls);
    if (good) {
        s->id = ++calls->last_id;
        TAILQ_INSERT_TAIL(&calls->waiting, s, link);
        calls->under_way++;
        (void)atomic_fetch_add(&calls->refs, 1);
        if (ret_id != NULL) {
            *ret_id = s->id;
        }
    }
    pthread_mutex_unlock(&calls->lock);
    return good ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "cannot start a thread");
}

/* The task is queued but nobody can wait for it: its caller is told of an error, and leaves. */
static void leave(rqi_started *s)
{
    refq_task *task = NULL;
    if (refq_client_detach(s->calls->client, &s->w.submitted.ref, &s->w.as, &task, NULL) ==
        REFQ_OK) {
        refq_task_free(task);
    }
}

refq_err refq_call_start(refq_calls *calls, const refq_call_spec *spec, refq_call_cb cb, void *arg,
                         refq_call_id *ret_id, refq_error *err)
{
    rqi_started *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    s->calls = calls;
    s->spec = *spec;
    s->w = (rqi_under_way){.calls = calls, .spec = &s->spec};
    s->cb = cb;
    s->arg = arg;
    s->wait =
        (rqi_call){.client = calls->client, .start = start_wait, .on_done = on_over, .arg = s};
    refq_err rc = rqi_call_begin(&s->w, err);
    if (rc == REFQ_OK) {
        rc = enlist(s, ret_id, err);
        if (rc != REFQ_OK) {
            leave(s);
        }
    }
    if (rc != REFQ_OK) {
        free_started(s);
        return rc;
    }
    rqi_call_post(&s->wait);
    return REFQ_OK;
}

refq_err refq_call_abandon(refq_calls *calls, refq_call_id id, refq_error *err)
{
    rqi_started *s = NULL;
    refq_ref ref;
    refq_ref as;
    refq_task *task = NULL;
    pthread_mutex_lock(&calls->lock);
    TAILQ_FOREACH(s, &calls->waiting, link)
    {
        if (s->id == id && s->cb != NULL) {
            s->cb = NULL;
            one_less(calls);
            ref = s->w.submitted.ref;
            as = s->w.as;
            break;
        }
    }
    pthread_mutex_unlock(&calls->lock);
    if (s == NULL) {
        return rqi_fail(err, REFQ_ERR_NOTFOUND, "call %llu is not under way",
                        (unsigned long long)id);
    }
    refq_err rc = refq_client_detach(calls->client, &ref, &as, &task, err);
    refq_task_free(task);
    return rc == REFQ_ERR_NOTFOUND ? REFQ_OK : rc;
}
