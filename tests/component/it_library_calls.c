/* SPDX-License-Identifier: MIT */
/* The function library, called directly: what a task carries for the call it came from. */
#include "support/library.h"
#include "support/redis_fixture.h"

#include "task/library_name.h"
#include "task/scope.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
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
    while (got.n == 0 && got.more) { /* what was read had been cancelled */
        got = rqt_claim_some("a1", 1, "-");
    }
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

/* --- Identical calls -------------------------------------------------------------------------- */

#define ONE      "0123456789abcdef0123456789abcdef"
#define CALL_KEY "refq:{docs}:call:" ONE

/* Submits task n as a call with this reuse; returns how, and in *ret_hex the task it is. */
static const char *submit_call(int n, const char *reuse, char ret_hex[33])
{
    static char how[16];
    redisReply *r = rqt_fcall("submit 1 %s echo normal 0 %s 60000 m\x80 2 call " ONE " reuse %s",
                              rqt_hex(n), "", reuse);
    (void)snprintf(how, sizeof how, "%s", r->element[1]->str);
    if (ret_hex != NULL) {
        (void)snprintf(ret_hex, 33, "%s", r->element[0]->str);
    }
    freeReplyObject(r);
    return how;
}

static const char *detach(int n, int caller)
{
    static char how[16];
    redisReply *r = rqt_fcall("detach %s %s 60000", rqt_hex(n), rqt_hex(caller));
    (void)snprintf(how, sizeof how, "%s", r->element[0]->str);
    freeReplyObject(r);
    return how;
}

static void finish_ok(const rqt_claim *c, const char *ttl)
{
    ck_assert_str_eq(rqt_report("a1", c, "ok %s 0 {} %s", ttl, ""), "ok");
}

START_TEST(two_identical_calls_in_one_submit_are_one_task)
{
    redisReply *r =
        rqt_fcall("submit 2 %s echo normal 0 %s 60000 m\x80 2 call " ONE
                  " reuse in_flight %s echo normal 0 %s 60000 m\x80 2 call " ONE " reuse in_flight",
                  rqt_hex(1), "", rqt_hex(2), "");
    ck_assert_str_eq(r->element[1]->str, "new");
    ck_assert_str_eq(r->element[3]->str, rqt_hex(1));
    ck_assert_str_eq(r->element[4]->str, "joined");
    freeReplyObject(r);
    ck_assert_int_eq(rqt_redis_int("HGET refq:{docs}:meta pending"), 1);
}
END_TEST

START_TEST(a_submit_whose_reply_was_lost_joins_once)
{
    char hex[33];
    ck_assert_str_eq(submit_call(1, "in_flight", NULL), "new");
    ck_assert_str_eq(submit_call(1, "in_flight", NULL), "same");
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(submit_call(2, "in_flight", hex), "joined");
        ck_assert_str_eq(hex, rqt_hex(1));
    }
    ck_assert_int_eq(rqt_redis_int("SCARD refq:{docs}:callers:%s", rqt_hex(1)), 2);
    ck_assert_str_eq(detach(1, 2), "kept");
    ck_assert_str_eq(detach(1, 2), "kept");
    ck_assert_str_eq(detach(1, 1), "cancelled");
    ck_assert_str_eq(detach(1, 1), "already");
    ck_assert_str_eq(detach(3, 3), "none");
}
END_TEST

START_TEST(a_join_after_the_end_is_a_new_task)
{
    ck_assert_str_eq(submit_call(1, "in_flight", NULL), "new");
    rqt_claim c = claim_one();
    ck_assert_str_eq(submit_call(2, "in_flight", NULL), "joined");
    finish_ok(&c, "60000");
    ck_assert_int_eq(rqt_redis_int("EXISTS " CALL_KEY), 0);
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:callers:%s", rqt_hex(1)), 0);
    ck_assert_str_eq(detach(1, 2), "already");
    ck_assert_str_eq(detach(1, 1), "already");
    ck_assert_str_eq(submit_call(2, "in_flight", NULL), "new");
}
END_TEST

