/* SPDX-License-Identifier: MIT */
/*
 * Answers questions about access, one JSON object a line in, one out:
 *
 *     {"op": "check", "actor": "user:bob", "policy": "{}", "namespace": "public", "want": 8}
 *     {"ok": false, "error": "denied", "text": "User lacks DELETE permission", ...}
 *
 * DESIGN. tests/python/access_matrix.py compares the answers with mcp-refcache's own. A policy
 * comes as JSON text inside the JSON, so that it is the library that reads it and not this tool.
 * The actor "system:internal" is made here, because the library takes it from no text.
 */
#include "access/glob.h"

#include <refq/access.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_t *failure(const refq_error *err)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", refq_strerror(err->code), "text",
                     err->text);
}

static refq_err read_actor(const json_t *q, refq_actor *ret, refq_error *err)
{
    if (strcmp(text(q, "actor"), "system:internal") == 0) {
        *ret = refq_actor_system();
        return REFQ_OK;
    }
    return refq_actor_parse(text(q, "actor"), text(q, "session"), ret, err);
}

static refq_err read_policy(const json_t *q, refq_policy **ret, refq_error *err)
{
    const char *json = text(q, "policy");
    return refq_policy_parse(json, strlen(json), ret, err);
}

/* --- Questions -------------------------------------------------------------------------------- */

static json_t *ask_actor(const json_t *q)
{
    refq_error err;
    refq_actor actor;
    char name[REFQ_ACCESS_NAME_MAX + 1];
    if (read_actor(q, &actor, &err) != REFQ_OK) {
        return failure(&err);
    }
    const char *pattern = text(q, "pattern");
    return json_pack("{s:b, s:s, s:b}", "ok", 1, "actor",
                     refq_actor_format(&actor, name, sizeof name), "matches",
                     pattern != NULL && refq_actor_matches(&actor, pattern));
}

static json_t *check(const json_t *q, const refq_actor *actor, const refq_policy *policy)
{
    refq_error err;
    refq_denial denial = REFQ_DENIAL_NONE;
    const char *ns = text(q, "namespace");
    unsigned want = (unsigned)json_integer_value(json_object_get(q, "want"));
    refq_err rc = refq_access_check(NULL, actor, policy, ns, want, &denial, &err);
    if (rc != REFQ_OK && rc != REFQ_ERR_DENIED) {
        return failure(&err);
    }
    unsigned may = refq_access_permissions(NULL, actor, policy, ns);
    return json_pack("{s:b, s:s, s:s, s:i}", "ok", rc == REFQ_OK, "reason",
                     refq_denial_name(denial), "text", rc == REFQ_OK ? "" : err.text, "may",
                     (int)may);
}

static json_t *ask_check(const json_t *q)
{
    refq_error err;
    refq_actor actor;
    refq_policy *policy;
    if (read_actor(q, &actor, &err) != REFQ_OK || read_policy(q, &policy, &err) != REFQ_OK) {
        return failure(&err);
    }
    json_t *answer = check(q, &actor, policy);
    refq_policy_free(policy);
    return answer;
}

static json_t *ask_glob(const json_t *q)
{
    rqi_glob glob;
    return json_pack("{s:b}", "ok",
                     rqi_glob_compile(text(q, "pattern"), &glob) &&
                         rqi_glob_match(&glob, text(q, "name")));
}

static json_t *ask_policy(const json_t *q)
{
    refq_error err;
    refq_policy *policy;
    char *json = NULL;
    refq_err rc = read_policy(q, &policy, &err);
    if (rc == REFQ_OK) {
        rc = refq_policy_format(policy, &json, NULL, &err);
        refq_policy_free(policy);
    }
    json_t *answer =
        rc == REFQ_OK ? json_pack("{s:b, s:s}", "ok", 1, "policy", json) : failure(&err);
    free(json);
    return answer;
}

static json_t *ask_namespace(const json_t *q)
{
    refq_error err;
    refq_namespace ns;
    if (refq_namespace_parse(text(q, "namespace"), &ns, &err) != REFQ_OK) {
        return failure(&err);
    }
    return json_pack("{s:b, s:s%, s:s?, s:s?, s:s?}", "ok", 1, "prefix", ns.prefix.ptr,
                     ns.prefix.len, "id", ns.id, "owner", ns.owner, "session", ns.session);
}

/* --- Identities ------------------------------------------------------------------------------- */

#define EXTRA 8

