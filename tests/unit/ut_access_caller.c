/* SPDX-License-Identifier: MIT */
/* Identities: templates, and what follows from who calls. */
#include "support/main.h"
#include "task/scope.h"

#include <refq/access.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static refq_error err;

static const char *filled(char *room, char c, size_t n)
{
    memset(room, c, n);
    room[n] = '\0';
    return room;
}

/* --- Templates -------------------------------------------------------------------------------- */

static const refq_identity_value extra[] = {{"role", "admin"}, {"empty", ""}, {"none", NULL}};
static const refq_identity alice = {.struct_size = sizeof alice,
                                    .session_id = "s1",
                                    .user_id = "alice",
                                    .org_id = "acme",
                                    .tenant_id = "",
                                    .extra = extra,
                                    .n_extra = N_OF(extra)};
static const refq_identity forger = {.struct_size = sizeof forger,
                                     .user_id = "x:user:bob",
                                     .org_id = "%3A*",
                                     .client_id = "a\n\xc2\x85\x7f"};

static const struct expansion {
    const char *text;
    const refq_identity *who;
    const char *want;
} expansions[] = {
    {"", &alice, ""},
    {"public", NULL, "public"},
    {"org:{org_id}:user:{user_id}", &alice, "org:acme:user:alice"},
    {"{role}/{empty}/{none}/{other}", &alice, "admin/unknown/unknown/unknown"},
    {"{user_id} {agent_id} {org_id} {tenant_id} {session_id} {client_id} {request_id}", NULL,
     "anonymous anonymous default default nosession unknown unknown"},
    {"{tenant_id}", &alice, "default"},
    {"{", &alice, "{"},
    {"{user_id", &alice, "{user_id"},
    {"{}{1a}{user-id}", &alice, "{}{1a}{user-id}"},
    {"{{user_id}}", &alice, "{alice}"},
    {"user:{user_id}", &forger, "user:x%3Auser%3Abob"},
    {"{org_id}{client_id}", &forger, "%253A%2Aa%0A%C2%85%7F"},
};

START_TEST(templates_are_expanded)
{
    char *out = malloc(strlen(expansions[_i].want) + 1); /* exact, for the sanitizer */
    ck_assert_ptr_nonnull(out);
    size_t size = strlen(expansions[_i].want) + 1;
    ck_assert_msg(refq_template_expand(expansions[_i].text, expansions[_i].who, out, size, &err) ==
                      REFQ_OK,
                  "%s", err.text);
    ck_assert_str_eq(out, expansions[_i].want);
    out[0] = 'x';
    ck_assert_int_eq(
        refq_template_expand(expansions[_i].text, expansions[_i].who, out, size - 1, &err),
        REFQ_ERR_LIMIT);
    ck_assert_int_eq(out[0], 'x');
    free(out);
}
END_TEST

START_TEST(values_are_not_expanded_again)
{
    const refq_identity who = {
        .struct_size = sizeof who, .user_id = "{org_id}", .org_id = "secret"};
    char out[REFQ_ACCESS_NAME_MAX + 1];
    ck_assert_int_eq(refq_template_expand("{user_id}", &who, out, sizeof out, &err), REFQ_OK);
    ck_assert_str_eq(out, "{org_id}");
}
END_TEST