START_TEST(a_kept_result_is_found_as_long_as_it_lives)
{
    ck_assert_str_eq(submit_call(1, "result", NULL), "new");
    rqt_claim c = claim_one();
    finish_ok(&c, "50000");
    long long left = rqt_redis_int("PTTL " CALL_KEY);
    ck_assert(left > 0 && left <= 50000);
    ck_assert_str_eq(submit_call(2, "in_flight", NULL), "new");
    freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(2)));
    ck_assert_str_eq(submit_call(3, "result", NULL), "new");
    c = claim_one();
    finish_ok(&c, "50000");
    ck_assert_str_eq(submit_call(4, "result", NULL), "joined");
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:callers:%s", rqt_hex(3)), 0);
    rqt_pass_time(50001);
    ck_assert_str_eq(submit_call(5, "result", NULL), "new");
    rqt_pass_time(-50001);
    freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(5)));
}
END_TEST

START_TEST(a_result_that_was_deleted_is_made_anew)
{
    ck_assert_str_eq(submit_call(1, "result", NULL), "new");
    rqt_claim c = claim_one();
    finish_ok(&c, "50000");
    rqt_redis_do("DEL mcp-refcache:entry:docs:%s", rqt_hex(1));
    ck_assert_str_eq(submit_call(2, "result", NULL), "new");
    freeReplyObject(
        rqt_fcall("sweep one 0 %s %s 1 %s mcp-refcache:entry:docs: %s", "", "", "", rqt_hex(1)));
    ck_assert_str_eq(submit_call(3, "result", NULL), "joined");
}
END_TEST

/* Each takes task 1, which waits, to an end that is no result. */
static void end_by_cancel(void)
{
    freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(1)));
}

static void end_by_failure(void)
{
    rqt_claim c = claim_one();
    (void)rqt_report("a1", &c, "fail permanent 0 0 {} broken");
}

static void end_by_retries(void)
{
    rqt_claim c = claim_one();
    (void)rqt_report("a1", &c, "fail retryable 0 0 {} broken");
}

static void end_by_crashes(void)
{
    for (int i = 0; i < 3; i++) {
        rqt_claim c = claim_one();
        (void)rqt_report("a1", &c, "crash {} broken 0");
    }
}

static void end_unknown(void)
{
    rqt_redis_do("DEL refq:{docs}:catalog");
    rqt_claim c = claim_one();
    (void)rqt_report("a1", &c, "unknown 0 0");
}

static void end_unknown_on_a_shelf(void)
{
    (void)rqt_claim_some("a1", 1, "echo=0");
    rqt_redis_do("DEL refq:{docs}:catalog");
    for (int i = 0; i < 2; i++) {
        rqt_pass_time(70000);
        freeReplyObject(rqt_fcall("beat a1 1000000 beat 0"));
    }
}

static void end_late(void)
{
    rqt_redis_do("HSET refq:{docs}:task:%s start_by 1", rqt_hex(1));
    ck_assert_int_eq(rqt_claim_some("a1", 1, "-").n, 0);
}

static void end_unstarted(void)
{
    rqt_redis_do("HSET refq:{docs}:task:%s start_by 1", rqt_hex(1));
    rqt_redis_do("ZADD refq:{docs}:deadlines 1 %s", rqt_hex(1));
    freeReplyObject(rqt_fcall("sweep deadlines 0 %s %s 1 %s - -", "", "", ""));
}

static void end_by_timeout(void)
{
    rqt_claim c = claim_one();
    (void)rqt_report("a1", &c, "deadline 1 0");
    rqt_pass_time(60000);
    freeReplyObject(rqt_fcall("sweep deadlines 0 %s %s 1 %s - -", "", "", ""));
}

