/* SPDX-License-Identifier: MIT */
/*
 * Who asks, under which name the value goes, and who may see it.
 *
 * DESIGN. The policy begins with the task's, else with the cache's default (mcp-refcache forgets
 * the latter as soon as a context is used). The actor has the identity's session also when the
 * identity names nobody, so that an anonymous caller can read what was bound to its own session.
 * Ids and session are escaped exactly as in templates: what is compared later is then the same text
 * on both sides.
 */
#include "access/actor.h"
#include "access/identity.h"
#include "access/policy.h"
#include "access/template.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef char name[REFQ_ACCESS_NAME_MAX + 1];

struct refq_caller {
    refq_actor actor;    /* points to id and session below */
    refq_policy *policy; /* owned */
    char *policy_json;   /* what of it differs from the default; NULL = nothing; owned */
    name actor_text;
    name namespace_name;
    name id;
    name session;
};

/* The value of a field; NULL when it is not known, or is the word for that. */
static const char *value_unless(const refq_identity *identity, const char *field,
                                const char *nobody)
{
    const char *value = rqi_identity_value(identity, (refq_bytes){field, strlen(field)});
    return value != NULL && strcmp(value, nobody) != 0 ? value : NULL;
}

static refq_err put_escaped(const char *what, const char *value, char *out, refq_error *err)
{
    rqi_buf made = rqi_buf_make(REFQ_ACCESS_NAME_MAX);
    rqi_identity_escape(&made, value);
    refq_err rc = made.err;
    if (rc == REFQ_OK) {
        (void)snprintf(out, sizeof(name), "%s", rqi_buf_str(&made));
    } else {
        rc = rqi_fail(err, rc, "%s of the identity takes more than %d bytes with : %% * escaped",
                      what, REFQ_ACCESS_NAME_MAX);
    }
    rqi_buf_done(&made);
    return rc;
}

/* --- The actor -------------------------------------------------------------------------------- */

static refq_err put_session(refq_caller *caller, const refq_identity *identity, refq_error *err)
{
    const char *session = value_unless(identity, "session_id", "nosession");
    if (session == NULL) {
        return REFQ_OK;
    }
    caller->actor.session_id = caller->session;
    return put_escaped("session_id", session, caller->session, err);
}

/* Whether the identity says who it is; if so, the caller's actor is that one. */
static bool names_somebody(refq_caller *caller, const refq_identity *identity, refq_err *ret_rc,
                           refq_error *err)
{
    static const struct {
        const char *field;
        refq_actor_type type;
    } who[] = {{"user_id", REFQ_ACTOR_USER}, {"agent_id", REFQ_ACTOR_AGENT}};
    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
        const char *id = value_unless(identity, who[i].field, "anonymous");
        if (id != NULL) {
            caller->actor.type = who[i].type;
            caller->actor.id = caller->id;
            *ret_rc = put_escaped(who[i].field, id, caller->id, err);
            return true;
        }
    }
    return false;
}

