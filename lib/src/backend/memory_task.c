/* SPDX-License-Identifier: MIT */
/* Tasks: their memory, their places, their records. */
#include "backend/memory.h"

#include "base/error.h"
#include "task/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Places ----------------------------------------------------------------------------------- */

static struct rqi_mem_tasks *list_of(const rqi_mem_task *t)
{
    return t->where == RQI_MEM_READY ? &t->queue->lanes[t->lane] : &t->queue->places[t->where];
}

static void leave(rqi_mem_task *t)
{
    if (t->where != RQI_MEM_NOWHERE) {
        TAILQ_REMOVE(list_of(t), t, link);
        t->queue->counts[t->where]--;
        if (t->where == RQI_MEM_HELD) {
            t->kind->held--; /* however it leaves: it may be cancelled or expire there */
        }
        t->where = RQI_MEM_NOWHERE;
    }
}

void rqi_mem_move(rqi_mem_task *t, rqi_mem_place where)
{
    leave(t);
    t->where = where;
    t->position = ++t->queue->mem->positions;
    TAILQ_INSERT_TAIL(list_of(t), t, link);
    t->queue->counts[where]++;
    rqi_mem_schedule(t);
}

/* --- Memory ----------------------------------------------------------------------------------- */

rqi_mem_task *rqi_mem_task_new(rqi_mem_queue *q, const refq_ref *ref, const char *name)
{
    rqi_mem *m = q->mem;
    rqi_mem_task *t = calloc(1, sizeof *t);
    if (t == NULL || rqi_mem_time_reserve(m) != REFQ_OK) {
        free(t);
        return NULL;
    }
    t->ref = *ref;
    t->queue = q;
    t->where = RQI_MEM_NOWHERE;
    t->status = REFQ_PENDING;
    t->created_at = rqi_mem_now(m);
    TAILQ_INIT(&t->waits);
    LIST_INIT(&t->followers);
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    for (size_t i = 0; i < q->kinds_n && t->kind == NULL; i++) {
        t->kind = strcmp(q->kinds[i].handler->def.name, name) == 0 ? &q->kinds[i] : NULL;
    }
    rqi_mem_index_add(&m->refs, &t->by_ref, rqi_mem_hash(&m->refs, ref->queue, ref->hex), t);
    return t;
}

void rqi_mem_task_free(rqi_mem_task *t)
{
    rqi_mem *m = t->queue->mem;
    rqi_mem_end_waits(t, NULL);
    leave(t);
    rqi_mem_schedule(t); /* it is nowhere, so nothing will happen to it */
    if (t->running != NULL) {
        t->running->task = NULL;
    }
    rqi_mem_index_remove(&m->refs, &t->by_ref);
    rqi_mem_drop_key(t);
    rqi_mem_call_done(t);
    rqi_mem_after_done(t);
    while (!LIST_EMPTY(&t->followers)) { /* only when all is taken down */
        LIST_FIRST(&t->followers)->linked = false;
        LIST_REMOVE(LIST_FIRST(&t->followers), link);
    }
    for (unsigned i = 0; i < t->history_n; i++) {
        free(t->history[i]);
    }
    free(t->question);
    free(t->key);
    rqi_scope_done(&t->scope);
    rqi_buf_done(&t->args);
    rqi_buf_done(&t->value);
    free(t);
}

/* --- Keys ------------------------------------------------------------------------------------- */

void rqi_mem_drop_key(rqi_mem_task *t)
{
    rqi_mem_index_remove(&t->queue->mem->keys, &t->by_key);
}

void rqi_mem_bind_key(rqi_mem_task *t)
{
    rqi_mem_index *keys = &t->queue->mem->keys;
    rqi_mem_index_add(keys, &t->by_key, rqi_mem_hash(keys, t->queue->name, t->key), t);
}

rqi_mem_task *rqi_mem_find_key(rqi_mem_queue *q, const char *key)
{
    rqi_mem_index *keys = &q->mem->keys;
    uint64_t hash = rqi_mem_hash(keys, q->name, key);
    rqi_mem_link *link = NULL;
    while ((link = rqi_mem_index_next(keys, link, hash)) != NULL) {
        rqi_mem_task *t = link->item;
        if (t->queue != q || strcmp(t->key, key) != 0) {
            continue;
        }
        if (t->key_until <= rqi_mem_now(q->mem)) {
            rqi_mem_drop_key(t);
            return NULL;
        }
        return t;
    }
    return NULL;
}

