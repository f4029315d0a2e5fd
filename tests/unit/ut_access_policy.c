/* SPDX-License-Identifier: MIT */
/* Policies: presets, their JSON in both directions, copies. */
#include "base/buf.h"
#include "support/main.h"

#include <refq/access.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static refq_error err;

#define REST                                                                                    \
    "\"owner\": null, \"owner_permissions\": 31, \"allowed_actors\": null, \"denied_actors\": " \
    "null, \"bound_session\": null}"

/* Reads from a block of exactly its size, so that a sanitizer sees what is read too far. */
static refq_err read_exact(const char *json, refq_policy **ret)
{
    size_t len = strlen(json);
    char *copy = malloc(len != 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, json, len);
    refq_err rc = refq_policy_parse(copy, len, ret, &err);
    free(copy);
    return rc;
}

static char *written(const refq_policy *policy)
{
    char *json;
    size_t len;
    ck_assert_msg(refq_policy_format(policy, &json, &len, &err) == REFQ_OK, "%s", err.text);
    ck_assert_uint_eq(strlen(json), len);
    return json;
}

static const struct good {
    const char *json;
    const char *written;
} goods[] = {
    {"{}", "{\"user_permissions\": 31, \"agent_permissions\": 17, " REST},
    {"{\"user_permissions\": 31.0, \"agent_permissions\": 0}",
     "{\"user_permissions\": 31, \"agent_permissions\": 0, " REST},
    {"{\"user_permissions\": -0.0, \"later\": [{\"x\": 1}]}",
     "{\"user_permissions\": 0, \"agent_permissions\": 17, " REST},
    {"{\"bound_session\": \"s1\", \"denied_actors\": [], \"allowed_actors\": [\"user:a\", "
     "\"agent:*\"], \"owner_permissions\": 7, \"owner\": \"user:\\u00eb\\\"\"}",
     "{\"user_permissions\": 31, \"agent_permissions\": 17, \"owner\": \"user:\xc3\xab\\\"\", "
     "\"owner_permissions\": 7, \"allowed_actors\": [\"user:a\", \"agent:*\"], "
     "\"denied_actors\": [], \"bound_session\": \"s1\"}"},
    {"{\"owner\": \"\", \"bound_session\": \"\"}",
     "{\"user_permissions\": 31, \"agent_permissions\": 17, \"owner\": \"\", "
     "\"owner_permissions\": 31, \"allowed_actors\": null, \"denied_actors\": null, "
     "\"bound_session\": \"\"}"},
};

START_TEST(policies_are_read_and_written)
{
    refq_policy *policy;
    ck_assert_msg(read_exact(goods[_i].json, &policy) == REFQ_OK, "%s", err.text);
    char *json = written(policy);
    ck_assert_str_eq(json, goods[_i].written);
    refq_policy *again;
    ck_assert_int_eq(read_exact(json, &again), REFQ_OK);
    char *same = written(again);
    ck_assert_str_eq(same, json);
    free(same);
    free(json);
    refq_policy_free(again);
    refq_policy_free(policy);
}
END_TEST

