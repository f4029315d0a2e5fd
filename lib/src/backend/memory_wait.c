/* SPDX-License-Identifier: MIT */
/*
 * Waiting for tasks.
 *
 * A wait ends in one of four ways: its task is over (the answer goes the way of
 * all answers), its deadline comes, its watch has had enough, or the backend is
 * shut down. The last three call back directly, as they come from the loop.
 */
#include "backend/memory.h"

#include "base/error.h"

#include <event2/event.h>
#include <stdlib.h>

static void wait_free(rqi_mem_wait *w)
{
    rqi_mem *m = w->task->queue->mem;
    TAILQ_REMOVE(&w->task->waits, w, link);
    if (w->telling) {
        TAILQ_REMOVE(&m->to_tell, w, tell);
    }
    if (m->telling == w) {
        m->telling = NULL;
    }
    if (w->deadline != NULL) {
        event_free(w->deadline);
    }
    free(w);
}

/* Ends a wait with the state its task is in. */
static void end_wait(rqi_mem_wait *w)
{
    static const refq_error no_memory = {REFQ_ERR_NOMEM, "out of memory"};
    refq_task_cb cb = w->cb;
    void *arg = w->arg;
    refq_task *task = rqi_mem_snapshot(w->task);
    wait_free(w);
    cb(arg, task == NULL ? &no_memory : NULL, task);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    end_wait(arg);
}

void rqi_mem_end_waits(rqi_mem_task *t, const refq_error *err)
{
    rqi_mem *m = t->queue->mem;
    while (!TAILQ_EMPTY(&t->waits)) {
        rqi_mem_wait *w = TAILQ_FIRST(&t->waits);
        rqi_mem_answer *a = rqi_mem_answer_task(m, w->cb, w->arg);
        if (a != NULL && err != NULL) {
            a->err = *err;
        } else if (a != NULL) {
            rqi_mem_answer_with(a, t);
        }
        wait_free(w);
    }
}

static refq_err set_deadline(rqi_mem *m, rqi_mem_wait *w, int64_t timeout_ms)
{
    struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    if (timeout_ms < 0) {
        return REFQ_OK;
    }
    w->deadline = evtimer_new(m->base, on_deadline, w);
    return w->deadline != NULL && evtimer_add(w->deadline, &tv) == 0 ? REFQ_OK : REFQ_ERR_NOMEM;
}

static refq_err add_wait(rqi_mem_task *t, int64_t timeout_ms, refq_watch_cb watch, refq_task_cb cb,
                         void *arg)
{
    rqi_mem_wait *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return REFQ_ERR_NOMEM;
    }
    *w = (rqi_mem_wait){.task = t, .watch = watch, .cb = cb, .arg = arg};
    TAILQ_INSERT_TAIL(&t->waits, w, link);
    if (set_deadline(t->queue->mem, w, timeout_ms) != REFQ_OK) {
        wait_free(w);
        return REFQ_ERR_NOMEM;
    }
    rqi_mem_changed(t); /* a watch begins with what is */
    return REFQ_OK;
}

static void answer_now(rqi_mem *m, const rqi_mem_task *t, const refq_error *err, refq_task_cb cb,
                       void *arg)
{
    rqi_mem_answer *a = rqi_mem_answer_task(m, cb, arg);
    if (a != NULL && t == NULL) {
        a->err = *err;
    } else if (a != NULL) {
        rqi_mem_answer_with(a, t);
    }
}

void rqi_mem_wait_for(refq_backend *b, const refq_ref *ref, int64_t timeout_ms, refq_watch_cb watch,
                      refq_task_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    refq_error err = {0};
    rqi_mem_task *t = rqi_mem_find(m, ref, &err);
    if (t == NULL || timeout_ms == 0 || rqi_mem_is_over(t)) {
        answer_now(m, t, &err, cb, arg);
    } else if (add_wait(t, timeout_ms, watch, cb, arg) != REFQ_OK) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        answer_now(m, NULL, &err, cb, arg);
    }
}

/* The watch may do anything, also what ends this very wait. */
static void tell_one(rqi_mem *m, rqi_mem_wait *w)
{
    refq_task *task = rqi_mem_snapshot(w->task);
    if (task == NULL) {
        return;
    }
    m->telling = w;
    bool go_on = w->watch(w->arg, task);
    refq_task_free(task);
    if (m->telling != NULL && !go_on) {
        end_wait(w);
    }
    m->telling = NULL;
}

void rqi_mem_tell(rqi_mem *m)
{
    unsigned n = 0;
    rqi_mem_wait *w = NULL;
    TAILQ_FOREACH(w, &m->to_tell, tell)
    {
        n++;
    }
    while (n-- > 0 && (w = TAILQ_FIRST(&m->to_tell)) != NULL) {
        TAILQ_REMOVE(&m->to_tell, w, tell);
        w->telling = false;
        tell_one(m, w);
    }
    if (!TAILQ_EMPTY(&m->to_tell)) {
        rqi_mem_kick(m);
    }
}