/* --- Steps ------------------------------------------------------------------------------------ */

bool rqi_mem_is_over(const rqi_mem_task *t)
{
    return t->where == RQI_MEM_OVER;
}

int rqi_mem_allowed_retries(const rqi_mem_task *t)
{
    int n = t->max_retries != 0 ? t->max_retries : t->kind->handler->def.max_retries;
    return n == REFQ_NO_RETRIES ? 0 : n;
}

void rqi_mem_enqueue(rqi_mem_task *t, int64_t delay_ms)
{
    rqi_mem *m = t->queue->mem;
    bool queued_anew = t->where != RQI_MEM_DELAYED;
    t->status = REFQ_PENDING;
    t->due_at = delay_ms > 0 ? rqi_mem_now(m) + delay_ms : 0;
    t->fence[0] = '\0';
    if (delay_ms > 0) {
        rqi_mem_move(t, RQI_MEM_DELAYED);
    } else {
        t->ready_at = rqi_mem_now(m);
        (void)snprintf(t->fence, sizeof t->fence, "%lld-%llu", (long long)t->ready_at,
                       (unsigned long long)++m->fences);
        rqi_mem_move(t, RQI_MEM_READY);
    }
    if (queued_anew) {
        t->has_progress = false;
        rqi_mem_log_event(t);
        rqi_mem_changed(t);
    }
    rqi_mem_kick(m);
}

static void forget_oldest(rqi_mem_queue *q)
{
    if (q->counts[RQI_MEM_OVER] > RQI_MEM_FINISHED) {
        rqi_mem_task_free(TAILQ_FIRST(&q->places[RQI_MEM_OVER]));
    }
}

void rqi_mem_end(rqi_mem_task *t, refq_status status, const char *reason, const char *error)
{
    rqi_mem_queue *q = t->queue;
    t->status = status;
    t->completed_at = rqi_mem_now(q->mem);
    t->due_at = t->start_by = 0;
    if (status == REFQ_FAILED) {
        t->reason = reason;
        rqi_outcome_short(error, t->error);
    }
    int64_t ttl = status == REFQ_FAILED ? 7 * q->record_ttl_ms : q->record_ttl_ms;
    int64_t value_ttl = t->expires_at != 0 ? t->expires_at - t->completed_at + 60000 : 0;
    t->gone_at = t->completed_at + (ttl > value_ttl ? ttl : value_ttl);
    if (status == REFQ_COMPLETE) {
        rqi_buf_done(&t->args);
    }
    q->ever[status]++;
    rqi_mem_call_end(t);
    rqi_mem_move(t, RQI_MEM_OVER);
    rqi_mem_log_event(t);
    rqi_mem_end_waits(t, NULL);
    rqi_mem_after_end(t);
    forget_oldest(q);
}

void rqi_mem_changed(rqi_mem_task *t)
{
    rqi_mem *m = t->queue->mem;
    rqi_mem_wait *w = NULL;
    TAILQ_FOREACH(w, &t->waits, link)
    {
        if (w->watch != NULL && !w->telling) {
            w->telling = true;
            TAILQ_INSERT_TAIL(&m->to_tell, w, tell);
            rqi_mem_kick(m);
        }
    }
}

void rqi_mem_detach(rqi_mem_task *t, rqi_stop_reason why)
{
    rqi_mem_attempt *a = t->running;
    t->running = NULL;
    t->deadline_at = 0;
    free(t->question);
    t->question = NULL;
    if (a != NULL) {
        a->task = NULL;
        rqi_run_stop(&a->run, why);
    }
}

/* --- The record ------------------------------------------------------------------------------- */

/* Adds fields to a record; the first failure stays. */
struct writer {
    refq_task *task;
    refq_err rc;
};

static void add_text(struct writer *w, const char *name, const char *value)
{
    if (w->rc == REFQ_OK && value != NULL && value[0] != '\0') {
        w->rc = rqi_record_set(w->task, name, value);
    }
}

