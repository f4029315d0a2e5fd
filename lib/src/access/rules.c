/* SPDX-License-Identifier: MIT */
#include "access/rules.h"

#include "access/actor.h"
#include "access/name.h"
#include "access/policy.h"

#include <string.h>

refq_err rqi_rules_check(const refq_actor *actor, const refq_policy *policy,
                         const char *namespace_name, refq_error *err)
{
    refq_err rc = rqi_actor_check(actor, err);
    if (rc == REFQ_OK) {
        rc = rqi_policy_check(policy, err);
    }
    return rc == REFQ_OK ? rqi_name_check("the namespace", namespace_name, err) : rc;
}

static bool session_fits(const refq_policy *policy, const refq_actor *actor)
{
    return policy->bound_session == NULL ||
           (actor->session_id != NULL && strcmp(actor->session_id, policy->bound_session) == 0);
}

static bool may_enter(const refq_access *access, const char *namespace_name,
                      const refq_actor *actor)
{
    return access != NULL && access->may_enter != NULL
               ? access->may_enter(access->may_enter_arg, namespace_name, actor)
               : refq_namespace_admits(namespace_name, actor);
}

static bool is_owner(const refq_policy *policy, const refq_actor *actor)
{
    char text[REFQ_ACCESS_NAME_MAX + 1];
    return policy->owner != NULL &&
           strcmp(refq_actor_format(actor, text, sizeof text), policy->owner) == 0;
}

static unsigned role_permissions(const refq_policy *policy, const refq_actor *actor)
{
    return actor->type == REFQ_ACTOR_SYSTEM ? REFQ_PERM_FULL
           : actor->type == REFQ_ACTOR_USER ? policy->user_permissions
                                            : policy->agent_permissions;
}

rqi_verdict rqi_rules_decide(const refq_access *access, const refq_actor *actor,
                             const refq_policy *policy, const char *namespace_name)
{
    if (rqi_actor_listed(actor, policy->denied_actors, policy->n_denied)) {
        return (rqi_verdict){REFQ_PERM_NONE, REFQ_DENIAL_EXPLICIT};
    }
    if (!session_fits(policy, actor)) {
        return (rqi_verdict){REFQ_PERM_NONE, REFQ_DENIAL_SESSION};
    }
    if (!may_enter(access, namespace_name, actor)) {
        return (rqi_verdict){REFQ_PERM_NONE, REFQ_DENIAL_NAMESPACE};
    }
    if (rqi_actor_listed(actor, policy->allowed_actors, policy->n_allowed)) {
        return (rqi_verdict){REFQ_PERM_FULL, REFQ_DENIAL_NONE};
    }
    if (is_owner(policy, actor)) {
        return (rqi_verdict){policy->owner_permissions, REFQ_DENIAL_OWNER};
    }
    return (rqi_verdict){role_permissions(policy, actor), REFQ_DENIAL_ROLE};
}