static const struct bad {
    const char *json;
    const char *says;
} bads[] = {
    {"", "the JSON text is empty"},
    {"{", "not valid JSON"},
    {"null", "no JSON object"},
    {"[]", "no JSON object"},
    {"31", "no JSON object"},
    {"{\"owner\": \"a\", \"owner\": \"b\"}", "duplicate"},
    {"{\"user_permissions\": -1}",
     "user_permissions of the policy holds -1; it must be a whole number from 0 to 31"},
    {"{\"user_permissions\": 32}", "user_permissions of the policy holds 32;"},
    {"{\"agent_permissions\": 30.5}", "agent_permissions of the policy holds 30.5;"},
    {"{\"agent_permissions\": \"31\"}", "agent_permissions of the policy holds \"31\";"},
    {"{\"owner_permissions\": null}", "owner_permissions of the policy holds null;"},
    {"{\"owner_permissions\": true}", "owner_permissions of the policy holds true;"},
    {"{\"owner_permissions\": []}", "owner_permissions of the policy holds an array;"},
    {"{\"owner_permissions\": {\"a\": 1}}", "owner_permissions of the policy holds an object;"},
    {"{\"user_permissions\": 9223372036854775807}", "holds 9223372036854775807;"},
    {"{\"owner\": 5}", "owner of the policy holds 5; it must be null or a string"},
    {"{\"owner\": \"user:a\\u0000b\"}", "user:a\\u0000b"},
    {"{\"owner\": \"user:\\u0009\"}", "owner of the policy has a control character at byte 5"},
    {"{\"bound_session\": [\"s\"]}", "bound_session of the policy holds an array;"},
    {"{\"bound_session\": \"\\u007f\"}", "bound_session of the policy has a control character"},
    {"{\"allowed_actors\": \"user:a\"}", "allowed_actors of the policy holds \"user:a\";"},
    {"{\"allowed_actors\": {\"user:a\": 1}}", "allowed_actors of the policy holds an object;"},
    {"{\"denied_actors\": [\"user:a\", 1]}", "denied_actors of the policy holds 1;"},
    {"{\"denied_actors\": [\"user:a\", \"\\u001b\"]}", "denied_actors[1] has a control character"},
    {"{\"denied_actors\": [\"a\\u0000b\"]}", "a list of strings without zero bytes"},
};

START_TEST(bad_policies_are_refused)
{
    refq_policy *policy = NULL;
    ck_assert_int_eq(read_exact(bads[_i].json, &policy), REFQ_ERR_INVALID);
    ck_assert_msg(strstr(err.text, bads[_i].says) != NULL, "%s", err.text);
    ck_assert_ptr_null(policy);
}
END_TEST

/* A list of n patterns of len bytes, as JSON. */
static char *listed(const char *field, size_t n, size_t len)
{
    rqi_buf json = {0};
    rqi_buf_addf(&json, "{\"%s\": [", field);
    for (size_t i = 0; i < n; i++) {
        rqi_buf_addf(&json, "%s\"%0*zu\"", i > 0 ? ", " : "", (int)len, i);
    }
    rqi_buf_adds(&json, "]}");
    return rqi_buf_take(&json, NULL);
}

START_TEST(policies_have_limits)
{
    static const struct {
        size_t n, len;
        refq_err want;
    } cases[] = {
        {REFQ_POLICY_PATTERNS, 8, REFQ_OK},         {REFQ_POLICY_PATTERNS + 1, 8, REFQ_ERR_LIMIT},
        {3, REFQ_ACCESS_NAME_MAX, REFQ_OK},         {3, REFQ_ACCESS_NAME_MAX + 1, REFQ_ERR_LIMIT},
        {REFQ_POLICY_PATTERNS, 59, REFQ_OK},        {REFQ_POLICY_PATTERNS, 60, REFQ_ERR_LIMIT},
        {REFQ_POLICY_PATTERNS, 80, REFQ_ERR_LIMIT},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        refq_policy *policy = NULL;
        char *json =
            listed(i % 2 == 0 ? "allowed_actors" : "denied_actors", cases[i].n, cases[i].len);
        ck_assert_msg(read_exact(json, &policy) == cases[i].want, "case %zu: %s", i, err.text);
        free(json);
        refq_policy_free(policy);
    }
}
END_TEST

/* Quotes and backslashes take two bytes each in JSON. */
START_TEST(the_limit_is_on_the_json)
{
    char quotes[REFQ_ACCESS_NAME_MAX + 1];
    memset(quotes, '"', REFQ_ACCESS_NAME_MAX);
    quotes[REFQ_ACCESS_NAME_MAX] = '\0';
    const char *list[128];
    for (size_t i = 0; i < N_OF(list); i++) {
        list[i] = quotes;
    }
    refq_policy policy = refq_policy_preset(REFQ_POLICY_DEFAULT);
    policy.allowed_actors = list;
    refq_policy *copy = NULL;
    char *json = NULL;
    policy.n_allowed = 126;
    free(written(&policy));
    policy.n_allowed = 128;
    ck_assert_int_eq(refq_policy_format(&policy, &json, NULL, &err), REFQ_ERR_LIMIT);
    ck_assert_int_eq(refq_policy_copy(&policy, &copy, &err), REFQ_ERR_LIMIT);
    ck_assert_ptr_null(json);
    ck_assert_ptr_null(copy);
}
END_TEST

