/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. What is wrong with a namespace, a policy or a schema is found here,
 * when the task is offered, and not by its first caller (access/strict.h).
 * Templates are tried with an identity that is not known.
 */
#include "run/call_def.h"

#include "access/strict.h"
#include "base/error.h"

#include <refq/schema.h>

#include <string.h>

#define MAX_SIZE_MAX ((int64_t)1 << 30)

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

/* Free *ret with refq_policy_free(). */
static refq_err read_policy(const char *text, refq_policy **ret, refq_error *err)
{
    refq_policy preset;
    if (!rqi_call_def_own_policy(text)) {
        refq_err rc = refq_policy_named(text, &preset, err);
        return rc == REFQ_OK ? refq_policy_copy(&preset, ret, err) : rc;
    }
    return rqi_strict_policy(text, false, ret, err);
}

/* The templates of a rule, and what they become for nobody. */
static refq_err look_at(const refq_caller_rule *rule, const refq_caller *caller, refq_error *err)
{
    const char *owner = refq_caller_policy(caller)->owner;
    refq_err rc = REFQ_OK;
    if (rule->namespace_template != NULL) {
        rc = rqi_strict_template(rule->namespace_template, err);
        rc = rc == REFQ_OK ? rqi_strict_namespace(refq_caller_namespace(caller), err) : rc;
    }
    if (rc == REFQ_OK && rule->owner_template != NULL) {
        rc = rqi_strict_template(rule->owner_template, err);
        rc = rc == REFQ_OK && owner != NULL ? rqi_strict_owner(owner, err) : rc;
    }
    return rc;
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
        rc = look_at(&rule, caller, err);
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

static refq_err check_schema(const char *field, const char *text, refq_error *err)
{
    refq_schema *schema = NULL;
    refq_err rc =
        text != NULL ? refq_schema_compile(text, strlen(text), NULL, &schema, err) : REFQ_OK;
    refq_schema_unref(schema);
    return rc == REFQ_OK ? rc : rqi_fail_in(err, rc, "%s", field);
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
    refq_err rc = check_schema("input_schema", def->input_schema, err);
    rc = rc == REFQ_OK ? check_schema("output_schema", def->output_schema, err) : rc;
    return rc == REFQ_OK ? check_rule(def, err) : rc;
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
