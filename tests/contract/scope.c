/* SPDX-License-Identifier: MIT */
/* The scope of a task: whose its result is, and who submitted it. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_MS 3600000

static const refq_scope ours = {
    .struct_size = sizeof ours,
    .namespace_name = "user:alice",
    .owner = "user:\xc3\xa9lise \"e\"",
    .session = "s-1",
    .policy = "{\"agent_permissions\":0,\"denied_actors\":[\"agent:*\",\"user:bob\"]}",
    .actor = "user:alice",
    .actor_session = "s-1",
    .inputs = "docs other",
};

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void check_scope(rqi_ct *ct, const refq_task *task, const refq_scope *want)
{
    refq_scope got;
    refq_task_scope(task, &got);
    CT_CHECK(ct, got.struct_size == sizeof got, "its size is %zu", got.struct_size);
    CT_CHECK(ct,
             same(got.namespace_name, want->namespace_name) && same(got.owner, want->owner) &&
                 same(got.session, want->session) && same(got.policy, want->policy) &&
                 same(got.actor, want->actor) && same(got.actor_session, want->actor_session) &&
                 same(got.inputs, want->inputs),
             "the scope is not the one submitted: %s %s %s", got.namespace_name, got.owner,
             got.policy);
}

static void the_record_has_it(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .scope = &ours, .delay_ms = LONG_MS);
    check_scope(ct, rqi_ct_status(ct, &ref), &ours);
}

static void a_plain_task_has_none(rqi_ct *ct)
{
    static const refq_scope none = {.struct_size = sizeof none};
    static const refq_scope open = {.struct_size = sizeof open, .namespace_name = "public"};
    const refq_scope *const given[] = {NULL, &none, &open};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        refq_ref ref = CT_SUBMIT(ct, .scope = given[i], .delay_ms = LONG_MS);
        check_scope(ct, rqi_ct_status(ct, &ref), &none);
    }
}

static void has_text(rqi_ct *ct, const char *entry, const char *text)
{
    CT_CHECK(ct, strstr(entry, text) != NULL, "%s is missing in %.700s", text, entry);
}

static void the_result_is_its_owners(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .scope = &ours);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    const char *entry = rqi_ct_result(ct, &ref);
    has_text(ct, entry, "\"namespace\": \"user:alice\"");
    has_text(ct, entry, "\"policy\": {\"user_permissions\": 31, \"agent_permissions\": 0, ");
    has_text(ct, entry, "lise \\\"e\\\"\", \"owner_permissions\": 31, \"allowed_actors\": null, ");
    has_text(ct, entry, "\"denied_actors\": [\"agent:*\", \"user:bob\"], ");
    has_text(ct, entry, "\"bound_session\": \"s-1\"}");
}

static void the_result_of_nobody_is_public(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{}");
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    const char *entry = rqi_ct_result(ct, &ref);
    has_text(ct, entry,
             "\"namespace\": \"public\", \"policy\": {\"user_permissions\": 31, "
             "\"agent_permissions\": 17, \"owner\": null, \"owner_permissions\": 31, "
             "\"allowed_actors\": null, \"denied_actors\": null, \"bound_session\": null}");
}

/* Also when the value takes the way of large ones. */
static void a_large_result_is_its_owners(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"size\":200000}", .scope = &ours);
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    has_text(ct, rqi_ct_result(ct, &ref), "\"namespace\": \"user:alice\"");
}

static void it_survives_attempts_and_retries(rqi_ct *ct)
{
    refq_task *task = NULL;
    refq_ref as = rqi_ct_ref(ct);
    refq_ref ref =
        CT_SUBMIT(ct, .task = "twice", .args = "{\"fail\":2}", .max_retries = 1, .scope = &ours);
    (void)rqi_ct_end_as(ct, &ref, REFQ_FAILED);
    CT_OK(ct, refq_client_retry(ct->client, &ref, &as, &task, &ct->err));
    check_scope(ct, rqi_ct_own(ct, task), &ours);
    check_scope(ct, rqi_ct_status(ct, &ref), &ours);
}

