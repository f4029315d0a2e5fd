/* SPDX-License-Identifier: MIT */
/* The function library, called directly: what a task carries for the call it came from. */
#include "support/library.h"
#include "support/redis_fixture.h"

#include "task/scope.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void setup(void)
{
    rqt_redis_clean();
    rqt_library_load();
    rqt_worker_begin("a1", "echo");
}

static void teardown(void)
{
    ck_assert_str_eq(rqt_library_audit(), "");
    rqt_audit("docs");
}

static rqt_claim claim_one(void)
{
    rqt_claims got = rqt_claim_some("a1", 1, "-");
    ck_assert_int_eq(got.n, 1);
    return got.c[0];
}

/* --- Scope ------------------------------------------------------------------------------------ */

START_TEST(a_plain_task_is_claimed_without_a_scope)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_queue_task(2, "echo", "normal", 0, "timeout_ms 5000");
    ck_assert_str_eq(claim_one().scope, "");
    ck_assert_str_eq(claim_one().scope, "");
}
END_TEST

START_TEST(a_claim_hands_out_the_scope)
{
    rqi_scope scope;
    rqt_queue_task(
        1, "echo", "normal", 0,
        "namespace user:a owner user:\"a\" session s/1 policy "
        "{\"allowed_actors\":[],\"agent_permissions\":0} actor agent:b actor_session s2");
    rqt_claim c = claim_one();
    refq_bytes json = {c.scope, strlen(c.scope)};
    ck_assert_int_eq(rqi_scope_read(json, &scope, NULL), REFQ_OK);
    ck_assert_str_eq(scope.pub.namespace_name, "user:a");
    ck_assert_str_eq(scope.pub.owner, "user:\"a\"");
    ck_assert_str_eq(scope.pub.session, "s/1");
    ck_assert_str_eq(scope.pub.policy, "{\"allowed_actors\":[],\"agent_permissions\":0}");
    ck_assert_str_eq(scope.pub.actor, "agent:b");
    ck_assert_str_eq(scope.pub.actor_session, "s2");
    rqi_scope_done(&scope);
}
END_TEST

START_TEST(the_scope_goes_along_to_each_attempt_and_to_a_retry)
{
    const char *const want = "{\"owner\":\"me\"}";
    rqt_queue_task(1, "echo", "normal", 0, "owner me");
    rqt_claim c = claim_one();
    ck_assert_str_eq(c.scope, want);
    ck_assert_str_eq(rqt_report("a1", &c, "fail retryable 0 3 {} broken"), "ok");
    c = claim_one();
    ck_assert_str_eq(c.scope, want);
    ck_assert_str_eq(rqt_report("a1", &c, "fail permanent 0 3 {} broken"), "ok");
    freeReplyObject(rqt_fcall("retry %s %s", rqt_hex(1), rqt_hex(2)));
    ck_assert_str_eq(claim_one().scope, want);
}
END_TEST

static const struct {
    const char *json;
    refq_err want;
} scope_texts[] = {
    {"", REFQ_OK},
    {"{}", REFQ_OK},
    {"{\"of a later version\":\"x\"}", REFQ_OK},
    {"{\"owner\":\"\"}", REFQ_ERR_LIMIT},
    {"{\"policy\":\"{\"}", REFQ_ERR_INVALID},
    {"{\"namespace\":\"a\\nb\"}", REFQ_ERR_INVALID},
    {"{\"namespace\":", REFQ_ERR_INVALID},
    {"null", REFQ_ERR_INVALID},
};

START_TEST(a_scope_that_is_none_is_not_taken_for_an_open_one)
{
    rqi_scope scope;
    refq_bytes json = {scope_texts[_i].json, strlen(scope_texts[_i].json)};
    ck_assert_int_eq(rqi_scope_read(json, &scope, NULL), scope_texts[_i].want);
    rqi_scope_done(&scope);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("it_library_calls");
    TCase *t = tcase_create("scope");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_plain_task_is_claimed_without_a_scope);
    tcase_add_test(t, a_claim_hands_out_the_scope);
    tcase_add_test(t, the_scope_goes_along_to_each_attempt_and_to_a_retry);
    tcase_add_loop_test(t, a_scope_that_is_none_is_not_taken_for_an_open_one, 0,
                        (int)(sizeof scope_texts / sizeof scope_texts[0]));
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    rqt_redis_start(NULL);
    SRunner *r = srunner_create(suite());
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    rqt_redis_stop();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
