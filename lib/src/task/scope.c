/* SPDX-License-Identifier: MIT */
#include "task/scope.h"

#include "base/error.h"
#include "base/utf8.h"
#include "codec/json.h"

#include <stdlib.h>
#include <string.h>

#define POLICY_DEPTH    2
#define PERMISSIONS_MAX 31

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

static bool has_controls(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            return true;
        }
    }
    return false;
}

static refq_err check_text(unsigned i, const char *text, refq_error *err)
{
    size_t len = strnlen(text, fields[i].max + 1);
    if (len == 0 || len > fields[i].max) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "the scope's %s has 1 to %zu bytes; none is NULL",
                        fields[i].name, fields[i].max);
    }
    if (rqi_utf8_valid(text, len) != len || has_controls(text)) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the scope's %s must be UTF-8 on one line",
                        fields[i].name);
    }
    return REFQ_OK;
}

static bool is_permissions(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= PERMISSIONS_MAX;
}

static bool is_actors(const json_t *value)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item)) {
            return false;
        }
    }
    return json_is_null(value) || json_is_array(value);
}

static const struct {
    const char *name;
    bool (*is_valid)(const json_t *value);
    const char *what;
} policy_keys[] = {
    {"user_permissions", is_permissions, "0 to 31"},
    {"agent_permissions", is_permissions, "0 to 31"},
    {"owner_permissions", is_permissions, "0 to 31"},
    {"allowed_actors", is_actors, "a list of texts, or null"},
    {"denied_actors", is_actors, "a list of texts, or null"},
};

static refq_err check_policy_key(const char *key, const json_t *value, refq_error *err)
{
    for (size_t i = 0; i < sizeof policy_keys / sizeof policy_keys[0]; i++) {
        if (strcmp(policy_keys[i].name, key) == 0) {
            return policy_keys[i].is_valid(value)
                       ? REFQ_OK
                       : rqi_fail(err, REFQ_ERR_INVALID, "the policy's %s must be %s", key,
                                  policy_keys[i].what);
        }
    }
    if (strcmp(key, "owner") == 0 || strcmp(key, "bound_session") == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the policy does not name the %s: that is the scope's own field", key);
    }
    return rqi_fail(err, REFQ_ERR_INVALID, "a policy has no '%.40s'", key);
}

static refq_err check_policy(const char *text, refq_error *err)
{
    json_t *policy = NULL;
    const char *key = NULL;
    json_t *value = NULL;
    refq_err rc = rqi_json_load(text, strlen(text), RQI_POLICY_MAX, POLICY_DEPTH, &policy, err);
    if (rc != REFQ_OK) {
        return rqi_fail_in(err, rc, "the policy");
    }
    if (!json_is_object(policy)) {
        rc = rqi_fail(err, REFQ_ERR_INVALID, "the policy must be a JSON object");
    }
    json_object_foreach(policy, key, value)
    {
        rc = rc == REFQ_OK ? check_policy_key(key, value, err) : rc;
    }
    json_decref(policy);
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