static refq_identity read_identity(const json_t *q, refq_identity_value *extra)
{
    const json_t *from = json_object_get(q, "identity");
    refq_identity who = {.struct_size = sizeof who,
                         .session_id = text(from, "session_id"),
                         .client_id = text(from, "client_id"),
                         .request_id = text(from, "request_id"),
                         .user_id = text(from, "user_id"),
                         .org_id = text(from, "org_id"),
                         .tenant_id = text(from, "tenant_id"),
                         .agent_id = text(from, "agent_id"),
                         .extra = extra};
    extra[0] = (refq_identity_value){"role", text(from, "role")};
    extra[1] = (refq_identity_value){"scopes", text(from, "scopes")};
    who.n_extra = 2;
    return who;
}

static json_t *ask_expand(const json_t *q)
{
    refq_error err;
    char out[REFQ_ACCESS_NAME_MAX + 1];
    refq_identity_value extra[EXTRA];
    refq_identity who = read_identity(q, extra);
    if (refq_template_expand(text(q, "template"), &who, out, sizeof out, &err) != REFQ_OK) {
        return failure(&err);
    }
    return json_pack("{s:b, s:s}", "ok", 1, "text", out);
}

static json_t *describe(const refq_caller *caller)
{
    refq_error err;
    char actor[REFQ_ACCESS_NAME_MAX + 1];
    char *policy;
    if (refq_policy_format(refq_caller_policy(caller), &policy, NULL, &err) != REFQ_OK) {
        return failure(&err);
    }
    json_t *answer = json_pack("{s:b, s:s, s:s?, s:s, s:s}", "ok", 1, "actor",
                               refq_actor_format(refq_caller_actor(caller), actor, sizeof actor),
                               "session", refq_caller_actor(caller)->session_id, "namespace",
                               refq_caller_namespace(caller), "policy", policy);
    free(policy);
    return answer;
}

static json_t *make_caller(const json_t *q, const refq_policy *policy)
{
    refq_error err;
    refq_caller *caller;
    refq_identity_value extra[EXTRA];
    refq_identity who = read_identity(q, extra);
    refq_caller_rule rule = {.struct_size = sizeof rule,
                             .namespace_template = text(q, "namespace_template"),
                             .namespace_name = text(q, "namespace"),
                             .owner_template = text(q, "owner_template"),
                             .session_scoped = json_is_true(json_object_get(q, "session_scoped")),
                             .policy = policy};
    if (refq_caller_make(&rule, &who, NULL, &caller, &err) != REFQ_OK) {
        return failure(&err);
    }
    json_t *answer = describe(caller);
    refq_caller_free(caller);
    return answer;
}

static json_t *ask_caller(const json_t *q)
{
    refq_error err;
    refq_policy *policy;
    if (read_policy(q, &policy, &err) != REFQ_OK) {
        return failure(&err);
    }
    json_t *answer = make_caller(q, policy);
    refq_policy_free(policy);
    return answer;
}

/* --- Lines ------------------------------------------------------------------------------------ */

static const struct {
    const char *op;
    json_t *(*ask)(const json_t *q);
} questions[] = {
    {"actor", ask_actor},         {"check", ask_check},   {"glob", ask_glob},
    {"policy", ask_policy},       {"expand", ask_expand}, {"caller", ask_caller},
    {"namespace", ask_namespace},
};

static json_t *answer_to(const json_t *q)
{
    const char *op = text(q, "op");
    for (size_t i = 0; op != NULL && i < sizeof questions / sizeof questions[0]; i++) {
        if (strcmp(questions[i].op, op) == 0) {
            return questions[i].ask(q);
        }
    }
    return NULL;
}

static int answer_line(const char *line, size_t len)
{
    json_error_t why;
    json_t *q = json_loadb(line, len, JSON_ALLOW_NUL, &why);
    json_t *answer = q != NULL ? answer_to(q) : NULL;
    int rc = answer != NULL ? json_dumpf(answer, stdout, JSON_COMPACT) : -1;
    (void)putchar('\n');
    json_decref(answer);
    json_decref(q);
    return rc;
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    int rc = 0;
    while (rc == 0 && (len = getline(&line, &size, stdin)) > 0) {
        rc = answer_line(line, (size_t)len);
    }
    free(line);
    if (rc != 0) {
        (void)fprintf(stderr, "access_tool: not a question; see the top of its source\n");
    }
    return rc == 0 ? 0 : 64;
}
