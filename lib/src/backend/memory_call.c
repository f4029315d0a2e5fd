/* SPDX-License-Identifier: MIT */
/* Identical calls: which task they share, who its callers are, and when the last one has gone. */
#include "backend/memory.h"

#include <stdlib.h>
#include <string.h>

#define CALLERS_MAX 1024 /* one more, and detaching does not cancel the task any more */

/* --- Finding ---------------------------------------------------------------------------------- */

static rqi_mem_task *find(rqi_mem_queue *q, const char *digest)
{
    const rqi_mem_index *calls = &q->mem->calls;
    uint64_t hash = rqi_mem_hash(calls, q->name, digest);
    rqi_mem_link *link = NULL;
    while ((link = rqi_mem_index_next(calls, link, hash)) != NULL) {
        rqi_mem_task *t = link->item;
        if (t->queue == q && strcmp(t->call.digest, digest) == 0) {
            return t;
        }
    }
    return NULL;
}

static bool has_value(const rqi_mem_task *t)
{
    return t->status == REFQ_COMPLETE && t->value.len > 0 &&
           t->expires_at > rqi_mem_now(t->queue->mem);
}

static void unbind(rqi_mem_task *t)
{
    rqi_mem_index_remove(&t->queue->mem->calls, &t->call.by_digest);
}

static void bind(rqi_mem_task *t, const char *digest, refq_reuse reuse)
{
    rqi_mem_index *calls = &t->queue->mem->calls;
    memcpy(t->call.digest, digest, sizeof t->call.digest);
    t->call.reuse = reuse;
    rqi_mem_index_add(calls, &t->call.by_digest, rqi_mem_hash(calls, t->queue->name, digest), t);
}

/* --- Callers ---------------------------------------------------------------------------------- */

static size_t find_caller(const rqi_mem_call *call, const char *hex)
{
    size_t i = 0;
    while (i < call->callers_n && strcmp(call->callers[i], hex) != 0) {
        i++;
    }
    return i;
}

/* False when there is no room. */
static bool put_caller(rqi_mem_call *call, const char *hex)
{
    if (find_caller(call, hex) < call->callers_n) {
        return true;
    }
    if (call->callers_n == CALLERS_MAX) {
        return false;
    }
    void *grown = realloc(call->callers, (call->callers_n + 1) * sizeof call->callers[0]);
    if (grown == NULL) {
        return false;
    }
    call->callers = grown;
    memcpy(call->callers[call->callers_n++], hex, sizeof call->callers[0]);
    return true;
}

static void add_caller(rqi_mem_task *t, const char *hex)
{
    rqi_mem_call *call = &t->call;
    bool room = call->callers_n > 0 || put_caller(call, t->ref.hex);
    if (!room || !put_caller(call, hex)) {
        call->handed = true; /* nobody can tell any more who the last one is */
    }
}

/* True when nobody is left. */
static bool remove_caller(rqi_mem_task *t, const char *hex)
{
    rqi_mem_call *call = &t->call;
    if (call->callers_n == 0) {
        return strcmp(t->ref.hex, hex) == 0;
    }
    size_t at = find_caller(call, hex);
    if (at == call->callers_n) {
        return false;
    }
    memcpy(call->callers[at], call->callers[--call->callers_n], sizeof call->callers[0]);
    return call->callers_n == 0;
}

/* --- A task's life ---------------------------------------------------------------------------- */

rqi_mem_task *rqi_mem_call_join(rqi_mem_queue *q, const refq_spec *spec, const char *digest)
{
    rqi_mem_task *t = digest[0] != '\0' ? find(q, digest) : NULL;
    if (t == NULL) {
        return NULL;
    }
    if (!rqi_mem_is_over(t)) {
        add_caller(t, spec->ref.hex);
        return t;
    }
    return spec->reuse == REFQ_REUSE_RESULT && has_value(t) ? t : NULL;
}

void rqi_mem_call_bind(rqi_mem_task *t, const char *digest, refq_reuse reuse)
{
    rqi_mem_task *before = find(t->queue, digest);
    if (before != NULL) {
        unbind(before);
    }
    bind(t, digest, reuse);
}

void rqi_mem_call_bind_again(rqi_mem_task *t, const rqi_mem_task *old)
{
    if (old->call.digest[0] != '\0' && find(t->queue, old->call.digest) == NULL) {
        bind(t, old->call.digest, old->call.reuse);
    }
}

void rqi_mem_call_end(rqi_mem_task *t)
{
    if (t->status != REFQ_COMPLETE || t->call.reuse != REFQ_REUSE_RESULT) {
        unbind(t);
    }
    free(t->call.callers);
    t->call.callers = NULL;
    t->call.callers_n = 0;
}

void rqi_mem_call_done(rqi_mem_task *t)
{
    unbind(t);
    free(t->call.callers);
}

/* --- Operations ------------------------------------------------------------------------------- */

void rqi_mem_detach_caller(refq_backend *b, const refq_ref *ref, const refq_ref *caller,
                           refq_task_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_task(m, cb, arg);
    rqi_mem_task *t = a != NULL ? rqi_mem_find(m, ref, &a->err) : NULL;
    if (t == NULL) {
        return;
    }
    if (!rqi_mem_is_over(t) && remove_caller(t, caller->hex) && !t->call.handed) {
        rqi_mem_cancel_now(t);
    }
    rqi_mem_answer_with(a, t);
}

void rqi_mem_hand_out(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_task(m, cb, arg);
    rqi_mem_task *t = a != NULL ? rqi_mem_find(m, ref, &a->err) : NULL;
    if (t == NULL) {
        return;
    }
    t->call.handed = t->call.handed || !rqi_mem_is_over(t);
    rqi_mem_answer_with(a, t);
}