static void end_with_its_worker(void)
{
    for (int i = 0; i < 3; i++) {
        rqt_worker_begin("b2", "echo");
        rqt_claims got = rqt_claim_some("b2", 1, "-");
        ck_assert_int_eq(got.n, 1);
        (void)rqt_report("b2", &got.c[0], "alone");
        freeReplyObject(rqt_fcall("beat b2 10000 bye 0"));
    }
}

static void end_by_detach(void)
{
    (void)claim_one();
    ck_assert_str_eq(detach(1, 2), "kept");
    ck_assert_str_eq(detach(1, 1), "cancelled");
}

static const struct {
    void (*end)(void);
    const char *reason;
} ends[] = {
    {end_by_cancel, ""},
    {end_by_failure, "permanent"},
    {end_by_retries, "exhausted"},
    {end_by_crashes, "poison"},
    {end_unknown, "unknown_handler"},
    {end_unknown_on_a_shelf, "unknown_handler"},
    {end_late, "expired"},
    {end_unstarted, "expired"},
    {end_by_timeout, "exhausted"},
    {end_with_its_worker, "poison"},
    {end_by_detach, ""},
};

START_TEST(whatever_ends_it_nobody_finds_it_any_more)
{
    rqt_queue_task(1, "echo", "normal", 0, "call " ONE " reuse result");
    ck_assert_str_eq(submit_call(2, "result", NULL), "joined");
    ends[_i].end();
    ck_assert_str_eq(rqt_record(1, "reason"), ends[_i].reason);
    ck_assert_int_eq(rqt_redis_int("EXISTS " CALL_KEY), 0);
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:callers:%s", rqt_hex(1)), 0);
    ck_assert_str_eq(submit_call(3, "result", NULL), "new");
}
END_TEST

START_TEST(a_key_that_leads_elsewhere_by_now_stays)
{
    ck_assert_str_eq(submit_call(1, "in_flight", NULL), "new");
    rqt_redis_do("SET " CALL_KEY " %s PX 60000", rqt_hex(9));
    rqt_claim c = claim_one();
    finish_ok(&c, "60000");
    ck_assert_str_eq(rqt_redis_str("GET " CALL_KEY), rqt_hex(9));
}
END_TEST

START_TEST(a_foreign_key_in_the_place_of_a_call_costs_its_reuse_only)
{
    rqt_redis_do("HSET " CALL_KEY " a foreign");
    rqt_redis_do("PEXPIRE " CALL_KEY " 60000");
    ck_assert_str_eq(submit_call(1, "in_flight", NULL), "new");
    ck_assert_str_eq(submit_call(2, "in_flight", NULL), "new");
    ck_assert_str_eq(rqt_record(1, "call"), "");
    rqt_claim c = claim_one();
    finish_ok(&c, "60000");
    ck_assert_str_eq(rqt_redis_str("HGET " CALL_KEY " a"), "foreign");
}
END_TEST

START_TEST(a_foreign_key_in_the_place_of_the_callers_lets_no_one_cancel)
{
    ck_assert_str_eq(submit_call(1, "in_flight", NULL), "new");
    rqt_redis_do("SET refq:{docs}:callers:%s foreign", rqt_hex(1));
    ck_assert_str_eq(submit_call(2, "in_flight", NULL), "joined");
    ck_assert_str_eq(detach(1, 1), "kept");
    rqt_claim c = claim_one();
    finish_ok(&c, "60000");
}
END_TEST

START_TEST(a_record_in_the_place_of_a_call_that_is_another_is_not_joined)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_redis_do("SET " CALL_KEY " %s", rqt_hex(1));
    ck_assert_str_eq(submit_call(2, "in_flight", NULL), "new");
    ck_assert_str_eq(submit_call(3, "in_flight", NULL), "joined");
}
END_TEST

