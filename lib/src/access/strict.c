/* SPDX-License-Identifier: MIT */
#include "access/strict.h"

#include "access/identity.h"
#include "access/name.h"
#include "base/error.h"
#include "base/parse.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

#define POLICY_MAX   ((size_t)8 << 10) /* as written anew it still fits a task's record */
#define POLICY_DEPTH 4

/* --- Policies --------------------------------------------------------------------------------- */

/* Those of a task's policy first: owner and session are not its author's to say there. */
static const char *const members[] = {"user_permissions", "agent_permissions", "owner_permissions",
                                      "allowed_actors",   "denied_actors",     "owner",
                                      "bound_session"};

enum { MEMBERS = sizeof members / sizeof members[0], OF_TASKS = 5 };

static bool is_among(const char *name, size_t n)
{
    size_t i = 0;
    while (i < n && strcmp(members[i], name) != 0) {
        i++;
    }
    return i < n;
}

static refq_err check_members(const char *json, bool whole, refq_error *err)
{
    json_t *object = NULL;
    const char *name = NULL;
    json_t *value = NULL;
    refq_err rc = rqi_json_load(json, strlen(json), POLICY_MAX, POLICY_DEPTH, &object, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    json_object_foreach(object, name, value)
    {
        if (!is_among(name, whole ? MEMBERS : OF_TASKS)) {
            rc = rqi_fail(err, REFQ_ERR_INVALID,
                          "it has no '%.40s'; known are user_permissions, agent_permissions, "
                          "owner_permissions, allowed_actors, denied_actors%s",
                          name, whole ? ", owner, bound_session" : "");
        }
    }
    json_decref(object);
    return rc;
}

static refq_err check_patterns(const char *field, const char *const *patterns, size_t n,
                               refq_error *err)
{
    static const char *const types[] = {"user:", "agent:", "system:"};
    char shown[RQI_NAME_SHOWN];
    for (size_t i = 0; i < n; i++) {
        size_t t = 0;
        while (t < 3 && strncmp(patterns[i], types[t], strlen(types[t])) != 0) {
            t++;
        }
        if (t == 3 || patterns[i][strlen(types[t])] == '\0') {
            return rqi_fail(err, REFQ_ERR_INVALID,
                            "%s: '%s' matches nobody; write user:<pattern> or agent:<pattern>, "
                            "such as user:* for all users",
                            field, rqi_name_shown(shown, patterns[i]));
        }
    }
    return REFQ_OK;
}

refq_err rqi_strict_policy(const char *json, bool whole, refq_policy **ret, refq_error *err)
{
    refq_policy *p = NULL;
    refq_err rc = check_members(json, whole, err);
    rc = rc == REFQ_OK ? refq_policy_parse(json, strlen(json), &p, err) : rc;
    if (rc != REFQ_OK) {
        return rc;
    }
    rc = check_patterns("allowed_actors", p->allowed_actors, p->n_allowed, err);
    rc = rc == REFQ_OK ? check_patterns("denied_actors", p->denied_actors, p->n_denied, err) : rc;
    rc = rc == REFQ_OK && p->owner != NULL ? rqi_strict_owner(p->owner, err) : rc;
    if (rc != REFQ_OK) {
        refq_policy_free(p);
        return rc;
    }
    *ret = p;
    return REFQ_OK;
}

/* --- Names ------------------------------------------------------------------------------------ */

refq_err rqi_strict_owner(const char *text, refq_error *err)
{
    refq_actor actor;
    char shown[RQI_NAME_SHOWN];
    refq_err rc = refq_actor_parse(text, NULL, &actor, err);
    if (rc == REFQ_OK && actor.id == NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "'%s' is nobody; name one: user:NAME, agent:NAME",
                        rqi_name_shown(shown, text));
    }
    return rc;
}

refq_err rqi_strict_namespace(const char *text, refq_error *err)
{
    char shown[RQI_NAME_SHOWN];
    refq_namespace ns;
    refq_err rc = refq_namespace_valid(text, err);
    rc = rc == REFQ_OK ? refq_namespace_parse(text, &ns, err) : rc;
    if (rc != REFQ_OK) {
        return rc;
    }
    bool owned = ns.kind == REFQ_NAMESPACE_USER || ns.kind == REFQ_NAMESPACE_AGENT ||
                 ns.kind == REFQ_NAMESPACE_SESSION;
    if (owned && (ns.id == NULL || ns.id[0] == '\0')) {
        return rqi_fail(err, REFQ_ERR_INVALID, "nobody may enter '%s'; say whose it is: %.*s:NAME",
                        rqi_name_shown(shown, text), (int)ns.prefix.len,
                        (const char *)ns.prefix.ptr);
    }
    return REFQ_OK;
}

/* --- Templates -------------------------------------------------------------------------------- */

static const char *const built_in[] = {"user_id",    "agent_id",  "session_id", "client_id",
                                       "request_id", "tenant_id", "org_id"};

#define N_BUILT_IN (sizeof built_in / sizeof built_in[0])

/* A name that is not built in may be an identity's own; one that is nearly built in is a slip. */
static refq_err check_name(const char *name, refq_error *err)
{
    const char *near = rqi_nearest(name, built_in, N_BUILT_IN);
    if (near == NULL || strcmp(near, name) == 0) {
        return REFQ_OK;
    }
    return rqi_fail(err, REFQ_ERR_INVALID, "'{%.40s}' is not known; did you mean '{%s}'?", name,
                    near);
}

refq_err rqi_strict_template(const char *text, refq_error *err)
{
    for (const char *p = strpbrk(text, "{}"); p != NULL; p = strpbrk(p, "{}")) {
        char name[64];
        size_t len = *p == '{' ? rqi_identity_name(p + 1) : 0;
        if (len == 0 || p[1 + len] != '}') {
            return rqi_fail(err, REFQ_ERR_INVALID,
                            "the brace at byte %zu belongs to no {name}; names are user_id, "
                            "agent_id, session_id and so on",
                            (size_t)(p - text));
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)len, p + 1);
        refq_err rc = check_name(name, err);
        if (rc != REFQ_OK) {
            return rc;
        }
        p += len + 2;
    }
    return REFQ_OK;
}