static refq_err put_other(refq_caller *caller, const refq_actor *other, refq_error *err)
{
    refq_err rc = rqi_actor_check(other, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    caller->actor.type = other->type;
    if (other->id != NULL) {
        (void)snprintf(caller->id, sizeof caller->id, "%s", other->id);
        caller->actor.id = caller->id;
    }
    if (other->session_id != NULL) {
        (void)snprintf(caller->session, sizeof caller->session, "%s", other->session_id);
        caller->actor.session_id = caller->session;
    }
    if (other->type == REFQ_ACTOR_SYSTEM) {
        caller->actor = refq_actor_system();
    }
    return REFQ_OK;
}

static refq_err make_actor(refq_caller *caller, const refq_caller_rule *rule,
                           const refq_identity *identity, refq_error *err)
{
    refq_err rc = put_session(caller, identity, err);
    if (rc == REFQ_OK && !names_somebody(caller, identity, &rc, err)) {
        rc = put_other(caller, &rule->actor, err);
    }
    return rc == REFQ_OK ? rqi_actor_check(&caller->actor, err) : rc;
}

/* --- Namespace and policy --------------------------------------------------------------------- */

static refq_err make_namespace(refq_caller *caller, const refq_caller_rule *rule,
                               const refq_identity *identity, refq_error *err)
{
    const char *fixed = rule->namespace_name != NULL ? rule->namespace_name : "public";
    refq_err rc;
    if (rule->namespace_template != NULL) {
        rc = rqi_template_expand("the namespace", rule->namespace_template, identity,
                                 caller->namespace_name, sizeof caller->namespace_name, err);
        return rc == REFQ_OK ? refq_namespace_valid(caller->namespace_name, err) : rc;
    }
    rc = refq_namespace_valid(fixed, err);
    if (rc == REFQ_OK) {
        (void)snprintf(caller->namespace_name, sizeof caller->namespace_name, "%s", fixed);
    }
    return rc;
}

static refq_err make_policy(refq_caller *caller, const refq_caller_rule *rule,
                            const refq_identity *identity, const refq_policy *default_policy,
                            refq_error *err)
{
    const refq_policy *base = rule->policy != NULL ? rule->policy : default_policy;
    refq_policy policy = base != NULL ? *base : refq_policy_preset(REFQ_POLICY_DEFAULT);
    name owner;
    if (rule->owner_template != NULL && rule->owner_template[0] != '\0') {
        refq_err rc = rqi_template_expand("the owner", rule->owner_template, identity, owner,
                                          sizeof owner, err);
        if (rc != REFQ_OK) {
            return rc;
        }
        policy.owner = owner;
    }
    if (rule->session_scoped && value_unless(identity, "session_id", "nosession") != NULL) {
        policy.bound_session = caller->session;
    }
    return refq_policy_copy(&policy, &caller->policy, err);
}

static refq_err make_texts(refq_caller *caller, refq_error *err)
{
    (void)refq_actor_format(&caller->actor, caller->actor_text, sizeof caller->actor_text);
    rqi_buf json = rqi_buf_make(REFQ_POLICY_BYTES);
    rqi_policy_write_own(caller->policy, &json);
    bool plain = json.len == sizeof "{}" - 1;
    caller->policy_json = plain ? NULL : rqi_buf_take(&json, NULL);
    rqi_buf_done(&json);
    return plain || caller->policy_json != NULL
               ? REFQ_OK
               : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for the policy of a call");
}

/* --- Callers ---------------------------------------------------------------------------------- */

refq_err refq_caller_make(const refq_caller_rule *rule, const refq_identity *identity,
                          const refq_policy *default_policy, refq_caller **ret, refq_error *err)
{
    static const refq_caller_rule none = {.struct_size = sizeof none};
    rule = rule != NULL ? rule : &none;
    refq_err rc = rqi_identity_check(identity, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a caller");
    }
    rc = make_actor(caller, rule, identity, err);
    if (rc == REFQ_OK) {
        rc = make_namespace(caller, rule, identity, err);
    }
    if (rc == REFQ_OK) {
        rc = make_policy(caller, rule, identity, default_policy, err);
    }
    if (rc == REFQ_OK) {
        rc = make_texts(caller, err);
    }
    if (rc != REFQ_OK) {
        refq_caller_free(caller);
        return rc;
    }
    *ret = caller;
    return REFQ_OK;
}

const refq_actor *refq_caller_actor(const refq_caller *caller)
{
    return &caller->actor;
}

const char *refq_caller_namespace(const refq_caller *caller)
{
    return caller->namespace_name;
}

const refq_policy *refq_caller_policy(const refq_caller *caller)
{
    return caller->policy;
}

void refq_caller_scope(const refq_caller *caller, refq_scope *ret)
{
    *ret = (refq_scope){
        .struct_size = sizeof *ret,
        .namespace_name = caller->namespace_name,
        .owner = caller->policy->owner,
        .session = caller->policy->bound_session,
        .policy = caller->policy_json,
        .actor = caller->actor_text,
        .actor_session = caller->actor.session_id,
    };
}

void refq_caller_free(refq_caller *caller)
{
    if (caller != NULL) {
        refq_policy_free(caller->policy);
        free(caller->policy_json);
        free(caller);
    }
}
