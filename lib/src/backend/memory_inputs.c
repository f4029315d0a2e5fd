/* SPDX-License-Identifier: MIT */
/*
 * The values of references in a task's arguments.
 *
 * DESIGN. As in a worker (work/inputs.c): a thread of the pool reads and puts
 * together, the loop only says what lies behind each reference. All it knows
 * are the tasks of this backend; what other ref caches hold is out of its sight.
 */
#include "backend/memory.h"

#include "inputs/resolver.h"
#include "run/resolved.h"

#include <string.h>

static rqi_mem_attempt *attempt_of(rqi_run *run)
{
    return (rqi_mem_attempt *)run; /* its first member */
}

static void fail(rqi_mem_attempt *a, refq_err code, const char *why)
{
    rqi_run_fail(&a->run, code == REFQ_ERR_NOMEM ? RQI_RETRYABLE : RQI_PERMANENT, "%s", why);
    a->run.on_done(&a->run);
}

static bool is_queue(rqi_mem *m, const char *ref_id)
{
    char name[REFQ_QUEUE_MAX + 1];
    size_t len = strcspn(ref_id, ":");
    if (len >= sizeof name) {
        return false;
    }
    memcpy(name, ref_id, len);
    name[len] = '\0';
    return rqi_mem_queue_find(m, name, NULL) != NULL;
}

static void give_value(rqi_mem_attempt *a, size_t i, const rqi_mem_task *t)
{
    rqi_buf entry = {0};
    if (rqi_resolver_reserve(a->inputs, i, t->value.len)) {
        rqi_buf_add(&entry, t->value.ptr, t->value.len);
        rqi_resolver_give_entry(a->inputs, i, &entry);
    }
}

static void look_up(rqi_mem_attempt *a, size_t i, const char *ref_id)
{
    rqi_mem *m = a->queue->mem;
    refq_ref ref;
    const rqi_mem_task *t =
        refq_ref_parse(ref_id, &ref, NULL) == REFQ_OK ? rqi_mem_find(m, &ref, NULL) : NULL;
    if (t == NULL) {
        rqi_resolver_give_nothing(a->inputs, i, is_queue(m, ref_id));
    } else if (t->status == REFQ_COMPLETE && t->value.len > 0 && rqi_mem_now(m) < t->expires_at) {
        give_value(a, i, t);
    } else {
        rqi_resolver_give_task(a->inputs, i, t->status, &t->scope.pub);
    }
}

/* On a thread of the pool. */
static void work(rqi_run *run)
{
    rqi_mem_attempt *a = attempt_of(run);
    rqi_buf json = {0};
    rqi_resolver_work(a->inputs, a->inputs_now);
    if (rqi_resolver_state(a->inputs) == RQI_RESOLVE_DONE) {
        rqi_resolver_take(a->inputs, &json);
        a->inputs_rc = rqi_run_take_resolved(run, &json, &a->inputs_why);
    }
}

static void on_worked(rqi_run *run);

static void start_work(rqi_mem_attempt *a)
{
    rqi_mem *m = a->queue->mem;
    a->inputs_now = rqi_mem_now(m);
    if (rqi_run_job(m->executor, &a->run, work, on_worked) != REFQ_OK) {
        fail(a, REFQ_ERR_NOMEM, "no thread can be started");
    }
}

static void conclude(rqi_mem_attempt *a)
{
    refq_err code = REFQ_OK;
    const char *why = rqi_resolver_error(a->inputs, &code);
    switch (rqi_resolver_state(a->inputs)) {
    case RQI_RESOLVE_DONE:
        if (a->inputs_rc == REFQ_OK) {
            rqi_run_start(a->queue->mem->executor, &a->run);
        } else {
            fail(a, a->inputs_rc, a->inputs_why.text);
        }
        return;
    case RQI_RESOLVE_PARK: fail(a, REFQ_ERR_NOMEM, "its inputs are not there yet"); return;
    case RQI_RESOLVE_WORK: start_work(a); return;
    default: fail(a, code, why); return;
    }
}

static void on_worked(rqi_run *run)
{
    rqi_mem_attempt *a = attempt_of(run);
    size_t i = 0;
    const char *ref_id = NULL;
    if (run->stop != RQI_STOP_NONE || a->queue->mem->closing) {
        fail(a, REFQ_ERR_NOMEM, "stopped before its inputs were there");
        return;
    }
    while ((ref_id = rqi_resolver_next(a->inputs, &i)) != NULL) {
        look_up(a, i, ref_id);
    }
    conclude(a);
}

void rqi_mem_inputs_start(rqi_mem_attempt *a)
{
    refq_error err;
    const rqi_resolver_options options = {.self = a->run.ref,
                                          .task = a->run.task,
                                          .args = rqi_buf_bytes(&a->run.args),
                                          .scope = &a->task->scope.pub,
                                          .schema = a->run.handler->def.input_schema,
                                          .access = &a->queue->access};
    refq_err rc = rqi_resolver_new(&options, &a->inputs, &err);
    if (rc == REFQ_OK) {
        start_work(a);
    } else {
        fail(a, rc, err.text);
    }
}

bool rqi_mem_inputs_park(rqi_mem_task *t, const rqi_mem_attempt *a)
{
    const refq_ref *refs = NULL;
    if (a->inputs == NULL || rqi_resolver_state(a->inputs) != RQI_RESOLVE_PARK) {
        return false;
    }
    size_t n = rqi_resolver_after(a->inputs, &refs);
    if (rqi_mem_after_set(t, refs, n) != REFQ_OK) {
        return false; /* it fails, and is tried again */
    }
    t->attempt--; /* it never began */
    rqi_mem_after_enqueue(t, 0);
    return true;
}
