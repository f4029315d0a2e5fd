/* SPDX-License-Identifier: MIT */
#include "call/definition.h"

#include "base/error.h"
#include "codec/json.h"
#include "reply/async.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX        ((size_t)1 << 20)
#define ASYNC_TIMEOUT_MS 5000

static refq_err not_usable(const char *member, refq_error *err)
{
    return rqi_fail_in(err, REFQ_ERR_UNSUPPORTED, "the task's %s cannot be used", member);
}

static refq_err not_known(const char *member, refq_error *err)
{
    (void)rqi_fail(err, REFQ_ERR_UNSUPPORTED, "this version of refq does not know what it says");
    return not_usable(member, err);
}

/* --- Schemas ---------------------------------------------------------------------------------- */

/* A member as JSON text, owned; NULL when it is not there. */
static char *member_text(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);
    return value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
}

static refq_err read_input(const json_t *root, rqi_definition *d, refq_error *err)
{
    char *text = member_text(root, "input_schema");
    refq_err rc = REFQ_OK;
    if (text != NULL) {
        rc = refq_schema_compile(text, strlen(text), NULL, &d->input, err);
    }
    free(text);
    return rc == REFQ_OK || rc == REFQ_ERR_NOMEM ? rc : not_usable("input_schema", err);
}

static refq_err read_output(const json_t *root, rqi_definition *d, refq_error *err)
{
    rqi_buf expected = {0};
    char *output = member_text(root, "output_schema");
    rqi_expected_schema_add(output, &expected);
    free(output);
    d->expected = rqi_buf_take(&expected, NULL);
    return d->expected != NULL ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
}

/* --- Calls ------------------------------------------------------------------------------------ */

static refq_err read_reuse(const json_t *root, rqi_definition *d, refq_error *err)
{
    static const char *const words[] = {[REFQ_REUSE_NONE] = "none",
                                        [REFQ_REUSE_IN_FLIGHT] = "in_flight",
                                        [REFQ_REUSE_RESULT] = "result"};
    const json_t *value = json_object_get(root, "reuse");
    const char *text = json_string_value(value);
    d->reuse = REFQ_REUSE_IN_FLIGHT;
    for (size_t i = 0; text != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i], text) == 0) {
            d->reuse = (refq_reuse)i;
            return REFQ_OK;
        }
    }
    return value == NULL ? REFQ_OK : not_known("reuse", err);
}

static refq_err read_format(const json_t *root, rqi_definition *d, refq_error *err)
{
    const json_t *value = json_object_get(root, "response_format");
    const char *text = json_string_value(value);
    return value == NULL || (text != NULL && refq_format_parse(text, &d->format, NULL) == REFQ_OK)
               ? REFQ_OK
               : not_known("response_format", err);
}

static refq_err read_numbers(const json_t *root, rqi_definition *d, refq_error *err)
{
    const json_t *wait = json_object_get(root, "async_timeout_ms");
    const json_t *size = json_object_get(root, "max_size");
    d->async_timeout_ms = json_is_integer(wait) ? json_integer_value(wait) : ASYNC_TIMEOUT_MS;
    d->max_size = json_integer_value(size);
    return size == NULL || (json_is_integer(size) && d->max_size > 0) ? REFQ_OK
                                                                      : not_known("max_size", err);
}

/* --- Whose the results are -------------------------------------------------------------------- */

static refq_err read_template(const json_t *root, const char *name, const char **ret,
                              refq_error *err)
{
    const json_t *value = json_object_get(root, name);
    if (value == NULL) {
        return REFQ_OK;
    }
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
        return not_known(name, err);
    }
    *ret = strdup(json_string_value(value));
    return *ret != NULL ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
}

static refq_err parse_policy(const json_t *value, refq_policy **ret, refq_error *err)
{
    refq_policy preset;
    if (json_is_string(value)) {
        refq_err rc = refq_policy_named(json_string_value(value), &preset, err);
        return rc == REFQ_OK ? refq_policy_copy(&preset, ret, err) : rc;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    refq_err rc = text != NULL ? refq_policy_parse(text, strlen(text), ret, err)
                               : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    free(text);
    return rc;
}

static refq_err read_policy(const json_t *root, rqi_definition *d, refq_error *err)
{
    const json_t *value = json_object_get(root, "policy");
    refq_policy *policy = NULL;
    refq_err rc = value != NULL ? parse_policy(value, &policy, err) : REFQ_OK;
    d->rule.policy = policy;
    return rc == REFQ_OK || rc == REFQ_ERR_NOMEM ? rc : not_usable("policy", err);
}

static refq_err read_rule(const json_t *root, rqi_definition *d, refq_error *err)
{
    const json_t *scoped = json_object_get(root, "session_scoped");
    d->rule.struct_size = sizeof d->rule;
    d->rule.session_scoped = json_is_true(scoped);
    if (scoped != NULL && !json_is_boolean(scoped)) {
        return not_known("session_scoped", err);
    }
    refq_err rc = read_template(root, "namespace", &d->rule.namespace_template, err);
    rc = rc == REFQ_OK ? read_template(root, "owner", &d->rule.owner_template, err) : rc;
    return rc == REFQ_OK ? read_policy(root, d, err) : rc;
}

/* --- All of it -------------------------------------------------------------------------------- */

typedef refq_err read_fn(const json_t *root, rqi_definition *d, refq_error *err);

static read_fn *const parts[] = {read_numbers, read_reuse,  read_format,
                                 read_rule,    read_output, read_input};

refq_err rqi_definition_read(const char *text, rqi_definition *ret, refq_error *err)
{
    json_t *root = NULL;
    rqi_definition d = {0};
    refq_err rc =
        rqi_json_load(text, strlen(text), BYTES_MAX, 2 * REFQ_SCHEMA_MAX_DEPTH, &root, err);
    if (rc == REFQ_OK && !json_is_object(root)) {
        rc = rqi_fail(err, REFQ_ERR_INVALID, "it is no object");
    }
    if (rc != REFQ_OK && rc != REFQ_ERR_NOMEM) {
        rc = rqi_fail_in(err, REFQ_ERR_UNSUPPORTED, "the task's definition cannot be used");
    }
    for (size_t i = 0; rc == REFQ_OK && i < sizeof parts / sizeof parts[0]; i++) {
        rc = parts[i](root, &d, err);
    }
    json_decref(root);
    if (rc != REFQ_OK) {
        rqi_definition_done(&d);
        return rc;
    }
    *ret = d;
    return REFQ_OK;
}

void rqi_definition_done(rqi_definition *definition)
{
    refq_schema_unref(definition->input);
    free(definition->expected);
    free((void *)definition->rule.namespace_template);
    free((void *)definition->rule.owner_template);
    refq_policy_free((refq_policy *)definition->rule.policy);
    *definition = (rqi_definition){0};
}
