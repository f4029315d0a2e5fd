/* SPDX-License-Identifier: MIT */
/* New tasks: submitted, or made from one that failed or was cancelled. */
#include "backend/memory.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* --- Submit ----------------------------------------------------------------------------------- */

/* All tasks are looked at before the first is stored, so a call is refused whole. */
static refq_err check_all(const refq_spec *specs, size_t n, rqi_args *args, refq_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(specs[i].ref.queue, specs[0].ref.queue) != 0) {
            return rqi_fail(err, REFQ_ERR_INVALID, "all tasks of one submit must be of one queue");
        }
        refq_err rc = rqi_submit_check(&specs[i], &args[i], err);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    return REFQ_OK;
}

static unsigned pending(const rqi_mem_queue *q)
{
    return q->counts[RQI_MEM_READY] + q->counts[RQI_MEM_HELD] + q->counts[RQI_MEM_DELAYED];
}

static refq_err check_room(const rqi_mem_queue *q, refq_error *err)
{
    if (q->max_pending != 0 && pending(q) >= q->max_pending) {
        return rqi_fail(err, REFQ_ERR_FULL,
                        "queue %s is full (max_pending); nothing was lost, submit it again later",
                        q->name);
    }
    if (pending(q) + q->counts[RQI_MEM_RUNNING] >= RQI_MEM_LIVE) {
        return rqi_fail(err, REFQ_ERR_FULL, "queue %s holds a million tasks: submit it again later",
                        q->name);
    }
    return REFQ_OK;
}

static rqi_mem_task *submitted_before(rqi_mem_queue *q, const refq_spec *spec)
{
    rqi_mem_task *t = rqi_mem_find(q->mem, &spec->ref, NULL);
    return t == NULL && spec->key != NULL ? rqi_mem_find_key(q, spec->key) : t;
}

/* Takes the arguments. */
static rqi_mem_task *store(rqi_mem_queue *q, const refq_spec *spec, rqi_args *args)
{
    rqi_mem_task *t = rqi_mem_task_new(q, &spec->ref, spec->task);
    char *key = spec->key != NULL ? strdup(spec->key) : NULL;
    if (t == NULL || (spec->key != NULL && key == NULL) ||
        rqi_mem_after_set(t, spec->after, spec->n_after) != REFQ_OK) {
        free(key);
        if (t != NULL) {
            rqi_mem_task_free(t);
        }
        return NULL;
    }
    t->lane = spec->lane;
    t->timeout_ms = spec->timeout_ms;
    t->max_retries = spec->max_retries;
    t->start_within = spec->start_within_ms;
    t->start_by = t->start_within > 0 ? t->created_at + spec->delay_ms + t->start_within : 0;
    t->args = args->stored;
    args->stored = (rqi_buf){0};
    t->scope = args->scope;
    args->scope = (rqi_scope){0};
    memcpy(t->preview, args->preview, sizeof t->preview);
    (void)snprintf(t->traceparent, sizeof t->traceparent, "%s",
                   spec->traceparent != NULL ? spec->traceparent : "");
    if (key != NULL) {
        t->key = key;
        t->key_until = t->created_at + (spec->key_ttl_ms > 0 ? spec->key_ttl_ms : DAY_MS);
        rqi_mem_bind_key(t);
    }
    if (args->call[0] != '\0') {
        rqi_mem_call_bind(t, args->call, spec->reuse);
    }
    q->ever[REFQ_PENDING]++;
    rqi_mem_after_enqueue(t, spec->delay_ms);
    return t;
}