START_TEST(callers_beyond_the_bound_keep_the_task_from_being_cancelled)
{
    ck_assert_str_eq(submit_call(1, "in_flight", NULL), "new");
    for (int i = 2; i <= 1024; i++) {
        ck_assert_str_eq(submit_call(i, "in_flight", NULL), "joined");
    }
    ck_assert_str_eq(rqt_record(1, "handed"), "");
    ck_assert_str_eq(submit_call(1025, "in_flight", NULL), "joined");
    ck_assert_int_eq(rqt_redis_int("SCARD refq:{docs}:callers:%s", rqt_hex(1)), 1024);
    for (int i = 1; i <= 1025; i++) {
        ck_assert_str_eq(detach(1, i), "kept");
    }
}
END_TEST

/* --- Waiting for others ----------------------------------------------------------------------- */

static void queue_after(int n, const char *after)
{
    freeReplyObject(
        rqt_fcall("submit 1 %s echo normal 0 %s 60000 m\x80 1 after %s", rqt_hex(n), "", after));
}

static const char *ref_of(int n)
{
    static char text[64];
    (void)snprintf(text, sizeof text, "docs:%s", rqt_hex(n));
    return text;
}

static bool is_follower(int n, int of)
{
    return rqt_redis_int("SISMEMBER refq:{docs}:followers:%s docs:%s", rqt_hex(of), rqt_hex(n)) ==
           1;
}

static void expect_none_to_claim(void)
{
    ck_assert_int_eq(rqt_claim_some("a1", 4, "-").n, 0);
}

START_TEST(the_end_of_one_makes_what_waits_for_it_due)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    queue_after(2, ref_of(1));
    ck_assert(is_follower(2, 1));
    ck_assert(rqt_redis_int("PTTL refq:{docs}:followers:%s", rqt_hex(1)) > 0);
    rqt_claim c = claim_one();
    ck_assert_str_eq(c.hex, rqt_hex(1));
    expect_none_to_claim();
    finish_ok(&c, "60000");
    c = claim_one();
    ck_assert_str_eq(c.hex, rqt_hex(2));
    ck_assert_int_eq(c.attempt, 1);
    ck_assert_str_eq(rqt_record(2, "after"), "");
}
END_TEST

START_TEST(whatever_ends_it_what_waits_goes_on)
{
    char before[32];
    rqt_queue_task(1, "echo", "normal", 0, "start_within 900000");
    queue_after(4, ref_of(1));
    (void)snprintf(before, sizeof before, "%s", rqt_record(4, "due_at"));
    ends[_i].end();
    ck_assert_str_eq(rqt_record(1, "reason"), ends[_i].reason);
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:followers:%s", rqt_hex(1)), 0);
    ck_assert_str_ne(rqt_record(4, "due_at"), before);
    ck_assert_str_eq(claim_one().hex, rqt_hex(4));
}
END_TEST

START_TEST(one_submit_may_bring_both)
{
    freeReplyObject(rqt_fcall("submit 2 %s echo normal 0 %s 60000 m\x80 0 "
                              "%s echo normal 0 %s 60000 m\x80 1 after %s",
                              rqt_hex(1), "", rqt_hex(2), "", ref_of(1)));
    ck_assert(is_follower(2, 1));
    rqt_claim c = claim_one();
    finish_ok(&c, "60000");
    ck_assert_str_eq(claim_one().hex, rqt_hex(2));
}
END_TEST

START_TEST(a_submit_after_the_end_does_not_wait)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim c = claim_one();
    finish_ok(&c, "60000");
    queue_after(2, ref_of(1));
    ck_assert_str_eq(rqt_record(2, "after"), "");
    ck_assert_str_eq(claim_one().hex, rqt_hex(2));
}
END_TEST

START_TEST(a_lost_wake_up_mends_itself)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    queue_after(2, ref_of(1));
    rqt_claim c = claim_one();
    rqt_redis_do("DEL refq:{docs}:followers:%s", rqt_hex(1));
    rqt_pass_time(60001);
    expect_none_to_claim();
    ck_assert(is_follower(2, 1));
    rqt_redis_do("DEL refq:{docs}:followers:%s", rqt_hex(1));
    finish_ok(&c, "120000");
    expect_none_to_claim();
    rqt_pass_time(60001);
    ck_assert_str_eq(claim_one().hex, rqt_hex(2));
    rqt_pass_time(-120002);
}
END_TEST

