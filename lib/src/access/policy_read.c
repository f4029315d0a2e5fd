/* SPDX-License-Identifier: MIT */
/*
 * Policies from JSON.
 *
 * DESIGN. What mcp-refcache's reader takes without a doubt about its meaning is taken: missing
 * fields, unknown ones, 31.0 for 31. What it takes by accident is refused, because there both sides
 * would disagree or a slip would open a value: -1 (there "all"), true (there READ), a list given as
 * one string (there a set of letters). A policy that cannot be read is an error, and an error is
 * never access.
 */
#include "access/policy.h"

#include "base/error.h"
#include "codec/json.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH 8 /* a policy is two deep; unknown fields may be a little deeper */

/* --- Values in errors ------------------------------------------------------------------------- */

static refq_err wrong(const char *field, const json_t *value, const char *must, refq_error *err)
{
    if (json_is_array(value) || json_is_object(value)) {
        return rqi_fail(err, REFQ_ERR_INVALID, "%s of the policy holds an %s; it must be %s", field,
                        json_is_array(value) ? "array" : "object", must);
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
    rqi_fail(err, REFQ_ERR_INVALID, "%s of the policy holds %.60s%s; it must be %s", field,
             text != NULL ? text : "something else", text != NULL && strlen(text) > 60 ? "..." : "",
             must);
    free(text);
    return REFQ_ERR_INVALID;
}

/* --- Fields ----------------------------------------------------------------------------------- */

/* -1 when the value is no whole number of 0..31. */
static int permission_bits(const json_t *value)
{
    double number = json_is_number(value) ? json_number_value(value) : -1;
    if (!(number >= 0 && number <= REFQ_PERM_FULL)) {
        return -1;
    }
    int bits = (int)number;
    return bits == number ? bits : -1;
}

static refq_err read_permissions(const json_t *object, const char *field, unsigned *ret,
                                 refq_error *err)
{
    const json_t *value = json_object_get(object, field);
    if (value == NULL) {
        return REFQ_OK;
    }
    int bits = permission_bits(value);
    if (bits < 0) {
        return wrong(field, value, "a whole number from 0 to 31", err);
    }
    *ret = (unsigned)bits;
    return REFQ_OK;
}

/* A string without a zero byte, which C would take for its end. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && strlen(text) == json_string_length(value) ? text : NULL;
}

static refq_err read_text(const json_t *object, const char *field, const char **ret,
                          refq_error *err)
{
    const json_t *value = json_object_get(object, field);
    if (value == NULL || json_is_null(value)) {
        return REFQ_OK;
    }
    *ret = text_of(value);
    return *ret != NULL ? REFQ_OK : wrong(field, value, "null or a string without zero bytes", err);
}

static refq_err read_patterns(const json_t *array, const char *field, const char **list,
                              refq_error *err)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        list[i] = text_of(item);
        if (list[i] == NULL) {
            return wrong(field, item, "a list of strings without zero bytes", err);
        }
    }
    return REFQ_OK;
}

/* *ret_list is to be freed, its texts belong to the JSON. */
static refq_err read_list(const json_t *object, const char *field, const char *const **ret_list,
                          size_t *ret_n, refq_error *err)
{
    const json_t *value = json_object_get(object, field);
    if (value == NULL || json_is_null(value)) {
        return REFQ_OK;
    }
    if (!json_is_array(value)) {
        return wrong(field, value, "null or a list of patterns such as [\"user:*\"]", err);
    }
    size_t n = json_array_size(value);
    if (n > REFQ_POLICY_PATTERNS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%s has %zu patterns; at most %d are allowed", field,
                        n, REFQ_POLICY_PATTERNS);
    }
    const char **list = calloc(n + 1, sizeof *list); /* never of no size: [] is not null */
    if (list == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for %zu patterns", n);
    }
    *ret_list = list;
    *ret_n = n;
    return read_patterns(value, field, list, err);
}

/* --- The policy ------------------------------------------------------------------------------- */

static refq_err read_all_permissions(const json_t *object, refq_policy *p, refq_error *err)
{
    refq_err rc = read_permissions(object, "user_permissions", &p->user_permissions, err);
    if (rc == REFQ_OK) {
        rc = read_permissions(object, "agent_permissions", &p->agent_permissions, err);
    }
    if (rc == REFQ_OK) {
        rc = read_permissions(object, "owner_permissions", &p->owner_permissions, err);
    }
    return rc;
}

static refq_err read_policy(const json_t *object, refq_policy *p, refq_error *err)
{
    refq_err rc = read_all_permissions(object, p, err);
    if (rc == REFQ_OK) {
        rc = read_text(object, "owner", &p->owner, err);
    }
    if (rc == REFQ_OK) {
        rc = read_text(object, "bound_session", &p->bound_session, err);
    }
    if (rc == REFQ_OK) {
        rc = read_list(object, "allowed_actors", &p->allowed_actors, &p->n_allowed, err);
    }
    if (rc == REFQ_OK) {
        rc = read_list(object, "denied_actors", &p->denied_actors, &p->n_denied, err);
    }
    return rc;
}

static refq_err load(const char *json, size_t len, json_t **ret, refq_error *err)
{
    json_t *value;
    refq_err rc = rqi_json_load_any(json, len, REFQ_POLICY_BYTES, DEPTH, &value, err);
    if (rc != REFQ_OK) {
        return rqi_fail_in(err, rc, "the policy");
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the policy is no JSON object; write {} for the default policy");
    }
    *ret = value;
    return REFQ_OK;
}

refq_err refq_policy_parse(const char *json, size_t len, refq_policy **ret, refq_error *err)
{
    json_t *object;
    refq_err rc = load(json, len, &object, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_policy policy = refq_policy_preset(REFQ_POLICY_DEFAULT);
    rc = read_policy(object, &policy, err);
    if (rc == REFQ_OK) {
        rc = refq_policy_copy(&policy, ret, err);
    }
    free((void *)policy.allowed_actors);
    free((void *)policy.denied_actors);
    json_decref(object);
    return rc;
}
