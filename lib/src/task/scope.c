/* SPDX-License-Identifier: MIT */
#include "task/scope.h"

#include "access/name.h"
#include "access/policy.h"
#include "base/error.h"
#include "codec/json.h"

#include <stdlib.h>
#include <string.h>

#define POLICY_DEPTH 2

/* In the order of a record. */
static const struct {
    const char *name;
    size_t at;
    size_t max;
} fields[RQI_SCOPE_FIELDS] = {
    {"namespace", offsetof(refq_scope, namespace_name), RQI_SCOPE_TEXT_MAX},
    {"owner", offsetof(refq_scope, owner), RQI_SCOPE_TEXT_MAX},
    {"session", offsetof(refq_scope, session), RQI_SCOPE_TEXT_MAX},
    {"policy", offsetof(refq_scope, policy), RQI_POLICY_MAX},
    {"actor", offsetof(refq_scope, actor), RQI_SCOPE_TEXT_MAX},
    {"actor_session", offsetof(refq_scope, actor_session), RQI_SCOPE_TEXT_MAX},
    {"inputs", offsetof(refq_scope, inputs), RQI_INPUT_NAMES_MAX},
};

static const char **text_at(refq_scope *scope, unsigned i)
{
    return (const char **)(void *)((char *)scope + fields[i].at);
}

static const char *text_of(const refq_scope *scope, unsigned i)
{
    return *(const char *const *)(const void *)((const char *)scope + fields[i].at);
}

bool rqi_scope_at(const refq_scope *scope, unsigned i, const char **ret_name, const char **ret_text)
{
    if (i >= RQI_SCOPE_FIELDS) {
        return false;
    }
    *ret_name = fields[i].name;
    *ret_text = text_of(scope, i);
    return true;
}

/* --- Checking --------------------------------------------------------------------------------- */

static refq_err check_text(unsigned i, const char *text, refq_error *err)
{
    size_t len = strnlen(text, fields[i].max + 1);
    if (len == 0 || len > fields[i].max) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "the scope's %s has 1 to %zu bytes; none is NULL",
                        fields[i].name, fields[i].max);
    }
    return fields[i].max == RQI_SCOPE_TEXT_MAX ? rqi_name_check(fields[i].name, text, err)
                                               : REFQ_OK;
}

/* What a policy in a scope may hold; the rest of one has fields of its own. */
static refq_err check_policy_key(const char *key, refq_error *err)
{
    static const char *const keys[] = {"user_permissions", "agent_permissions", "owner_permissions",
                                       "allowed_actors", "denied_actors"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], key) == 0) {
            return REFQ_OK;
        }
    }
    if (strcmp(key, "owner") == 0 || strcmp(key, "bound_session") == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the policy does not name the %s: that is the scope's own field", key);
    }
    return rqi_fail(err, REFQ_ERR_INVALID, "a policy has no '%.40s'", key);
}

/* Reading a policy passes over what it does not know, which may be a newer version's. A caller's
 * has to be spelt as it is meant. */
static refq_err check_policy(const char *text, refq_error *err)
{
    refq_policy *policy = NULL;
    json_t *object = NULL;
    const char *key = NULL;
    json_t *value = NULL;
    refq_err rc = refq_policy_parse(text, strlen(text), &policy, err);
    refq_policy_free(policy);
    if (rc == REFQ_OK) {
        rc = rqi_json_load(text, strlen(text), RQI_POLICY_MAX, POLICY_DEPTH, &object, err);
    }
    json_object_foreach(object, key, value)
    {
        rc = rc == REFQ_OK ? check_policy_key(key, err) : rc;
    }
    json_decref(object);
    return rc;
}

refq_err rqi_scope_check(const refq_scope *scope, refq_error *err)
{
    refq_err rc = REFQ_OK;
    for (unsigned i = 0; scope != NULL && i < RQI_SCOPE_FIELDS && rc == REFQ_OK; i++) {
        const char *text = text_of(scope, i);
        rc = text != NULL ? check_text(i, text, err) : REFQ_OK;
    }
    return rc == REFQ_OK && scope != NULL && scope->policy != NULL
               ? check_policy(scope->policy, err)
               : rc;
}

/* --- Copies ----------------------------------------------------------------------------------- */

static bool is_default(unsigned i, const char *text)
{
    return text == NULL || (i == 0 && strcmp(text, "public") == 0);
}

refq_err rqi_scope_copy(const refq_scope *scope, rqi_scope *ret, refq_error *err)
{
    rqi_scope copy = {.pub = {.struct_size = sizeof copy.pub}};
    size_t size = 0;
    for (unsigned i = 0; scope != NULL && i < RQI_SCOPE_FIELDS; i++) {
        const char *text = text_of(scope, i);
        size += is_default(i, text) ? 0 : strlen(text) + 1;
    }
    if (size > 0) {
        copy.block = malloc(size);
        if (copy.block == NULL) {
            return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
        }
    }
    char *at = copy.block;
    for (unsigned i = 0; size > 0 && i < RQI_SCOPE_FIELDS; i++) {
        const char *text = text_of(scope, i);
        if (!is_default(i, text)) {
            size_t len = strlen(text) + 1;
            memcpy(at, text, len);
            *text_at(&copy.pub, i) = at;
            at += len;
        }
    }
    *ret = copy;
    return REFQ_OK;
}

refq_err rqi_scope_read(refq_bytes json, rqi_scope *ret, refq_error *err)
{
    *ret = (rqi_scope){0};
    if (json.len == 0) {
        return REFQ_OK;
    }
    json_t *object = NULL;
    refq_scope scope = {.struct_size = sizeof scope};
    /* A policy is a text inside a text here, and may be twice as long for its escapes. */
    refq_err rc = rqi_json_load(json.ptr, json.len, 3 * RQI_POLICY_MAX, 1, &object, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    for (unsigned i = 0; i < RQI_SCOPE_FIELDS; i++) {
        *text_at(&scope, i) = json_string_value(json_object_get(object, fields[i].name));
    }
    rc = rqi_scope_check(&scope, err);
    if (rc == REFQ_OK) {
        rc = rqi_scope_copy(&scope, ret, err);
    }
    json_decref(object);
    return rc;
}

void rqi_scope_done(rqi_scope *scope)
{
    free(scope->block);
    *scope = (rqi_scope){0};
}