static refq_err submit_one(rqi_mem_queue *q, const refq_spec *spec, rqi_args *args,
                           refq_submitted *ret, refq_error *err)
{
    rqi_mem_task *t = submitted_before(q, spec);
    rqi_mem_task *shared = t == NULL ? rqi_mem_call_join(q, spec, args->call) : NULL;
    t = shared != NULL ? shared : t;
    bool existed = t != NULL;
    if (existed && shared == NULL && strcmp(t->ref.hex, spec->ref.hex) != 0) {
        /* who came by its key counts on it, but is no caller */
        t->call.handed = t->call.handed || !rqi_mem_is_over(t);
    }
    if (!existed) {
        refq_err rc = check_room(q, err);
        if (rc != REFQ_OK) {
            return rc;
        }
        t = store(q, spec, args);
    }
    if (t == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    *ret = (refq_submitted){
        .ref = t->ref, .existed = existed, .joined = shared != NULL, .status = t->status};
    return REFQ_OK;
}

static refq_err submit_all(rqi_mem *m, const refq_spec *specs, rqi_mem_answer *a, rqi_args *args)
{
    refq_err rc = check_all(specs, a->n, args, &a->err);
    rqi_mem_queue *q = rc == REFQ_OK ? rqi_mem_queue_find(m, specs[0].ref.queue, &a->err) : NULL;
    if (q == NULL) {
        return a->err.code;
    }
    for (size_t i = 0; i < a->n && rc == REFQ_OK; i++) {
        rc = submit_one(q, &specs[i], &args[i], &a->done[i], &a->err);
    }
    return rc;
}

void rqi_mem_submit(refq_backend *b, const refq_spec *specs, size_t n, refq_submit_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_submit(m, cb, arg);
    if (a == NULL) {
        return;
    }
    if (n == 0) {
        (void)rqi_fail(&a->err, REFQ_ERR_INVALID, "nothing to submit");
        return;
    }
    rqi_args *args = calloc(n, sizeof *args);
    a->done = calloc(n, sizeof *a->done);
    a->n = n;
    if (args == NULL || a->done == NULL) {
        (void)rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory for %zu tasks", n);
    } else {
        (void)submit_all(m, specs, a, args);
    }
    for (size_t i = 0; args != NULL && i < n; i++) {
        rqi_args_done(&args[i]);
    }
    free(args);
}

/* --- Retry ------------------------------------------------------------------------------------ */

static refq_err refuse_retry(const rqi_mem_task *t, const refq_ref *as, refq_error *err)
{
    char ref[REFQ_REF_MAX + 1];
    const char *why = NULL;
    if (strcmp(t->ref.queue, as->queue) != 0 ||
        strspn(as->hex, "0123456789abcdef") != REFQ_HEX_LEN) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the new reference must be of the same queue, made by refq_ref_make()");
    }
    if (!rqi_mem_is_over(t)) {
        why = "is not over: there is nothing to run again";
    } else if (t->status == REFQ_COMPLETE) {
        why = "is complete: read its result, or submit a new task";
    } else if (rqi_mem_find(t->queue->mem, as, NULL) != NULL) {
        why = "cannot be run again under a reference that is taken";
    }
    return why == NULL
               ? REFQ_OK
               : rqi_fail(err, REFQ_ERR_CONFLICT, "task %s %s", refq_ref_format(&t->ref, ref), why);
}

static void move_key(rqi_mem_task *from, rqi_mem_task *to)
{
    if (from->key == NULL) {
        return;
    }
    to->key = strdup(from->key);
    to->key_until = from->key_until;
    if (to->key != NULL && from->by_key.item != NULL) {
        rqi_mem_drop_key(from);
        rqi_mem_bind_key(to);
    }
}

static rqi_mem_task *make_again(rqi_mem_task *old, const refq_ref *as)
{
    rqi_mem_queue *q = old->queue;
    rqi_buf args = {0};
    rqi_buf_add(&args, old->args.ptr, old->args.len);
    rqi_scope scope = {0};
    refq_err rc = args.err == REFQ_OK ? rqi_scope_copy(&old->scope.pub, &scope, NULL) : args.err;
    rqi_mem_task *t = rc == REFQ_OK ? rqi_mem_task_new(q, as, old->name) : NULL;
    if (t == NULL) {
        rqi_buf_done(&args);
        rqi_scope_done(&scope);
        return NULL;
    }
    t->args = args;
    t->scope = scope;
    if (rqi_mem_after_copy(t, old) != REFQ_OK) {
        rqi_mem_task_free(t);
        return NULL;
    }
    t->lane = old->lane;
    t->timeout_ms = old->timeout_ms;
    t->max_retries = old->max_retries;
    t->start_within = old->start_within;
    t->start_by = old->start_within > 0 ? t->created_at + old->start_within : 0;
    memcpy(t->preview, old->preview, sizeof t->preview);
    memcpy(t->traceparent, old->traceparent, sizeof t->traceparent);
    memcpy(t->replaces, old->ref.hex, sizeof t->replaces);
    memcpy(old->replaced_by, as->hex, sizeof old->replaced_by);
    move_key(old, t);
    rqi_mem_call_bind_again(t, old);
    q->ever[REFQ_PENDING]++;
    rqi_mem_after_enqueue(t, 0);
    return t;
}

void rqi_mem_retry(refq_backend *b, const refq_ref *ref, const refq_ref *as, refq_task_cb cb,
                   void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_task(m, cb, arg);
    rqi_mem_task *old = a != NULL ? rqi_mem_find(m, ref, &a->err) : NULL;
    if (old == NULL) {
        return;
    }
    rqi_mem_task *t = NULL;
    if (old->replaced_by[0] != '\0') {
        refq_ref other = old->ref;
        memcpy(other.hex, old->replaced_by, sizeof other.hex);
        t = rqi_mem_find(m, &other, &a->err);
    } else if (refuse_retry(old, as, &a->err) == REFQ_OK) {
        t = make_again(old, as);
        if (t == NULL) {
            (void)rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory");
        }
    }
    if (t != NULL) {
        rqi_mem_answer_with(a, t);
    }
}