static void the_longest_pass(rqi_ct *ct)
{
    char text[257];
    size_t size = 16384;
    char *policy = rqi_ct_own_text(ct, malloc(size + 1));
    CT_CHECK(ct, policy != NULL, "out of memory");
    memset(text, 'o', sizeof text - 1);
    text[256] = '\0';
    memcpy(text, "user:", 5); /* an actor has to be one when the task runs */
    memset(policy, 'p', size);
    memcpy(policy, "{\"allowed_actors\":[\"", 20);
    for (size_t at = 220; at + 250 < size; at += 204) {
        memcpy(policy + at, "\", \"", 4);
    }
    memcpy(policy + size - 3, "\"]}", 4);
    refq_scope scope = {.struct_size = sizeof scope,
                        .namespace_name = text,
                        .owner = text,
                        .session = text,
                        .policy = policy,
                        .actor = text,
                        .actor_session = text};
    refq_ref ref = CT_SUBMIT(ct, .scope = &scope);
    refq_task *task = rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    check_scope(ct, task, &scope);
    policy[size - 2] = '\0'; /* the list goes on to be one of a larger object */
    has_text(ct, rqi_ct_result(ct, &ref), policy + 20);
}

static void what_cannot_be_one_is_refused(rqi_ct *ct)
{
    static char long_text[258];
    static char long_policy[16386];
    memset(long_text, 'o', sizeof long_text - 1);
    memset(long_policy, ' ', sizeof long_policy - 1);
    memcpy(long_policy, "{}", 2);
    const struct {
        refq_scope scope;
        refq_err want;
    } bad[] = {
        {{.namespace_name = ""}, REFQ_ERR_LIMIT},
        {{.namespace_name = long_text}, REFQ_ERR_LIMIT},
        {{.owner = "two\nlines"}, REFQ_ERR_INVALID},
        {{.session = "\xff\xfe"}, REFQ_ERR_INVALID},
        {{.actor = "del\x7f"}, REFQ_ERR_INVALID},
        {{.actor_session = "\x1b[31m"}, REFQ_ERR_INVALID},
        {{.actor = "c1 \xc2\x9b"}, REFQ_ERR_INVALID},
        {{.policy = "{\"denied_actors\":[\"two\\nlines\"]}"}, REFQ_ERR_INVALID},
        {{.policy = "[]"}, REFQ_ERR_INVALID},
        {{.policy = "{"}, REFQ_ERR_INVALID},
        {{.policy = "{\"owner\":\"me\"}"}, REFQ_ERR_INVALID},
        {{.policy = "{\"bound_session\":\"s\"}"}, REFQ_ERR_INVALID},
        {{.policy = "{\"user_permisions\":1}"}, REFQ_ERR_INVALID},
        {{.policy = "{\"user_permissions\":32}"}, REFQ_ERR_INVALID},
        {{.policy = "{\"user_permissions\":\"31\"}"}, REFQ_ERR_INVALID},
        {{.policy = "{\"allowed_actors\":\"user:a\"}"}, REFQ_ERR_INVALID},
        {{.policy = "{\"denied_actors\":[1]}"}, REFQ_ERR_INVALID},
        {{.policy = long_policy}, REFQ_ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refq_submitted done;
        refq_spec spec = {.ref = rqi_ct_ref(ct), .scope = &bad[i].scope};
        refq_err rc = rqi_ct_try(ct, spec, &done);
        CT_CHECK(ct, rc == bad[i].want, "scope %zu: %s, not %s", i, refq_strerror(rc),
                 refq_strerror(bad[i].want));
        CT_CHECK(ct, ct->err.text[0] != '\0', "scope %zu: no text of why", i);
        CT_CHECK(ct, rqi_ct_gone(ct, &spec.ref), "scope %zu: it was queued all the same", i);
    }
}

const rqi_ct_case rqi_ct_cases_scope[] = {
    {"scope.the_record_has_it", the_record_has_it, REFQ_CAP_CALL, 0},
    {"scope.a_plain_task_has_none", a_plain_task_has_none, REFQ_CAP_CALL, 0},
    {"scope.the_result_is_its_owners", the_result_is_its_owners, REFQ_CAP_CALL, 0},
    {"scope.the_result_of_nobody_is_public", the_result_of_nobody_is_public, 0, 0},
    {"scope.a_large_result_is_its_owners", a_large_result_is_its_owners, REFQ_CAP_CALL, 0},
    {"scope.it_survives_attempts_and_retries", it_survives_attempts_and_retries,
     REFQ_CAP_CALL | REFQ_CAP_RETRY, 0},
    {"scope.the_longest_pass", the_longest_pass, REFQ_CAP_CALL, 0},
    {"scope.what_cannot_be_one_is_refused", what_cannot_be_one_is_refused, REFQ_CAP_CALL, 0},
    {0},
};