static void add_number(struct writer *w, const char *name, int64_t value, bool set)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    if (set) {
        add_text(w, name, text);
    }
}

static void add_times(struct writer *w, const rqi_mem_task *t)
{
    const struct {
        const char *name;
        int64_t ms;
    } times[] = {
        {"created_at", t->created_at},
        {"timeout_ms", t->timeout_ms},
        {"start_within", t->start_within},
        {"start_by", t->start_by},
        {"due_at", t->due_at},
        {"started_at", t->started_at},
        {"completed_at", t->completed_at},
        {"expires_at", t->expires_at},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        add_number(w, times[i].name, times[i].ms, times[i].ms != 0);
    }
}

static void add_progress(struct writer *w, const rqi_mem_task *t)
{
    char text[48];
    if (t->has_progress) {
        (void)snprintf(text, sizeof text, "%lld/%lld", (long long)t->current, (long long)t->total);
        add_text(w, "progress", text);
        add_text(w, "message", t->message);
    }
    if (t->question != NULL) {
        add_text(w, "waiting", "input");
        add_text(w, "question", t->question);
    }
}

static void add_counts(struct writer *w, const rqi_mem_task *t)
{
    int retries = t->max_retries == REFQ_NO_RETRIES ? 0 : t->max_retries;
    add_number(w, "attempt", t->attempt, true);
    add_number(w, "max_retries", retries, t->max_retries != 0);
    add_number(w, "failures", t->failures, t->failures != 0);
    add_number(w, "releases", t->releases, t->releases != 0);
    add_number(w, "crashes", t->crashes, t->crashes != 0);
}

static void add_after(struct writer *w, const rqi_mem_task *t)
{
    char text[REFQ_REF_MAX + 1];
    rqi_buf refs = {0};
    for (size_t i = 0; i < t->after_n; i++) {
        rqi_buf_adds(&refs, i > 0 ? " " : "");
        rqi_buf_adds(&refs, refq_ref_format(&t->after[i].ref, text));
    }
    w->rc = w->rc == REFQ_OK ? refs.err : w->rc;
    add_text(w, "after", rqi_buf_str(&refs));
    rqi_buf_done(&refs);
}

static void add_texts(struct writer *w, const rqi_mem_task *t)
{
    bool begun = t->attempt > 0 && t->status != REFQ_PENDING;
    const struct {
        const char *name;
        const char *value;
    } texts[] = {
        {"args_preview", t->preview},
        {"key", t->key},
        {"traceparent", t->traceparent},
        {"entry", t->fence},
        {"worker", begun ? t->queue->mem->id : NULL},
        {"held", t->where == RQI_MEM_HELD ? "1" : NULL},
        {"error", t->error},
        {"reason", t->reason},
        {"replaced_by", t->replaced_by},
        {"replaces", t->replaces},
        {"call", t->call.digest},
        {"reuse", t->call.digest[0] != '\0' ? rqi_reuse_name(t->call.reuse) : NULL},
        {"handed", t->call.handed ? "1" : NULL},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        add_text(w, texts[i].name, texts[i].value);
    }
}

static void add_scope(struct writer *w, const refq_scope *scope)
{
    const char *name = NULL;
    const char *text = NULL;
    for (unsigned i = 0; rqi_scope_at(scope, i, &name, &text); i++) {
        add_text(w, name, text);
    }
}

refq_task *rqi_mem_snapshot(const rqi_mem_task *t)
{
    struct writer w = {rqi_record_new(&t->ref, rqi_mem_now(t->queue->mem)), REFQ_OK};
    if (w.task == NULL) {
        return NULL;
    }
    add_text(&w, "status", refq_status_name(t->status));
    add_text(&w, "task", t->name);
    add_text(&w, "lane", refq_lane_name(t->lane));
    add_text(&w, "v", "1");
    add_counts(&w, t);
    add_times(&w, t);
    add_texts(&w, t);
    add_scope(&w, &t->scope.pub);
    add_after(&w, t);
    add_progress(&w, t);
    if (w.rc != REFQ_OK) {
        refq_task_free(w.task);
        return NULL;
    }
    return w.task;
}
