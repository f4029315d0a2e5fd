/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A policy is an open struct of borrowed pointers, so that a program writes one down where
 * it needs it; the ones this library makes are a single block, so that there is one thing to free.
 * Permissions have no "not set": a zeroed policy lets nobody do anything, which is the safe way to
 * have forgotten the preset.
 *
 * The bound on the JSON is also what bounds the time of a check: all patterns together have fewer
 * characters than that, and each meets an actor of at most REFQ_ACCESS_NAME_MAX.
 */
#include "access/policy.h"

#include "access/name.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Presets ---------------------------------------------------------------------------------- */

static const struct preset {
    const char *name;
    unsigned user;
    unsigned agent;
} presets[] = {
    [REFQ_POLICY_DEFAULT] = {"default", REFQ_PERM_FULL, REFQ_READ | REFQ_EXECUTE},
    [REFQ_POLICY_PUBLIC] = {"public", REFQ_PERM_FULL, REFQ_PERM_FULL},
    [REFQ_POLICY_USER_ONLY] = {"user_only", REFQ_PERM_FULL, REFQ_PERM_NONE},
    [REFQ_POLICY_EXECUTE_ONLY] = {"execute_only", REFQ_PERM_FULL, REFQ_EXECUTE},
    [REFQ_POLICY_READ_ONLY] = {"read_only", REFQ_READ, REFQ_READ},
};

#define N_PRESETS (sizeof presets / sizeof presets[0])

refq_policy refq_policy_preset(refq_policy_kind kind)
{
    refq_policy policy = {.struct_size = sizeof policy};
    if ((size_t)kind < N_PRESETS) {
        policy.user_permissions = presets[kind].user;
        policy.agent_permissions = presets[kind].agent;
        policy.owner_permissions = REFQ_PERM_FULL;
    }
    return policy;
}

refq_err refq_policy_named(const char *name, refq_policy *ret, refq_error *err)
{
    for (size_t i = 0; i < N_PRESETS; i++) {
        if (strcmp(presets[i].name, name) == 0) {
            *ret = refq_policy_preset((refq_policy_kind)i);
            return REFQ_OK;
        }
    }
    return rqi_fail(err, REFQ_ERR_NOTFOUND,
                    "there is no policy '%.40s'; there are default, public, user_only, "
                    "execute_only and read_only",
                    name);
}

/* --- Checking --------------------------------------------------------------------------------- */

/* What a text takes in JSON, with quotes and what stands between two of them. */
static size_t json_size(const char *text)
{
    size_t size = sizeof "\"\", " - 1;
    for (; *text != '\0'; text++) {
        size += *text == '"' || *text == '\\' ? 2 : 1;
    }
    return size;
}

static refq_err check_permissions(const char *field, unsigned permissions, refq_error *err)
{
    if (permissions > REFQ_PERM_FULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "%s of the policy is %u; it must be a sum of REFQ_READ ... REFQ_EXECUTE, "
                        "0 to 31",
                        field, permissions);
    }
    return REFQ_OK;
}

static refq_err check_name(const char *field, const char *text, size_t *size, refq_error *err)
{
    if (text == NULL) {
        return REFQ_OK;
    }
    refq_err rc = rqi_name_check(field, text, err);
    *size += rc == REFQ_OK ? json_size(text) : 0;
    return rc;
}

static refq_err check_list(const char *field, const char *const *list, size_t n, size_t *size,
                           refq_error *err)
{
    if (n > REFQ_POLICY_PATTERNS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%s has %zu patterns; at most %d are allowed", field,
                        n, REFQ_POLICY_PATTERNS);
    }
    for (size_t i = 0; i < n; i++) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s[%zu]", field, i);
        if (list == NULL || list[i] == NULL) {
            return rqi_fail(err, REFQ_ERR_INVALID, "%s is NULL; give a pattern or a shorter list",
                            what);
        }
        refq_err rc = check_name(what, list[i], size, err);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    return REFQ_OK;
}

static refq_err check_texts(const refq_policy *p, refq_error *err)
{
    size_t size = 256; /* braces, keys, numbers */
    refq_err rc = check_name("owner of the policy", p->owner, &size, err);
    if (rc == REFQ_OK) {
        rc = check_name("bound_session of the policy", p->bound_session, &size, err);
    }
    if (rc == REFQ_OK) {
        rc = check_list("allowed_actors", p->allowed_actors, p->n_allowed, &size, err);
    }
    if (rc == REFQ_OK) {
        rc = check_list("denied_actors", p->denied_actors, p->n_denied, &size, err);
    }
    if (rc == REFQ_OK && size > REFQ_POLICY_BYTES) {
        rc = rqi_fail(err, REFQ_ERR_LIMIT,
                      "the policy would take %zu bytes of JSON; at most %d are allowed: use "
                      "patterns such as user:team-* for fewer entries",
                      size, REFQ_POLICY_BYTES);
    }
    return rc;
}

refq_err rqi_policy_check(const refq_policy *policy, refq_error *err)
{
    refq_err rc = check_permissions("user_permissions", policy->user_permissions, err);
    if (rc == REFQ_OK) {
        rc = check_permissions("agent_permissions", policy->agent_permissions, err);
    }
    if (rc == REFQ_OK) {
        rc = check_permissions("owner_permissions", policy->owner_permissions, err);
    }
    return rc == REFQ_OK ? check_texts(policy, err) : rc;
}

/* --- Copies ----------------------------------------------------------------------------------- */

/* Where a copy's pointers and texts go, behind the struct in the same block. */
struct room {
    const char **pointers;
    char *texts;
};

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static size_t list_size(const char *const *list, size_t n)
{
    size_t size = n * sizeof list[0];
    for (size_t i = 0; i < n; i++) {
        size += text_size(list[i]);
    }
    return size;
}

static const char *put_text(struct room *room, const char *text)
{
    size_t size = text_size(text);
    if (size == 0) {
        return NULL;
    }
    char *copy = memcpy(room->texts, text, size);
    room->texts += size;
    return copy;
}

static const char *const *put_list(struct room *room, const char *const *list, size_t n)
{
    if (list == NULL) {
        return NULL;
    }
    const char **copy = room->pointers;
    for (size_t i = 0; i < n; i++) {
        copy[i] = put_text(room, list[i]);
    }
    room->pointers += n;
    return copy;
}

refq_err refq_policy_copy(const refq_policy *policy, refq_policy **ret, refq_error *err)
{
    refq_err rc = rqi_policy_check(policy, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    size_t size = sizeof *policy + list_size(policy->allowed_actors, policy->n_allowed) +
                  list_size(policy->denied_actors, policy->n_denied) + text_size(policy->owner) +
                  text_size(policy->bound_session);
    refq_policy *copy = malloc(size);
    if (copy == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for a policy of %zu bytes", size);
    }
    const char **pointers = (const char **)(copy + 1);
    struct room room = {pointers, (char *)(pointers + policy->n_allowed + policy->n_denied)};
    *copy = *policy;
    copy->struct_size = sizeof *copy;
    copy->allowed_actors = put_list(&room, policy->allowed_actors, policy->n_allowed);
    copy->denied_actors = put_list(&room, policy->denied_actors, policy->n_denied);
    copy->owner = put_text(&room, policy->owner);
    copy->bound_session = put_text(&room, policy->bound_session);
    *ret = copy;
    return REFQ_OK;
}

void refq_policy_free(refq_policy *policy)
{
    free(policy);
}