START_TEST(an_attempt_without_its_input_is_parked)
{
    rqt_queue_task(1, "echo", "normal", 3600000, "");
    rqt_queue_task(2, "echo", "normal", 0, "start_within 900000 max_retries 0");
    rqt_claim c = claim_one();
    ck_assert_str_eq(rqt_report("a1", &c, "park %s", ref_of(1)), "ok");
    ck_assert_str_eq(rqt_report("a1", &c, "park %s", ref_of(1)), "stale");
    ck_assert_str_eq(rqt_record(2, "after"), ref_of(1));
    ck_assert_str_eq(rqt_record(2, "attempt"), "0");
    ck_assert_str_eq(rqt_record(2, "failures"), "");
    ck_assert_str_eq(rqt_record(2, "releases"), "");
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:deadlines"), 1);
    expect_none_to_claim();
    freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(1)));
    c = claim_one();
    ck_assert_str_eq(c.hex, rqt_hex(2));
    ck_assert_int_eq(c.attempt, 1);
}
END_TEST

START_TEST(who_asks_to_be_parked_for_what_has_ended_is_queued)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim c = claim_one();
    ck_assert_str_eq(rqt_report("a1", &c, "park %s", "docs:no-reference"), "ok");
    c = claim_one();
    ck_assert_str_eq(rqt_report("a1", &c, "park %s", ref_of(1)), "ok");
    ck_assert_str_eq(rqt_record(1, "after"), "");
    c = claim_one();
    freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(1)));
    ck_assert_str_eq(rqt_report("a1", &c, "park %s", ref_of(2)), "stale");
}
END_TEST

START_TEST(only_the_first_64_are_waited_for)
{
    char after[65 * 40] = "";
    rqt_queue_task(1, "echo", "normal", 3600000, "");
    for (int i = 0; i < 65; i++) {
        size_t at = strlen(after);
        (void)snprintf(after + at, sizeof after - at, "%sdocs:%s", i > 0 ? " " : "",
                       rqt_hex(i < 64 ? 100 + i : 1));
    }
    queue_after(2, after);
    ck_assert_str_eq(claim_one().hex, rqt_hex(2));
}
END_TEST

START_TEST(more_than_the_bound_find_out_by_themselves)
{
    rqt_queue_task(1, "echo", "normal", 3600000, "");
    for (int i = 0; i < 1024; i++) {
        rqt_redis_do("SADD refq:{docs}:followers:%s docs:%s", rqt_hex(1), rqt_hex(5000 + i));
    }
    queue_after(2, ref_of(1));
    ck_assert(!is_follower(2, 1));
    freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(1)));
    expect_none_to_claim();
    rqt_pass_time(60001);
    ck_assert_str_eq(claim_one().hex, rqt_hex(2));
    rqt_pass_time(-60001);
}
END_TEST

/* The other queue is looked at with plain commands, for the helpers are for the queue docs. */
START_TEST(those_of_another_queue_can_be_waited_for)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    freeReplyObject(rqt_redis("FCALL " RQI_LIBRARY_NAME "_submit 1 refq:{other}:meta 1 %s echo "
                              "normal 0 %s 60000 m\x80 1 after %s",
                              rqt_hex(2), "", ref_of(1)));
    rqt_redis_do("SADD refq:{other}:parked b2");
    rqt_redis_do("HSET refq:{other}:meta clock_offset -1000000");
    long long before = rqt_redis_int("ZSCORE refq:{other}:due %s", rqt_hex(2));
    rqt_claim c = claim_one();
    finish_ok(&c, "60000");
    long long due = rqt_redis_int("ZSCORE refq:{other}:due %s", rqt_hex(2));
    ck_assert(due > 0 && due <= before - 1000000);
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{other}:bell"), 1);
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{docs}:bell"), 0);
    rqt_redis_do("DEL refq:{other}:parked refq:{other}:bell");
}
END_TEST

