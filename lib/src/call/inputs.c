/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Arguments keep their references: the worker puts the values in their
 * place, so that a task may compute with what its caller must not see. Here, at
 * the door, is decided whether the caller may use them at all, and which tasks
 * have to be over first. Missing and denied are one error. A text that looks
 * like a reference but is none ("sha256:..." of an image) stays a text: nothing
 * is stored under it, no task has it, and its name is that of no queue and no
 * cache we know of.
 */
#include "call/inputs.h"

#include "base/error.h"
#include "cache/cache.h"
#include "entry/reference.h"

#include <string.h>

#define MAY_USE (REFQ_READ | REFQ_EXECUTE)

struct look {
    refq_cache *cache;
    const char *queue;
    const char *const *known;
    const refq_actor *actor;
    rqi_inputs *ret;
    const char *seen[RQI_INPUTS_MAX]; /* borrowed from the arguments */
    size_t n_seen;
    refq_texts queues; /* asked for when first needed */
    bool have_queues;
    refq_error *err;
};

static const refq_bytes by_name; /* what counts as itself */

/* --- What is there ---------------------------------------------------------------------------- */

static bool is_one_of(const char *ref_id, const char *name)
{
    return rqi_reference_is_of(ref_id, name, strlen(name));
}

/* Whether a reference that leads nowhere was meant as one. */
static bool is_ours(struct look *l, const char *ref_id)
{
    bool ours = is_one_of(ref_id, refq_cache_name(l->cache)) || is_one_of(ref_id, l->queue);
    for (size_t i = 0; !ours && l->known != NULL && l->known[i] != NULL; i++) {
        ours = is_one_of(ref_id, l->known[i]);
    }
    if (!ours && !l->have_queues && l->cache->client != NULL) {
        l->have_queues = refq_client_queues(l->cache->client, &l->queues, NULL) == REFQ_OK;
    }
    for (size_t i = 0; !ours && i < l->queues.n; i++) {
        ours = is_one_of(ref_id, l->queues.items[i]);
    }
    return ours;
}

/* The worker is told which names mean something: a value may be gone by the time it looks. */
static refq_err note_name(struct look *l, const char *ref_id)
{
    size_t len = strcspn(ref_id, ":");
    rqi_buf *names = &l->ret->names;
    for (const char *at = rqi_buf_str(names); *at != '\0'; at += at[0] == ' ') {
        size_t n = strcspn(at, " ");
        if (n == len && memcmp(at, ref_id, len) == 0) {
            return REFQ_OK;
        }
        at += n;
    }
    rqi_buf_adds(names, names->len > 0 ? " " : "");
    rqi_buf_add(names, ref_id, len);
    return names->err == REFQ_OK
               ? REFQ_OK
               : rqi_fail(l->err, names->err, "no room for the names of the inputs");
}

static refq_err use(struct look *l, const char *ref_id, refq_bytes value)
{
    l->ret->n++;
    refq_err rc = note_name(l, ref_id);
    return rc == REFQ_OK ? rqi_content_add(&l->ret->content, ref_id, value, l->err) : rc;
}

static refq_err use_task(struct look *l, const char *ref_id, const refq_task *task)
{
    refq_status status = refq_task_status(task);
    if (status == REFQ_FAILED || status == REFQ_CANCELLED) {
        return rqi_fail(l->err, REFQ_ERR_CONFLICT,
                        "%s has no value to use as an input: its task %s", ref_id,
                        status == REFQ_FAILED ? "has failed" : "was cancelled");
    }
    l->ret->after[l->ret->n_after++] = *refq_task_ref(task);
    return use(l, ref_id, by_name);
}

/* A task that has become complete between two questions has its entry by now. */
static refq_err look_at_task(struct look *l, const char *ref_id)
{
    rqi_held held;
    refq_task *task = NULL;
    refq_err rc = rqi_cache_task(l->cache, ref_id, MAY_USE, l->actor, &task, l->err);
    if (rc == REFQ_ERR_NOTFOUND) {
        return is_ours(l, ref_id) ? rc : REFQ_OK;
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    if (refq_task_status(task) != REFQ_COMPLETE) {
        rc = use_task(l, ref_id, task);
        refq_task_free(task);
        return rc;
    }
    refq_task_free(task);
    rc = rqi_cache_load(l->cache, ref_id, &held, l->err);
    if (rc == REFQ_OK) {
        rqi_held_done(&held);
        rc = use(l, ref_id, by_name);
    }
    return rc;
}

static refq_err look_at(struct look *l, const char *ref_id)
{
    rqi_held held;
    refq_err rc = rqi_cache_load(l->cache, ref_id, &held, l->err);
    if (rc == REFQ_ERR_NOTFOUND) {
        return look_at_task(l, ref_id);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    unsigned bits = rqi_cache_permissions(l->cache, ref_id, l->actor, &held.view, MAY_USE);
    rc = (bits & MAY_USE) != 0 ? use(l, ref_id, (bits & REFQ_READ) != 0 ? held.view.value : by_name)
                               : rqi_cache_hidden(l->err, ref_id);
    rqi_held_done(&held);
    return rc;
}

/* --- The walk --------------------------------------------------------------------------------- */

static refq_err look_once(struct look *l, const char *text)
{
    for (size_t i = 0; i < l->n_seen; i++) {
        if (strcmp(l->seen[i], text) == 0) {
            return REFQ_OK;
        }
    }
    if (l->n_seen == RQI_INPUTS_MAX) {
        return rqi_fail(
            l->err, REFQ_ERR_LIMIT,
            "more than %d different texts in the arguments have the form of a reference",
            RQI_INPUTS_MAX);
    }
    l->seen[l->n_seen++] = text;
    return look_at(l, text);
}

/* Arguments are nested 32 deep at most: codec/json.h. */
static refq_err walk(struct look *l, const json_t *value)
{
    size_t i = 0;
    const char *name = NULL;
    json_t *item = NULL;
    refq_err rc = REFQ_OK;
    if (json_is_string(value)) {
        size_t len = json_string_length(value);
        return rqi_is_reference(json_string_value(value), len)
                   ? look_once(l, json_string_value(value))
                   : REFQ_OK;
    }
    json_array_foreach(value, i, item)
    {
        rc = rc == REFQ_OK ? walk(l, item) : rc;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        rc = rc == REFQ_OK ? walk(l, item) : rc;
    }
    return rc;
}

refq_err rqi_inputs_check(refq_cache *cache, const char *queue, const char *const *known,
                          const json_t *args, const refq_actor *actor, rqi_inputs *ret,
                          refq_error *err)
{
    refq_error own;
    struct look l = {.cache = cache,
                     .queue = queue,
                     .known = known,
                     .actor = actor,
                     .ret = ret,
                     .err = err != NULL ? err : &own};
    *ret = (rqi_inputs){.names = rqi_buf_make(RQI_INPUT_NAMES_BYTES)};
    refq_err rc = walk(&l, args);
    refq_texts_free(&l.queues);
    return rc;
}
