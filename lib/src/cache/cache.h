/* SPDX-License-Identifier: MIT */
/*
 * What the files of the ref cache share.
 *
 * DESIGN. The cache is a set of rules over a store: it has no state of its own
 * but its configuration, so nothing is locked and any number of processes may
 * work on one store. Reading a reference is one get() of the store; only when
 * that finds nothing is the task behind the reference asked for, and if it has
 * become complete in between, the store once more.
 */
#ifndef RQI_CACHE_CACHE_H
#define RQI_CACHE_CACHE_H

#include "entry/read.h"

#include <refq/cache.h>

struct refq_cache {
    refq_store *store;
    refq_client *client;
    char name[REFQ_CACHE_NAME_MAX + 1];
    refq_policy *policy; /* owned */
    int64_t ttl_ms;      /* 0 = for ever */
    refq_preview_options preview;
    bool hide_errors;
    refq_access access;
    refq_logger log;
};

/* An entry with its text. */
typedef struct rqi_held {
    char *text; /* owned */
    size_t len;
    rqi_entry_view view; /* into the text */
} rqi_held;

void rqi_held_done(rqi_held *held);

/* The error that all who may not know get, whatever the truth. */
refq_err rqi_cache_hidden(refq_error *err, const char *ref_id);

/* Reads a present entry: REFQ_ERR_NOTFOUND when there is none or it has expired. No access check.
 */
refq_err rqi_cache_load(refq_cache *cache, const char *ref_id, rqi_held *ret, refq_error *err);

/* Whether reading an entry has failed because of what is there: it is no entry, or larger than any
 * that can be read. Those who ask for others must not suffer from it. */
bool rqi_cache_is_broken(refq_err rc);

/* What the actor may do with an entry, as bits. The reason of a denial of `wanted` is logged. */
unsigned rqi_cache_permissions(const refq_cache *cache, const char *ref_id, const refq_actor *actor,
                               const rqi_entry_view *view, unsigned wanted);

/* The same with a task, by the rules that its value will have. 0 when its record's policy cannot be
 * read. */
unsigned rqi_cache_task_permissions(const refq_cache *cache, const refq_actor *actor,
                                    const refq_task *task, unsigned wanted);

/* The task behind a reference that has no entry, for an actor with one of the permissions in `any`:
 * REFQ_ERR_NOTFOUND for all others. Free *ret with refq_task_free(). */
refq_err rqi_cache_task(refq_cache *cache, const char *ref_id, unsigned any,
                        const refq_actor *actor, refq_task **ret, refq_error *err);

/* Composes the response for a value, with the configuration's preview. */
refq_err rqi_cache_answer(const refq_cache *cache, const char *ref_id, const rqi_entry_view *view,
                          const refq_cache_query *query, refq_response *ret, refq_error *err);

/* The same in the words of a call's answer: the whole value when it is small enough. */
refq_err rqi_cache_answer_call(const refq_cache *cache, const char *ref_id,
                               const rqi_entry_view *view, const refq_cache_query *query,
                               refq_response *ret, refq_error *err);

/* The response for a value that who asks may not read. */
refq_err rqi_cache_answer_unseen(const char *ref_id, bool usable, refq_response *ret,
                                 refq_error *err);

/* The response for a task without a value. schema: what it will be like, JSON text; NULL = null. */
refq_err rqi_cache_answer_async(const refq_cache *cache, const refq_task *task, refq_format format,
                                const char *schema, refq_response *ret, refq_error *err);

/* Whether a namespace is meant by a filter. NULL means all. */
bool rqi_namespace_is(const char *namespace_name, const char *wanted, bool children);

#endif
