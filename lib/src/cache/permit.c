/* SPDX-License-Identifier: MIT */
/*
 * Who may know of what: entries by their own policy, tasks by the one their
 * value will have.
 *
 * DESIGN. Every path that leads to a value, or to the knowledge that there is
 * one, asks here. Those who may not know are told what those are told who ask
 * for nothing; why, is in the log at debug level for who runs the server.
 */
#include "base/error.h"
#include "base/log.h"
#include "cache/cache.h"
#include "entry/scope_policy.h"

static const refq_actor anonymous; /* an agent that nobody knows */

static void log_denial(const refq_cache *cache, const char *ref_id, const refq_actor *actor,
                       const refq_policy *policy, const char *namespace_name, unsigned wanted)
{
    char who[REFQ_ACCESS_NAME_MAX + 1];
    char quoted[sizeof who + 8];
    char ref[REFQ_STORE_ID_MAX + 8];
    refq_denial denial = REFQ_DENIAL_NONE;
    if (!rqi_log_on(&cache->log, REFQ_LOG_DEBUG) ||
        refq_access_check(&cache->access, actor, policy, namespace_name, wanted, &denial, NULL) ==
            REFQ_OK) {
        return;
    }
    rqi_log(&cache->log, REFQ_LOG_DEBUG, "event=denied ref=%s actor=%s wanted=%u reason=%s",
            rqi_log_quote(ref, sizeof ref, ref_id),
            rqi_log_quote(quoted, sizeof quoted, refq_actor_format(actor, who, sizeof who)), wanted,
            refq_denial_name(denial));
}

static unsigned permissions(const refq_cache *cache, const char *ref_id, const refq_actor *actor,
                            const refq_policy *policy, const char *namespace_name, unsigned wanted)
{
    const refq_actor *who = actor != NULL ? actor : &anonymous;
    unsigned bits = refq_access_permissions(&cache->access, who, policy, namespace_name);
    if ((bits & wanted) == 0 && wanted != 0) {
        log_denial(cache, ref_id, who, policy, namespace_name, wanted);
    }
    return bits;
}

unsigned rqi_cache_permissions(const refq_cache *cache, const char *ref_id, const refq_actor *actor,
                               const rqi_entry_view *view, unsigned wanted)
{
    return permissions(cache, ref_id, actor, view->policy, view->namespace_name, wanted);
}

/* --- Tasks ------------------------------------------------------------------------------------ */

unsigned rqi_cache_task_permissions(const refq_cache *cache, const refq_actor *actor,
                                    const refq_task *task, unsigned wanted)
{
    char ref_id[REFQ_REF_MAX + 1];
    refq_scope scope = {.struct_size = sizeof scope};
    rqi_scope_policy p;
    refq_task_scope(task, &scope);
    if (rqi_scope_policy_read(&scope, &p, NULL) != REFQ_OK) {
        return 0;
    }
    (void)refq_ref_format(refq_task_ref(task), ref_id);
    unsigned bits = permissions(cache, ref_id, actor, &p.policy, p.namespace_name, wanted);
    rqi_scope_policy_done(&p);
    return bits;
}

refq_err rqi_cache_task(refq_cache *cache, const char *ref_id, unsigned any,
                        const refq_actor *actor, refq_task **ret, refq_error *err)
{
    refq_ref ref;
    refq_error why = {0};
    refq_task *task = NULL;
    if (cache->client == NULL || refq_ref_parse(ref_id, &ref, NULL) != REFQ_OK) {
        return rqi_cache_hidden(err, ref_id);
    }
    refq_err rc = refq_client_status(cache->client, &ref, &task, &why);
    if (rc == REFQ_ERR_NOTFOUND) {
        return rqi_cache_hidden(err, ref_id);
    }
    if (rc != REFQ_OK) {
        return rqi_fail(err, rc, "%s", why.text);
    }
    if ((rqi_cache_task_permissions(cache, actor, task, any) & any) == 0) {
        refq_task_free(task);
        return rqi_cache_hidden(err, ref_id);
    }
    *ret = task;
    return REFQ_OK;
}
