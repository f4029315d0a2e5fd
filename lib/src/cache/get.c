/* SPDX-License-Identifier: MIT */
/* Reading: a response, the whole value, or only whether it is there. */
#include "cache/cache.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static const refq_cache_query usual = {.struct_size = sizeof usual};

/* An entry that the actor may use in one of the ways in `any`. */
static refq_err load_for(refq_cache *cache, const char *ref_id, unsigned any,
                         const refq_actor *actor, rqi_held *ret, refq_error *err)
{
    rqi_held held;
    refq_err rc = rqi_cache_load(cache, ref_id, &held, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    if ((rqi_cache_permissions(cache, ref_id, actor, &held.view, any) & any) == 0) {
        rqi_held_done(&held);
        return rqi_cache_hidden(err, ref_id);
    }
    *ret = held;
    return REFQ_OK;
}

/* The entry, or (when there is none) the task behind the reference. A task that has become complete
 * since the store was asked has its entry by now. */
static refq_err find(refq_cache *cache, const char *ref_id, unsigned any, const refq_actor *actor,
                     rqi_held *ret, refq_task **ret_task, refq_error *err)
{
    refq_task *task = NULL;
    refq_err rc = load_for(cache, ref_id, any, actor, ret, err);
    if (rc != REFQ_ERR_NOTFOUND) {
        return rc;
    }
    rc = rqi_cache_task(cache, ref_id, any, actor, &task, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    if (refq_task_status(task) == REFQ_COMPLETE) {
        refq_task_free(task);
        return load_for(cache, ref_id, any, actor, ret, err);
    }
    *ret_task = task;
    return REFQ_OK;
}

refq_err refq_cache_get(refq_cache *cache, const char *ref_id, const refq_cache_query *query,
                        const refq_actor *actor, refq_response *ret, refq_error *err)
{
    rqi_held held = {0};
    refq_task *task = NULL;
    const refq_cache_query *q = query != NULL ? query : &usual;
    refq_err rc = find(cache, ref_id, REFQ_READ, actor, &held, &task, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rc = task != NULL ? rqi_cache_answer_async(cache, task, q->format, NULL, ret, err)
                      : rqi_cache_answer(cache, ref_id, &held.view, q, ret, err);
    refq_task_free(task);
    rqi_held_done(&held);
    return rc;
}

static char *copy(refq_bytes text)
{
    char *out = malloc(text.len + 1);
    if (out != NULL) {
        memcpy(out, text.ptr, text.len);
        out[text.len] = '\0';
    }
    return out;
}

static refq_err refuse_task(const char *ref_id, const refq_task *task, refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_CONFLICT, "%s has no value: its task is %s", ref_id,
                    refq_status_name(refq_task_status(task)));
}

refq_err refq_cache_resolve(refq_cache *cache, const char *ref_id, unsigned any,
                            const refq_actor *actor, char **ret_json, size_t *ret_len,
                            refq_error *err)
{
    rqi_held held = {0};
    refq_task *task = NULL;
    refq_err rc = find(cache, ref_id, any, actor, &held, &task, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    if (task != NULL) {
        rc = refuse_task(ref_id, task, err);
        refq_task_free(task);
        return rc;
    }
    char *json = copy(held.view.value);
    if (ret_len != NULL && json != NULL) {
        *ret_len = held.view.value.len;
    }
    rqi_held_done(&held);
    if (json == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    *ret_json = json;
    return REFQ_OK;
}

refq_err refq_cache_exists(refq_cache *cache, const char *ref_id, const refq_actor *actor,
                           bool *ret, refq_error *err)
{
    rqi_held held = {0};
    refq_task *task = NULL;
    refq_err rc = find(cache, ref_id, REFQ_READ | REFQ_EXECUTE, actor, &held, &task, err);
    refq_task_free(task);
    rqi_held_done(&held);
    if (rc == REFQ_OK || rc == REFQ_ERR_NOTFOUND) {
        *ret = rc == REFQ_OK;
        return REFQ_OK;
    }
    return rc;
}