START_TEST(what_must_not_be_stored_is_not_written)
{
    static const char *const holes[] = {"user:a", NULL};
    const refq_policy fine = refq_policy_preset(REFQ_POLICY_DEFAULT);
    refq_policy bad[6] = {fine, fine, fine, fine, fine, fine};
    bad[0].user_permissions = 32;
    bad[1].agent_permissions = (unsigned)-1;
    bad[2].owner_permissions = 64;
    bad[3].owner = "user:\n";
    bad[4].denied_actors = holes;
    bad[4].n_denied = 2;
    bad[5].n_allowed = 1;
    for (size_t i = 0; i < N_OF(bad); i++) {
        char *json = NULL;
        ck_assert_int_eq(refq_policy_format(&bad[i], &json, NULL, &err), REFQ_ERR_INVALID);
        ck_assert_ptr_null(json);
    }
}
END_TEST

START_TEST(a_copy_borrows_nothing)
{
    char owner[] = "user:alice";
    char session[] = "s1";
    char pattern[] = "agent:*";
    const char *list[] = {pattern, owner};
    refq_policy policy = refq_policy_preset(REFQ_POLICY_READ_ONLY);
    policy.owner = owner;
    policy.bound_session = session;
    policy.allowed_actors = list;
    policy.n_allowed = 2;
    policy.denied_actors = list;
    refq_policy *copy;
    ck_assert_int_eq(refq_policy_copy(&policy, &copy, &err), REFQ_OK);
    char *before = written(&policy);
    memset(owner, 'x', sizeof owner - 1);
    memset(session, 'x', sizeof session - 1);
    memset(pattern, 'x', sizeof pattern - 1);
    list[0] = NULL;
    char *after = written(copy);
    ck_assert_str_eq(after, before);
    ck_assert_ptr_nonnull(strstr(after, "\"denied_actors\": []"));
    free(before);
    free(after);
    refq_policy_free(copy);
    refq_policy_free(NULL);
}
END_TEST

START_TEST(presets)
{
    static const struct {
        const char *name;
        refq_policy_kind kind;
        unsigned user, agent;
    } cases[] = {
        {"default", REFQ_POLICY_DEFAULT, 31, 17},
        {"public", REFQ_POLICY_PUBLIC, 31, 31},
        {"user_only", REFQ_POLICY_USER_ONLY, 31, 0},
        {"execute_only", REFQ_POLICY_EXECUTE_ONLY, 31, 16},
        {"read_only", REFQ_POLICY_READ_ONLY, 1, 1},
    };
    refq_policy policy;
    for (size_t i = 0; i < N_OF(cases); i++) {
        ck_assert_int_eq(refq_policy_named(cases[i].name, &policy, &err), REFQ_OK);
        refq_policy same = refq_policy_preset(cases[i].kind);
        ck_assert_uint_eq(policy.user_permissions, cases[i].user);
        ck_assert_uint_eq(policy.agent_permissions, cases[i].agent);
        ck_assert_uint_eq(policy.owner_permissions, 31);
        ck_assert_uint_eq(same.user_permissions, cases[i].user);
        ck_assert_uint_eq(same.agent_permissions, cases[i].agent);
    }
    policy = refq_policy_preset((refq_policy_kind)99);
    ck_assert_uint_eq(policy.user_permissions | policy.agent_permissions, 0);
    ck_assert_int_eq(refq_policy_named("Public", &policy, &err), REFQ_ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "there are default, public"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access_policy");
    TCase *tc = tcase_create("policy");
    tcase_add_loop_test(tc, policies_are_read_and_written, 0, (int)N_OF(goods));
    tcase_add_loop_test(tc, bad_policies_are_refused, 0, (int)N_OF(bads));
    tcase_add_test(tc, policies_have_limits);
    tcase_add_test(tc, the_limit_is_on_the_json);
    tcase_add_test(tc, what_must_not_be_stored_is_not_written);
    tcase_add_test(tc, a_copy_borrows_nothing);
    tcase_add_test(tc, presets);
    suite_add_tcase(suite, tc);
    return rqt_main(suite);
}
