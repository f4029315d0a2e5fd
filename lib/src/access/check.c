/* SPDX-License-Identifier: MIT */
#include "access/check.h"

#include "access/actor.h"
#include "access/name.h"
#include "access/rules.h"
#include "base/buf.h"
#include "base/error.h"

static const char *const denial_names[] = {
    [REFQ_DENIAL_NONE] = "allowed",
    [REFQ_DENIAL_EXPLICIT] = "explicit_deny",
    [REFQ_DENIAL_SESSION] = "session_mismatch",
    [REFQ_DENIAL_NAMESPACE] = "namespace_ownership",
    [REFQ_DENIAL_OWNER] = "owner_insufficient",
    [REFQ_DENIAL_ROLE] = "role_insufficient",
    [REFQ_DENIAL_OTHER] = "denied",
};

#define N_DENIALS (sizeof denial_names / sizeof denial_names[0])

const char *refq_denial_name(refq_denial denial)
{
    return denial_names[(size_t)denial < N_DENIALS ? denial : REFQ_DENIAL_OTHER];
}

/* --- Messages --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned bits;
} permissions[] = {
    {"READ", REFQ_READ},     {"WRITE", REFQ_WRITE},     {"UPDATE", REFQ_UPDATE},
    {"DELETE", REFQ_DELETE}, {"EXECUTE", REFQ_EXECUTE},
};

/* Permissions as Python names them: CRUD and FULL, else READ|EXECUTE and the like. */
static void add_permissions(rqi_buf *out, unsigned wanted)
{
    if (wanted == REFQ_PERM_FULL || wanted == REFQ_PERM_CRUD) {
        rqi_buf_adds(out, wanted == REFQ_PERM_FULL ? "FULL" : "CRUD");
        return;
    }
    for (size_t i = 0; i < sizeof permissions / sizeof permissions[0]; i++) {
        if ((wanted & permissions[i].bits) != 0) {
            rqi_buf_adds(out, out->len > 0 ? "|" : "");
            rqi_buf_adds(out, permissions[i].name);
        }
    }
}

static refq_err lacks(const char *who, const char *name, unsigned wanted, refq_error *err)
{
    rqi_buf text = rqi_buf_make(64);
    add_permissions(&text, wanted);
    refq_err rc =
        rqi_fail(err, REFQ_ERR_DENIED, "%s%s lacks %s permission", who, name, rqi_buf_str(&text));
    rqi_buf_done(&text);
    return rc;
}

static refq_err deny(refq_denial denial, const refq_actor *actor, const char *namespace_name,
                     unsigned wanted, refq_error *err)
{
    char text[REFQ_ACCESS_NAME_MAX + 1];
    char who[RQI_NAME_SHOWN];
    char where[RQI_NAME_SHOWN];
    (void)rqi_name_shown(who, refq_actor_format(actor, text, sizeof text));
    switch (denial) {
    case REFQ_DENIAL_EXPLICIT:
        return rqi_fail(err, REFQ_ERR_DENIED, "Actor %s is explicitly denied", who);
    case REFQ_DENIAL_SESSION:
        return rqi_fail(err, REFQ_ERR_DENIED, "Actor %s session does not match bound session", who);
    case REFQ_DENIAL_NAMESPACE:
        return rqi_fail(err, REFQ_ERR_DENIED, "Actor %s cannot access namespace %s", who,
                        rqi_name_shown(where, namespace_name));
    case REFQ_DENIAL_OWNER: return lacks("Owner ", who, wanted, err);
    case REFQ_DENIAL_ROLE: return lacks(rqi_actor_title(actor), "", wanted, err);
    case REFQ_DENIAL_OTHER:
    case REFQ_DENIAL_NONE: break;
    }
    return rqi_fail(err, REFQ_ERR_DENIED, "Actor %s is denied", who);
}

/* --- Asking ----------------------------------------------------------------------------------- */

refq_denial rqi_access_ask(const refq_access *access, const refq_actor *actor,
                           const refq_policy *policy, const char *namespace_name, unsigned wanted)
{
    if (access != NULL && access->check != NULL) {
        refq_denial denial =
            access->check(access->check_arg, actor, policy, namespace_name, wanted);
        return (size_t)denial < N_DENIALS ? denial : REFQ_DENIAL_OTHER;
    }
    rqi_verdict verdict = rqi_rules_decide(access, actor, policy, namespace_name);
    return (wanted & ~verdict.granted) == 0 ? REFQ_DENIAL_NONE : verdict.lacking;
}

refq_err refq_access_check(const refq_access *access, const refq_actor *actor,
                           const refq_policy *policy, const char *namespace_name, unsigned wanted,
                           refq_denial *ret_denial, refq_error *err)
{
    if (wanted == REFQ_PERM_NONE || wanted > REFQ_PERM_FULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "%u is no permission to ask for; use REFQ_READ ... REFQ_EXECUTE", wanted);
    }
    refq_err rc = rqi_rules_check(actor, policy, namespace_name, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_denial denial = rqi_access_ask(access, actor, policy, namespace_name, wanted);
    if (ret_denial != NULL) {
        *ret_denial = denial;
    }
    return denial == REFQ_DENIAL_NONE ? REFQ_OK : deny(denial, actor, namespace_name, wanted, err);
}
