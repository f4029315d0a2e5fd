/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. What is wrong with a namespace or a policy is found here, when the
 * task is offered, and not by its first caller. Unknown members of a policy are
 * refused, unlike in an entry's: there they come from a newer writer, here from
 * a slip, and a slip in a policy opens what it was meant to close. Templates are
 * tried with an identity that is not known.
 */
#include "run/call_def.h"

#include "base/error.h"
#include "codec/json.h"

#include <refq/access.h>

#include <string.h>

#define MAX_SIZE_MAX ((int64_t)1 << 30)
#define POLICY_MAX   ((size_t)8 << 10) /* as written anew it still fits a task's record */
#define POLICY_DEPTH 4

static const char *const reuse_names[] = {[REFQ_REUSE_NONE] = "none",
                                          [REFQ_REUSE_IN_FLIGHT] = "in_flight",
                                          [REFQ_REUSE_RESULT] = "result"};

#define N_REUSES (sizeof reuse_names / sizeof reuse_names[0])

static const char *reuse_name(refq_reuse reuse)
{
    return (unsigned)reuse < N_REUSES ? reuse_names[reuse] : "";
}

bool rqi_call_def_own_policy(const char *policy)
{
    return policy[strspn(policy, " \t\r\n")] == '{';
}

/* --- Checking --------------------------------------------------------------------------------- */

static refq_err check_members(const char *json, refq_error *err)
{
    static const char *const known[] = {"user_permissions", "agent_permissions",
                                        "owner_permissions", "allowed_actors", "denied_actors"};
    json_t *object = NULL;
    const char *name = NULL;
    json_t *value = NULL;
    refq_err rc = rqi_json_load(json, strlen(json), POLICY_MAX, POLICY_DEPTH, &object, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    json_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof known[0] && strcmp(known[i], name) != 0) {
            i++;
        }
        if (i == sizeof known / sizeof known[0]) {
            rc = rqi_fail(err, REFQ_ERR_INVALID,
                          "it has no '%.40s'; known are user_permissions, agent_permissions, "
                          "owner_permissions, allowed_actors, denied_actors",
                          name);
        }
    }
    json_decref(object);
    return rc;
}

/* Free *ret with refq_policy_free(). */
static refq_err read_policy(const char *text, refq_policy **ret, refq_error *err)
{
    refq_policy preset;
    if (!rqi_call_def_own_policy(text)) {
        refq_err rc = refq_policy_named(text, &preset, err);
        return rc == REFQ_OK ? refq_policy_copy(&preset, ret, err) : rc;
    }
    refq_err rc = check_members(text, err);
    return rc == REFQ_OK ? refq_policy_parse(text, strlen(text), ret, err) : rc;
}

/* As a call of nobody would. */
static refq_err try_rule(const refq_task_def *def, const refq_policy *policy, refq_error *err)
{
    refq_caller *caller = NULL;
    refq_caller_rule rule = {.struct_size = sizeof rule,
                             .namespace_template = def->namespace_template,
                             .owner_template = def->owner_template,
                             .session_scoped = def->session_scoped,
                             .policy = policy};
    refq_err rc = refq_caller_make(&rule, NULL, NULL, &caller, err);
    if (rc == REFQ_OK) {
        refq_caller_free(caller);
    }
    return rc;
}

static refq_err check_policy(const char *text, refq_error *err)
{
    refq_policy *policy = NULL;
    const refq_task_def none = {.struct_size = sizeof none};
    refq_err rc = read_policy(text, &policy, err);
    rc = rc == REFQ_OK ? try_rule(&none, policy, err) : rc;
    refq_policy_free(policy);
    return rc == REFQ_ERR_NOTFOUND ? REFQ_ERR_INVALID : rc;
}

static refq_err check_rule(const refq_task_def *def, refq_error *err)
{
    const refq_task_def place = {.namespace_template = def->namespace_template};
    const refq_task_def owner = {.owner_template = def->owner_template};
    refq_err rc = try_rule(&place, NULL, err);
    if (rc != REFQ_OK) {
        return rqi_fail_in(err, rc, "namespace");
    }
    rc = owner.owner_template != NULL && owner.owner_template[0] == '\0'
             ? rqi_fail(err, REFQ_ERR_INVALID, "it is empty; leave it out for nobody")
             : try_rule(&owner, NULL, err);
    if (rc != REFQ_OK) {
        return rqi_fail_in(err, rc, "owner");
    }
    rc = def->policy != NULL ? check_policy(def->policy, err) : REFQ_OK;
    return rc == REFQ_OK ? rc : rqi_fail_in(err, rc, "policy");
}

refq_err rqi_call_def_check(const refq_task_def *def, refq_error *err)
{
    if (def->has_reuse && (unsigned)def->reuse >= N_REUSES) {
        return rqi_fail(err, REFQ_ERR_INVALID, "reuse: %d is no refq_reuse", (int)def->reuse);
    }
    if (def->has_response_format && (unsigned)def->response_format > REFQ_FORMAT_FULL) {
        return rqi_fail(err, REFQ_ERR_INVALID, "response_format: %d is no refq_format",
                        (int)def->response_format);
    }
    if (def->max_size < 0 || def->max_size > MAX_SIZE_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "max_size: must be 0 to %lld",
                        (long long)MAX_SIZE_MAX);
    }
    return check_rule(def, err);
}

/* --- Telling ---------------------------------------------------------------------------------- */

static void add_text(rqi_buf *out, const char *name, const char *text)
{
    if (text != NULL) {
        rqi_buf_addf(out, ",\"%s\":", name);
        rqi_buf_add_json(out, text, strlen(text));
    }
}

void rqi_call_def_json(const refq_task_def *def, rqi_buf *out)
{
    add_text(out, "reuse", def->has_reuse ? reuse_name(def->reuse) : NULL);
    add_text(out, "response_format",
             def->has_response_format ? refq_format_name(def->response_format) : NULL);
    if (def->max_size > 0) {
        rqi_buf_addf(out, ",\"max_size\":%lld", (long long)def->max_size);
    }
    add_text(out, "namespace", def->namespace_template);
    add_text(out, "owner", def->owner_template);
    if (def->session_scoped) {
        rqi_buf_adds(out, ",\"session_scoped\":true");
    }
    if (def->policy != NULL && rqi_call_def_own_policy(def->policy)) {
        rqi_buf_adds(out, ",\"policy\":");
        rqi_buf_adds(out, def->policy);
    } else {
        add_text(out, "policy", def->policy);
    }
}

static void add_words(rqi_buf *out, const char *name, const char *text)
{
    if (text != NULL) {
        rqi_buf_addf(out, ", %s ", name);
        rqi_buf_adds(out, text);
    }
}

void rqi_call_def_words(const refq_task_def *def, rqi_buf *out)
{
    add_words(out, "reuse", def->has_reuse ? reuse_name(def->reuse) : NULL);
    add_words(out, "response_format",
              def->has_response_format ? refq_format_name(def->response_format) : NULL);
    if (def->max_size > 0) {
        rqi_buf_addf(out, ", max_size %lld", (long long)def->max_size);
    }
    add_words(out, "namespace", def->namespace_template);
    add_words(out, "owner", def->owner_template);
    rqi_buf_adds(out, def->session_scoped ? ", session_scoped" : "");
    add_words(out, "policy", def->policy);
}
