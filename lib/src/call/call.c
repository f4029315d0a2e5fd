/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A call is one submit and one wait. It is never started twice: what is
 * not over in time goes on where it is, and the caller takes the reference. From
 * then on the task belongs to whoever has that reference; until then it belongs
 * to those who wait, and the last of them to leave takes it along.
 */
#include "call/calls.h"

#include "base/error.h"
#include "cache/cache.h"

#include <stdlib.h>
#include <string.h>

int64_t rqi_call_patience_ms(const rqi_under_way *w)
{
    int64_t ms =
        w->spec->has_async_timeout ? w->spec->async_timeout_ms : w->definition->async_timeout_ms;
    return ms > 0 ? ms : 0;
}

/* What a task reports on its way, and why it has failed, may tell of the value: who may not READ
 * that learns how the task stands, and no more. */
static refq_format format_for(const refq_calls *calls, const refq_actor *actor,
                              const refq_task *task, refq_format format)
{
    unsigned bits = rqi_cache_task_permissions(calls->cache, actor, task, REFQ_READ);
    return (bits & REFQ_READ) != 0 ? format : REFQ_FORMAT_MINIMAL;
}

/* The reference is given away: nobody who leaves later may take the task along. A failure to say so
 * leaves it with those who wait, which is no reason to fail the call. */
static refq_err answer_async(rqi_under_way *w, const refq_task *task, refq_response *ret,
                             refq_error *err)
{
    refq_task *now = NULL;
    if (!refq_status_is_terminal(refq_task_status(task)) &&
        refq_client_hand_out(w->calls->client, refq_task_ref(task), &now, NULL) == REFQ_OK) {
        refq_task_free(now);
    }
    refq_format format = format_for(w->calls, refq_caller_actor(w->caller), task, w->format);
    return rqi_cache_answer_async(w->calls->cache, task, format, w->definition->expected, ret, err);
}

static refq_err answer_value(rqi_under_way *w, const refq_task *task, refq_response *ret,
                             refq_error *err)
{
    rqi_held held;
    char ref[REFQ_REF_MAX + 1];
    const refq_actor *actor = refq_caller_actor(w->caller);
    bool own = w->spec->has_max_size != 0;
    int64_t max_size = own ? w->spec->max_size : w->definition->max_size;
    refq_cache_query query = {
        .struct_size = sizeof query, .has_max_size = own || max_size > 0, .max_size = max_size};
    (void)refq_ref_format(refq_task_ref(task), ref);
    refq_err rc = rqi_cache_load(w->calls->cache, ref, &held, err);
    if (rc != REFQ_OK) {
        return rc == REFQ_ERR_NOTFOUND
                   ? rqi_fail(err, rc, "%s is complete, but its value has expired", ref)
                   : rc;
    }
    unsigned bits =
        rqi_cache_permissions(w->calls->cache, ref, actor, &held.view, REFQ_READ | REFQ_EXECUTE);
    rc = (bits & REFQ_READ) != 0
             ? rqi_cache_answer_call(w->calls->cache, ref, &held.view, &query, ret, err)
             : rqi_cache_answer_unseen(ref, (bits & REFQ_EXECUTE) != 0, ret, err);
    rqi_held_done(&held);
    return rc;
}

refq_err rqi_call_answer(rqi_under_way *w, const refq_task *task, refq_response *ret,
                         refq_error *err)
{
    return refq_task_status(task) == REFQ_COMPLETE ? answer_value(w, task, ret, err)
                                                   : answer_async(w, task, ret, err);
}

refq_err refq_call(refq_calls *calls, const refq_call_spec *spec, refq_response *ret,
                   refq_error *err)
{
    refq_task *task = NULL;
    rqi_under_way w = {.calls = calls, .spec = spec};
    refq_err rc = rqi_call_begin(&w, err);
    if (rc == REFQ_OK) {
        rc = refq_client_wait(calls->client, &w.submitted.ref, rqi_call_patience_ms(&w), NULL, NULL,
                              &task, err);
    }
    if (rc == REFQ_OK) {
        rc = rqi_call_answer(&w, task, ret, err);
    }
    refq_task_free(task);
    rqi_call_end(&w);
    return rc;
}

refq_err refq_call_cancel(refq_calls *calls, const char *ref_id, const refq_actor *actor,
                          refq_response *ret, refq_error *err)
{
    refq_task *task = NULL;
    refq_task *after = NULL;
    refq_err rc = rqi_cache_task(calls->cache, ref_id, REFQ_EXECUTE, actor, &task, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rc = refq_client_cancel(calls->client, refq_task_ref(task), &after, err);
    refq_task_free(task);
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_format format = format_for(calls, actor, after, REFQ_FORMAT_STANDARD);
    rc = rqi_cache_answer_async(calls->cache, after, format, NULL, ret, err);
    refq_task_free(after);
    return rc;
}
