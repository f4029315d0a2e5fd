/* SPDX-License-Identifier: MIT */
/* What operations answer, until the loop's next turn hands it to their callers. */
#include "backend/memory.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static rqi_mem_answer *answer_new(rqi_mem *m, void *arg,
                                  void (*deliver)(rqi_mem_answer *a, const refq_error *err))
{
    rqi_mem_answer *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->deliver = deliver;
    a->arg = arg;
    TAILQ_INSERT_TAIL(&m->answers, a, link);
    rqi_mem_kick(m);
    return a;
}

static const refq_error no_memory = {REFQ_ERR_NOMEM, "out of memory"};

/* --- One for each kind of callback ------------------------------------------------------------ */

static void deliver_submit(rqi_mem_answer *a, const refq_error *err)
{
    a->cb.submit(a->arg, err, err == NULL ? a->done : NULL, err == NULL ? a->n : 0);
}

rqi_mem_answer *rqi_mem_answer_submit(rqi_mem *m, refq_submit_cb cb, void *arg)
{
    rqi_mem_answer *a = answer_new(m, arg, deliver_submit);
    if (a == NULL) {
        cb(arg, &no_memory, NULL, 0);
        return NULL;
    }
    a->cb.submit = cb;
    return a;
}

/* The callback owns the task. */
static refq_task *hand_out(rqi_mem_answer *a)
{
    refq_task *task = a->task;
    a->task = NULL;
    return task;
}

static void deliver_task(rqi_mem_answer *a, const refq_error *err)
{
    a->cb.task(a->arg, err, err == NULL ? hand_out(a) : NULL);
}

rqi_mem_answer *rqi_mem_answer_task(rqi_mem *m, refq_task_cb cb, void *arg)
{
    rqi_mem_answer *a = answer_new(m, arg, deliver_task);
    if (a == NULL) {
        cb(arg, &no_memory, NULL);
        return NULL;
    }
    a->cb.task = cb;
    return a;
}

/* A task comes along with REFQ_ERR_CONFLICT, too. */
static void deliver_result(rqi_mem_answer *a, const refq_error *err)
{
    a->cb.result(a->arg, err, hand_out(a), rqi_buf_bytes(&a->text));
}

rqi_mem_answer *rqi_mem_answer_result(rqi_mem *m, refq_result_cb cb, void *arg)
{
    rqi_mem_answer *a = answer_new(m, arg, deliver_result);
    if (a == NULL) {
        cb(arg, &no_memory, NULL, (refq_bytes){0});
        return NULL;
    }
    a->cb.result = cb;
    return a;
}

static void deliver_list(rqi_mem_answer *a, const refq_error *err)
{
    refq_page page = {.tasks = a->tasks, .n = a->n, .next = a->next};
    if (err == NULL) {
        a->n = 0; /* they are the callback's now */
    }
    a->cb.list(a->arg, err, err == NULL ? &page : NULL);
}

rqi_mem_answer *rqi_mem_answer_list(rqi_mem *m, refq_list_cb cb, void *arg)
{
    rqi_mem_answer *a = answer_new(m, arg, deliver_list);
    if (a == NULL) {
        cb(arg, &no_memory, NULL);
        return NULL;
    }
    a->cb.list = cb;
    return a;
}

static void deliver_count(rqi_mem_answer *a, const refq_error *err)
{
    a->cb.count(a->arg, err, err == NULL ? a->count : 0);
}

rqi_mem_answer *rqi_mem_answer_count(rqi_mem *m, refq_count_cb cb, void *arg)
{
    rqi_mem_answer *a = answer_new(m, arg, deliver_count);
    if (a == NULL) {
        cb(arg, &no_memory, 0);
        return NULL;
    }
    a->cb.count = cb;
    return a;
}

static void deliver_stats(rqi_mem_answer *a, const refq_error *err)
{
    a->cb.stats(a->arg, err, err == NULL ? &a->stats : NULL);
}

rqi_mem_answer *rqi_mem_answer_stats(rqi_mem *m, refq_stats_cb cb, void *arg)
{
    rqi_mem_answer *a = answer_new(m, arg, deliver_stats);
    if (a == NULL) {
        cb(arg, &no_memory, NULL);
        return NULL;
    }
    a->cb.stats = cb;
    return a;
}

static void deliver_texts(rqi_mem_answer *a, const refq_error *err)
{
    a->cb.texts(a->arg, err, a->texts, err == NULL ? a->n : 0);
}

rqi_mem_answer *rqi_mem_answer_texts(rqi_mem *m, refq_texts_cb cb, void *arg)
{
    rqi_mem_answer *a = answer_new(m, arg, deliver_texts);
    if (a == NULL) {
        cb(arg, &no_memory, NULL, 0);
        return NULL;
    }
    a->cb.texts = cb;
    return a;
}

static void deliver_events(rqi_mem_answer *a, const refq_error *err)
{
    a->cb.events(a->arg, err, a->events, err == NULL ? a->n : 0, a->next);
}

rqi_mem_answer *rqi_mem_answer_events(rqi_mem *m, refq_events_cb cb, void *arg)
{
    rqi_mem_answer *a = answer_new(m, arg, deliver_events);
    if (a == NULL) {
        cb(arg, &no_memory, NULL, 0, "");
        return NULL;
    }
    a->cb.events = cb;
    return a;
}

void rqi_mem_answer_with(rqi_mem_answer *a, const rqi_mem_task *t)
{
    a->task = rqi_mem_snapshot(t);
    if (a->task == NULL) {
        a->err = no_memory;
    }
}

/* --- Delivery --------------------------------------------------------------------------------- */

static void answer_free(rqi_mem_answer *a)
{
    refq_task_free(a->task);
    for (size_t i = 0; a->tasks != NULL && i < a->n; i++) {
        refq_task_free(a->tasks[i]);
    }
    free((void *)a->tasks);
    free(a->done);
    free(a->texts);
    free(a->events);
    rqi_buf_done(&a->text);
    free(a);
}

/* What callbacks ask for while they are called is answered in the next turn. */
void rqi_mem_deliver(rqi_mem *m, const refq_error *err)
{
    struct rqi_mem_answers now = TAILQ_HEAD_INITIALIZER(now);
    TAILQ_CONCAT(&now, &m->answers, link);
    while (!TAILQ_EMPTY(&now)) {
        rqi_mem_answer *a = TAILQ_FIRST(&now);
        TAILQ_REMOVE(&now, a, link);
        const refq_error *own = a->err.code != REFQ_OK ? &a->err : NULL;
        a->deliver(a, err != NULL ? err : own);
        answer_free(a);
    }
}

void rqi_mem_answer_point(rqi_mem_answer *a)
{
    const char *at = rqi_buf_str(&a->text);
    a->texts = calloc(a->n + 1, sizeof *a->texts);
    if (a->texts == NULL || a->text.err != REFQ_OK) {
        (void)rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory");
        return;
    }
    for (size_t i = 0; i < a->n; i++) {
        a->texts[i] = (refq_bytes){.ptr = at, .len = strlen(at)};
        at += strlen(at) + 1;
    }
}