START_TEST(foreign_keys_cost_no_more_than_a_wake_up)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_redis_do("SET refq:{docs}:followers:%s foreign PX 600000", rqt_hex(1));
    queue_after(2, ref_of(1));
    rqt_claim c = claim_one();
    finish_ok(&c, "60000");
    expect_none_to_claim();
    rqt_redis_do("DEL refq:{docs}:followers:%s", rqt_hex(1));
    rqt_pass_time(60001);
    ck_assert_str_eq(claim_one().hex, rqt_hex(2));
    rqt_pass_time(-60001);
    rqt_redis_do("SET refq:{docs}:task:%s foreign PX 600000", rqt_hex(3));
    queue_after(4, ref_of(3));
    ck_assert_str_eq(claim_one().hex, rqt_hex(4));
    rqt_redis_do("DEL refq:{docs}:task:%s", rqt_hex(3));
}
END_TEST

START_TEST(a_foreign_record_among_those_that_wait_leaves_the_others_their_turn)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    queue_after(2, ref_of(1));
    rqt_redis_do("SADD refq:{docs}:followers:%s docs:%s nonsense", rqt_hex(1), rqt_hex(3));
    rqt_redis_do("SET refq:{docs}:task:%s foreign", rqt_hex(3));
    rqt_claim c = claim_one();
    finish_ok(&c, "60000");
    ck_assert_str_eq(claim_one().hex, rqt_hex(2));
    rqt_redis_do("DEL refq:{docs}:task:%s", rqt_hex(3));
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
    t = tcase_create("identical calls");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, two_identical_calls_in_one_submit_are_one_task);
    tcase_add_test(t, a_submit_whose_reply_was_lost_joins_once);
    tcase_add_test(t, a_join_after_the_end_is_a_new_task);
    tcase_add_test(t, a_kept_result_is_found_as_long_as_it_lives);
    tcase_add_test(t, a_result_that_was_deleted_is_made_anew);
    tcase_add_loop_test(t, whatever_ends_it_nobody_finds_it_any_more, 0,
                        (int)(sizeof ends / sizeof ends[0]));
    tcase_add_test(t, a_key_that_leads_elsewhere_by_now_stays);
    tcase_add_test(t, a_foreign_key_in_the_place_of_a_call_costs_its_reuse_only);
    tcase_add_test(t, a_foreign_key_in_the_place_of_the_callers_lets_no_one_cancel);
    tcase_add_test(t, a_record_in_the_place_of_a_call_that_is_another_is_not_joined);
    tcase_add_test(t, callers_beyond_the_bound_keep_the_task_from_being_cancelled);
    suite_add_tcase(s, t);
    t = tcase_create("waiting for others");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_end_of_one_makes_what_waits_for_it_due);
    tcase_add_loop_test(t, whatever_ends_it_what_waits_goes_on, 0,
                        (int)(sizeof ends / sizeof ends[0]));
    tcase_add_test(t, one_submit_may_bring_both);
    tcase_add_test(t, a_submit_after_the_end_does_not_wait);
    tcase_add_test(t, a_lost_wake_up_mends_itself);
    tcase_add_test(t, an_attempt_without_its_input_is_parked);
    tcase_add_test(t, who_asks_to_be_parked_for_what_has_ended_is_queued);
    tcase_add_test(t, only_the_first_64_are_waited_for);
    tcase_add_test(t, more_than_the_bound_find_out_by_themselves);
    tcase_add_test(t, those_of_another_queue_can_be_waited_for);
    tcase_add_test(t, foreign_keys_cost_no_more_than_a_wake_up);
    tcase_add_test(t, a_foreign_record_among_those_that_wait_leaves_the_others_their_turn);
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
