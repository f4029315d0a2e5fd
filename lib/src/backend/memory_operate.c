/* SPDX-License-Identifier: MIT */
/* For the people who run a queue: cleanup, numbers, control. */
#include "backend/memory.h"

#include "base/error.h"
#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MOST  1000000
#define PENDING_MOST 1000000000

/* --- Cleanup ---------------------------------------------------------------------------------- */

static refq_err check_cleanup(const refq_cleanup_query *query, refq_error *err)
{
    if (query->status >= 0 &&
        (query->status > REFQ_CANCELLED || !refq_status_is_terminal((refq_status)query->status))) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "only complete, failed and cancelled tasks can be removed");
    }
    if (query->older_than_ms < 0 || query->older_than_ms > RQI_DURATION_MAX_MS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "the age must be 0 to 366 days");
    }
    return query->task != NULL ? refq_name_check(query->task, err) : REFQ_OK;
}

static bool is_meant(const rqi_mem_task *t, const refq_cleanup_query *query, int64_t before)
{
    if (query->dead && (t->status != REFQ_FAILED || t->replaced_by[0] != '\0')) {
        return false;
    }
    return t->completed_at <= before &&
           (query->status < 0 || t->status == (refq_status)query->status) &&
           (query->task == NULL || strcmp(query->task, t->name) == 0);
}

static int64_t remove_all(rqi_mem_queue *q, const refq_cleanup_query *query)
{
    int64_t before = rqi_mem_now(q->mem) - query->older_than_ms;
    int64_t removed = 0;
    rqi_mem_task *t = TAILQ_FIRST(&q->places[RQI_MEM_OVER]);
    while (t != NULL && (query->limit == 0 || removed < query->limit)) {
        rqi_mem_task *next = TAILQ_NEXT(t, link);
        if (is_meant(t, query, before)) {
            rqi_mem_task_free(t);
            removed++;
        }
        t = next;
    }
    return removed;
}

static int64_t remove_one(rqi_mem_queue *q, const refq_ref *ref)
{
    rqi_mem_task *t = rqi_mem_find(q->mem, ref, NULL);
    if (t == NULL || t->queue != q || !rqi_mem_is_over(t)) {
        return 0;
    }
    rqi_mem_task_free(t);
    return 1;
}

void rqi_mem_cleanup(refq_backend *b, const refq_cleanup_query *query, refq_count_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_count(m, cb, arg);
    if (a == NULL || check_cleanup(query, &a->err) != REFQ_OK) {
        return;
    }
    rqi_mem_queue *q = rqi_mem_queue_find(m, query->queue, &a->err);
    if (q != NULL) {
        a->count = query->only != NULL ? remove_one(q, query->only) : remove_all(q, query);
    }
}

/* --- Numbers ---------------------------------------------------------------------------------- */

static int64_t oldest_ready(const rqi_mem_queue *q)
{
    int64_t now = rqi_mem_now(q->mem);
    int64_t oldest = 0;
    for (int i = 0; i < RQI_MEM_LANES; i++) {
        const rqi_mem_task *t = TAILQ_FIRST(&q->lanes[i]);
        int64_t waits = t != NULL ? now - t->ready_at : 0;
        oldest = waits > oldest ? waits : oldest;
    }
    return oldest;
}

static int64_t dead_letters(const rqi_mem_queue *q)
{
    int64_t n = 0;
    const rqi_mem_task *t = NULL;
    TAILQ_FOREACH(t, &q->places[RQI_MEM_OVER], link)
    {
        n += t->status == REFQ_FAILED && t->replaced_by[0] == '\0';
    }
    return n;
}

void rqi_mem_stats(refq_backend *b, const char *queue, refq_stats_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_stats(m, cb, arg);
    rqi_mem_queue *q = a != NULL ? rqi_mem_queue_find(m, queue, &a->err) : NULL;
    if (q == NULL) {
        return;
    }
    const unsigned *n = q->counts;
    a->stats = (refq_stats){
        .struct_size = sizeof a->stats,
        .pending = (int64_t)n[RQI_MEM_READY] + n[RQI_MEM_DELAYED] + n[RQI_MEM_HELD],
        .ready = n[RQI_MEM_READY],
        .delayed = n[RQI_MEM_DELAYED],
        .held = n[RQI_MEM_HELD],
        .processing = n[RQI_MEM_RUNNING],
        .dead = dead_letters(q),
        .submitted = q->ever[REFQ_PENDING],
        .complete = q->ever[REFQ_COMPLETE],
        .failed = q->ever[REFQ_FAILED],
        .cancelled = q->ever[REFQ_CANCELLED],
        .retries = q->retries,
        .deaths = q->deaths,
        .releases = q->releases,
        .oldest_ms = oldest_ready(q),
        .max_pending = q->max_pending,
        .now_ms = rqi_mem_now(m),
        .paused = q->paused,
    };
    (void)snprintf(a->stats.queue, sizeof a->stats.queue, "%s", q->name);
}

/* --- Control ---------------------------------------------------------------------------------- */

static refq_err set_paused(rqi_mem_queue *q, bool paused)
{
    q->paused = paused;
    rqi_mem_kick(q->mem);
    return REFQ_OK;
}

static refq_err apply(rqi_mem_queue *q, const refq_control *c, refq_error *err)
{
    int64_t most = c->action == REFQ_EVENTS_MAX ? EVENTS_MOST : PENDING_MOST;
    if (c->value < 0 || c->value > most) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "the limit must be 0 to %lld", (long long)most);
    }
    switch (c->action) {
    case REFQ_PAUSE:
    case REFQ_RESUME: return set_paused(q, c->action == REFQ_PAUSE);
    case REFQ_MAX_PENDING: q->max_pending = (unsigned)c->value; return REFQ_OK;
    case REFQ_EVENTS_MAX: return rqi_mem_log_resize(q, (size_t)c->value, err);
    case REFQ_WORKER_QUIET:
    case REFQ_WORKER_RESUME:
    case REFQ_WORKER_DRAIN:
        return rqi_fail(err, REFQ_ERR_UNSUPPORTED,
                        "the memory backend has no workers; pause the queue instead");
    }
    return rqi_fail(err, REFQ_ERR_INVALID, "no such action: %d", (int)c->action);
}

void rqi_mem_control(refq_backend *b, const refq_control *control, refq_count_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_count(m, cb, arg);
    rqi_mem_queue *q = a != NULL ? rqi_mem_queue_find(m, control->queue, &a->err) : NULL;
    if (q != NULL && apply(q, control, &a->err) == REFQ_OK) {
        a->count = 1;
    }
}

void rqi_mem_queues(refq_backend *b, refq_texts_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_texts(m, cb, arg);
    if (a == NULL) {
        return;
    }
    a->texts = calloc(m->queues_n, sizeof *a->texts);
    if (a->texts == NULL) {
        (void)rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory");
        return;
    }
    for (; a->n < m->queues_n; a->n++) {
        const char *name = m->queues[a->n].name;
        a->texts[a->n] = (refq_bytes){.ptr = name, .len = strlen(name)};
    }
}