START_TEST(what_a_template_makes_is_a_name)
{
    char text[4096];
    char out[4096];
    ck_assert_int_eq(refq_template_expand("a\tb", NULL, out, sizeof out, &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_template_expand("\xff", NULL, out, sizeof out, &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_template_expand(filled(text, 'x', 256), NULL, out, sizeof out, &err),
                     REFQ_OK);
    ck_assert_int_eq(refq_template_expand(filled(text, 'x', 257), NULL, out, sizeof out, &err),
                     REFQ_ERR_LIMIT);
    ck_assert_int_eq(refq_template_expand(filled(text, 'x', 2000), NULL, out, sizeof out, &err),
                     REFQ_ERR_LIMIT);
    const refq_identity colons = {.struct_size = sizeof colons, .user_id = filled(text, ':', 200)};
    ck_assert_int_eq(
        refq_template_expand("{user_id}{user_id}{user_id}", &colons, out, sizeof out, &err),
        REFQ_ERR_LIMIT);
}
END_TEST

START_TEST(bad_identities_are_refused)
{
    char text[REFQ_ACCESS_NAME_MAX + 2];
    const refq_identity_value twice[] = {{"user_id", "bob"}};
    const refq_identity_value unnamed[] = {{NULL, "x"}};
    const refq_identity_value odd[] = {{"a-b", "x"}};
    const refq_identity_value torn[] = {{"role", "\xc3"}};
    const struct {
        refq_identity who;
        refq_err want;
        const char *says;
    } cases[] = {
        {{.user_id = filled(text, 'x', 257)}, REFQ_ERR_LIMIT, "user_id of the identity"},
        {{.request_id = "\xff"}, REFQ_ERR_INVALID, "request_id of the identity is not UTF-8"},
        {{.extra = twice, .n_extra = 1}, REFQ_ERR_INVALID, "has user_id twice"},
        {{.extra = unnamed, .n_extra = 1}, REFQ_ERR_INVALID, "no proper name"},
        {{.extra = odd, .n_extra = 1}, REFQ_ERR_INVALID, "no proper name"},
        {{.extra = torn, .n_extra = 1}, REFQ_ERR_INVALID, "role of the identity is not UTF-8"},
        {{.n_extra = REFQ_IDENTITY_EXTRA + 1}, REFQ_ERR_LIMIT, "65 further values"},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        char out[16];
        refq_caller *caller = NULL;
        ck_assert_int_eq(refq_template_expand("x", &cases[i].who, out, sizeof out, &err),
                         cases[i].want);
        ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s", err.text);
        ck_assert_int_eq(refq_caller_make(NULL, &cases[i].who, NULL, &caller, &err), cases[i].want);
        ck_assert_ptr_null(caller);
    }
}
END_TEST

/* --- Callers ---------------------------------------------------------------------------------- */

static refq_caller *make(const refq_caller_rule *rule, const refq_identity *who,
                         const refq_policy *base)
{
    refq_caller *caller;
    ck_assert_msg(refq_caller_make(rule, who, base, &caller, &err) == REFQ_OK, "%s", err.text);
    return caller;
}

static void expect_actor(const refq_caller *caller, const char *text, const char *session)
{
    char out[REFQ_ACCESS_NAME_MAX + 1];
    ck_assert_str_eq(refq_actor_format(refq_caller_actor(caller), out, sizeof out), text);
    ck_assert_pstr_eq(refq_caller_actor(caller)->session_id, session);
}

static const struct who_case {
    refq_identity who;
    refq_actor other;
    const char *actor;
    const char *session;
} whos[] = {
    {{.user_id = "alice", .agent_id = "c", .session_id = "s1"}, {0}, "user:alice", "s1"},
    {{.agent_id = "c", .session_id = "s1"}, {0}, "agent:c", "s1"},
    {{.user_id = "anonymous", .agent_id = "c"}, {0}, "agent:c", NULL},
    {{.user_id = "", .agent_id = "anonymous"}, {0}, "agent:*", NULL},
    {{.session_id = "s1"}, {0}, "agent:*", "s1"},
    {{.session_id = "nosession"}, {REFQ_ACTOR_USER, NULL, NULL}, "user:*", NULL},
    {{.session_id = "s1"}, {REFQ_ACTOR_USER, "bob", "own"}, "user:bob", "own"},
    {{.session_id = "s1"}, {REFQ_ACTOR_SYSTEM, NULL, NULL}, "system:internal", NULL},
    {{.user_id = "*", .session_id = "a:b"}, {0}, "user:%2A", "a%3Ab"},
};

START_TEST(the_identity_says_who_asks)
{
    const refq_caller_rule rule = {.struct_size = sizeof rule, .actor = whos[_i].other};
    refq_caller *caller = make(&rule, &whos[_i].who, NULL);
    expect_actor(caller, whos[_i].actor, whos[_i].session);
    ck_assert_str_eq(refq_caller_namespace(caller), "public");
    refq_caller_free(caller);
}
END_TEST

START_TEST(without_anything_it_is_an_agent_in_public)
{
    refq_caller *caller = make(NULL, NULL, NULL);
    expect_actor(caller, "agent:*", NULL);
    ck_assert_str_eq(refq_caller_namespace(caller), "public");
    ck_assert_uint_eq(refq_caller_policy(caller)->agent_permissions, 17);
    refq_caller_free(caller);
    refq_caller_free(NULL);
}
END_TEST

/* AC-20, and the cache's default that mcp-refcache forgets (UP-24). */
START_TEST(the_policy_begins_with_the_tasks_or_the_caches)
{
    const refq_policy task = {.struct_size = sizeof task,
                              .user_permissions = 3,
                              .owner = "user:x",
                              .owner_permissions = 5,
                              .bound_session = "old"};
    const refq_policy cache = refq_policy_preset(REFQ_POLICY_USER_ONLY);
    const refq_caller_rule own = {.struct_size = sizeof own,
                                  .owner_template = "user:{user_id}",
                                  .session_scoped = true,
                                  .policy = &task};
    const refq_caller_rule bare = {.struct_size = sizeof bare, .owner_template = ""};
    refq_caller *caller = make(&own, &alice, &cache);
    ck_assert_str_eq(refq_caller_policy(caller)->owner, "user:alice");
    ck_assert_str_eq(refq_caller_policy(caller)->bound_session, "s1");
    ck_assert_uint_eq(refq_caller_policy(caller)->user_permissions, 3);
    ck_assert_uint_eq(refq_caller_policy(caller)->owner_permissions, 5);
    refq_caller_free(caller);
    caller = make(&bare, &alice, &cache);
    ck_assert_uint_eq(refq_caller_policy(caller)->agent_permissions, 0);
    ck_assert_ptr_null(refq_caller_policy(caller)->owner);
    ck_assert_ptr_null(refq_caller_policy(caller)->bound_session);
    refq_caller_free(caller);
    caller = make(&own, NULL, &cache); /* no session to bind to: what the policy says stays */
    ck_assert_str_eq(refq_caller_policy(caller)->owner, "user:anonymous");
    ck_assert_str_eq(refq_caller_policy(caller)->bound_session, "old");
    refq_caller_free(caller);
}
END_TEST

START_TEST(a_template_beats_the_fixed_namespace)
{
    refq_caller_rule rule = {.struct_size = sizeof rule, .namespace_name = "fixed"};
    refq_caller *caller = make(&rule, &alice, NULL);
    ck_assert_str_eq(refq_caller_namespace(caller), "fixed");
    refq_caller_free(caller);
    rule.namespace_template = "org:{org_id}";
    caller = make(&rule, &alice, NULL);
    ck_assert_str_eq(refq_caller_namespace(caller), "org:acme");
    refq_caller_free(caller);
}
END_TEST

/* Whatever the ids are: everyone can use what is theirs, and nobody can use another's. */
START_TEST(everyone_has_a_place_of_their_own)
{
    static const refq_identity people[] = {
        {.user_id = "alice", .session_id = "s1"},  {.user_id = "x:user:alice", .session_id = "s:1"},
        {.user_id = "%3A", .session_id = "s%3A1"}, {.user_id = ":", .session_id = "*"},
        {.user_id = "*", .session_id = "\n"},      {.user_id = "a*", .session_id = "\xc2\x80"},
        {.agent_id = "alice", .session_id = "2"},  {.session_id = "3"},
    };
    static const refq_caller_rule rules[] = {
        {.namespace_template = "user:{user_id}", .owner_template = "user:{user_id}"},
        {.namespace_template = "session:{session_id}"},
        {.session_scoped = true},
    };
    refq_denial denial;
    for (size_t r = 0; r < N_OF(rules); r++) {
        for (size_t i = 0; i < N_OF(people) * N_OF(people); i++) {
            size_t from = i / N_OF(people);
            size_t to = i % N_OF(people);
            refq_caller *own = make(&rules[r], &people[from], NULL);
            refq_caller *other = make(&rules[r], &people[to], NULL);
            refq_err rc = refq_access_check(NULL, refq_caller_actor(other), refq_caller_policy(own),
                                            refq_caller_namespace(own), REFQ_READ, &denial, &err);
            bool may = from == to && (r > 0 || people[to].user_id != NULL);
            ck_assert_msg(rc == (may ? REFQ_OK : REFQ_ERR_DENIED), "rule %zu: %zu of %zu: %s", r,
                          to, from, err.text);
            refq_caller_free(own);
            refq_caller_free(other);
        }
    }
}
END_TEST

/* What a task is submitted with says the same, and the task's own check takes it. */
START_TEST(a_caller_is_the_scope_of_a_task)
{
    static const char *const users[] = {"user:*", "agent:\"q\""};
    refq_policy policy = refq_policy_preset(REFQ_POLICY_READ_ONLY);
    policy.allowed_actors = users;
    policy.n_allowed = N_OF(users);
    policy.denied_actors = users;
    const refq_caller_rule rule = {.struct_size = sizeof rule,
                                   .namespace_template = "user:{user_id}",
                                   .owner_template = "user:{user_id}",
                                   .session_scoped = true,
                                   .policy = &policy};
    refq_scope scope;
    refq_caller *caller = make(&rule, &alice, NULL);
    refq_caller_scope(caller, &scope);
    ck_assert_msg(rqi_scope_check(&scope, &err) == REFQ_OK, "%s", err.text);
    ck_assert_str_eq(scope.namespace_name, "user:alice");
    ck_assert_str_eq(scope.owner, "user:alice");
    ck_assert_str_eq(scope.session, "s1");
    ck_assert_str_eq(scope.actor, "user:alice");
    ck_assert_str_eq(scope.actor_session, "s1");
    ck_assert_str_eq(scope.policy, "{\"user_permissions\": 1, \"agent_permissions\": 1, "
                                   "\"allowed_actors\": [\"user:*\", \"agent:\\\"q\\\"\"], "
                                   "\"denied_actors\": []}");
    refq_caller_free(caller);
    caller = make(NULL, NULL, NULL);
    refq_caller_scope(caller, &scope);
    ck_assert_int_eq(rqi_scope_check(&scope, &err), REFQ_OK);
    ck_assert_str_eq(scope.namespace_name, "public");
    ck_assert_str_eq(scope.actor, "agent:*");
    ck_assert_ptr_null(scope.owner);
    ck_assert_ptr_null(scope.session);
    ck_assert_ptr_null(scope.policy);
    ck_assert_ptr_null(scope.actor_session);
    refq_caller_free(caller);
}
END_TEST

START_TEST(callers_that_cannot_be_are_refused)
{
    static const refq_policy bad_policy = {.user_permissions = 99};
    char text[REFQ_ACCESS_NAME_MAX + 1];
    const refq_identity long_id = {.struct_size = sizeof long_id,
                                   .user_id = filled(text, 'x', 254)};
    const refq_identity colons = {.session_id = "::::::::::::::::::::::::::::::::::::::::::::::::"
                                                "::::::::::::::::::::::::::::::::::::::::::::"};
    const struct {
        refq_caller_rule rule;
        const refq_identity *who;
        refq_err want;
    } cases[] = {
        {{.namespace_name = ""}, NULL, REFQ_ERR_INVALID},
        {{.namespace_name = "a\nb"}, NULL, REFQ_ERR_INVALID},
        {{.namespace_template = ""}, NULL, REFQ_ERR_INVALID},
        {{.owner_template = "a\nb"}, NULL, REFQ_ERR_INVALID},
        {{.policy = &bad_policy}, NULL, REFQ_ERR_INVALID},
        {{.actor = {REFQ_ACTOR_USER, "", NULL}}, NULL, REFQ_ERR_INVALID},
        {{.actor = {REFQ_ACTOR_SYSTEM, "root", NULL}}, NULL, REFQ_ERR_INVALID},
        {{.namespace_name = "x"}, &long_id, REFQ_ERR_LIMIT},
        {{.namespace_name = "x"}, &colons, REFQ_ERR_LIMIT},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        refq_caller *caller = NULL;
        refq_err rc = refq_caller_make(&cases[i].rule, cases[i].who, NULL, &caller, &err);
        ck_assert_msg(rc == cases[i].want, "case %zu: %d", i, rc);
        ck_assert_ptr_null(caller);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access_caller");
    TCase *tc = tcase_create("caller");
    tcase_add_loop_test(tc, templates_are_expanded, 0, (int)N_OF(expansions));
    tcase_add_test(tc, values_are_not_expanded_again);
    tcase_add_test(tc, what_a_template_makes_is_a_name);
    tcase_add_test(tc, bad_identities_are_refused);
    tcase_add_loop_test(tc, the_identity_says_who_asks, 0, (int)N_OF(whos));
    tcase_add_test(tc, without_anything_it_is_an_agent_in_public);
    tcase_add_test(tc, the_policy_begins_with_the_tasks_or_the_caches);
    tcase_add_test(tc, a_template_beats_the_fixed_namespace);
    tcase_add_test(tc, everyone_has_a_place_of_their_own);
    tcase_add_test(tc, a_caller_is_the_scope_of_a_task);
    tcase_add_test(tc, callers_that_cannot_be_are_refused);
    suite_add_tcase(suite, tc);
    return rqt_main(suite);
}
