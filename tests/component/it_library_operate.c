/* SPDX-License-Identifier: MIT */
/* The function library, called directly: running again, listing, removing, steering, the event log,
 * and the audit, which has to find each kind of damage. */
#include "support/library.h"
#include "support/main.h"
#include "support/redis_fixture.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY "mcp-refcache:entry:docs:"

static void setup(void)
{
    rqt_redis_clean();
    rqt_library_load();
    rqt_worker_begin("w1", "echo other");
}

static rqt_claim claim_one(void)
{
    rqt_claims got = rqt_claim_some("w1", 1, "-");
    ck_assert_int_eq(got.n, 1);
    return got.c[0];
}

static void finish_one(int n, const char *report)
{
    rqt_queue_task(n, "echo", "normal", 0, "");
    rqt_claim c = claim_one();
    ck_assert_str_eq(rqt_report("w1", &c, report, ""), "ok");
}

static void complete_one(int n)
{
    finish_one(n, "ok 60000 0 null %s");
}

static void fail_one(int n)
{
    finish_one(n, "fail permanent 0 0 {} broken%s");
}

static void cancel_one(int n)
{
    freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(n)));
}

static void expect_clean(void)
{
    ck_assert_str_eq(rqt_library_audit(), "");
}

/* --- Retry ------------------------------------------------------------------------------------ */

static const char *retry(int old, int new)
{
    static char how[64];
    redisReply *r = rqt_fcall("retry %s %s", rqt_hex(old), rqt_hex(new));
    (void)snprintf(how, sizeof how, "%s %d", r->element[0]->str,
                   (int)strtoul(r->element[1]->str + 24, NULL, 16));
    freeReplyObject(r);
    return how;
}

START_TEST(a_failed_task_runs_again_as_a_new_one)
{
    fail_one(1);
    ck_assert_str_eq(retry(1, 2), "new 2");
    ck_assert_str_eq(rqt_record(1, "status"), "failed");
    ck_assert_str_eq(rqt_record(1, "replaced_by"), rqt_hex(2));
    ck_assert_str_eq(rqt_record(2, "replaces"), rqt_hex(1));
    ck_assert_str_eq(rqt_record(2, "args"), "m\x80");
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:dead"), 0);
    ck_assert_str_eq(retry(1, 2), "replaced 2");
    ck_assert_str_eq(retry(1, 3), "replaced 2");
    ck_assert_str_eq(retry(2, 3), "live 2");
    rqt_claim c = claim_one();
    ck_assert_str_eq(c.hex, rqt_hex(2));
    ck_assert_int_eq(c.attempt, 1);
    ck_assert_str_eq(rqt_report("w1", &c, "ok 60000 0 null %s", ""), "ok");
    ck_assert_str_eq(retry(2, 3), "complete 2");
    ck_assert_str_eq(retry(9, 3), "none 9");
    expect_clean();
}
END_TEST

START_TEST(a_task_runs_again_with_its_long_arguments_and_its_key)
{
    char args[512];
    memset(args, 'x', sizeof args - 1);
    args[sizeof args - 1] = '\0';
    freeReplyObject(
        rqt_fcall("submit 1 %s echo low 0 %s 60000 %s 2 max_retries 7 start_within 9000",
                  rqt_hex(1), "k", args));
    cancel_one(1);
    ck_assert_str_eq(retry(1, 2), "new 2");
    ck_assert_str_eq(rqt_redis_str("GET refq:{docs}:args:%s", rqt_hex(2)), args);
    ck_assert_int_eq(rqt_redis_int("TTL refq:{docs}:args:%s", rqt_hex(2)), -1);
    ck_assert_str_eq(rqt_redis_str("GET refq:{docs}:key:k"), rqt_hex(2));
    ck_assert_str_eq(rqt_record(2, "lane"), "low");
    ck_assert_str_eq(rqt_record(2, "max_retries"), "7");
    ck_assert_str_ne(rqt_record(2, "start_by"), "");
    expect_clean();
    rqt_redis_do("DEL refq:{docs}:args:%s", rqt_hex(2));
    cancel_one(2);
    ck_assert_str_eq(retry(2, 3), "gone 2");
}
END_TEST

/* --- List ------------------------------------------------------------------------------------- */

/* Reads all pages; returns how many ids there were, and marks each in seen. */
static int list_all(const char *status, int limit, const char *name, int dead, char *seen)
{
    char cursor[128] = "";
    int n = 0;
    do {
        redisReply *r = rqt_fcall("list %s %d %s %d %s", status, limit, name, dead, cursor);
        ck_assert_int_le(r->elements, limit + 1);
        for (size_t i = 1; i < r->elements; i++) {
            seen[strtoul(r->element[i]->str + 24, NULL, 16)]++;
            n++;
        }
        (void)snprintf(cursor, sizeof cursor, "%s", r->element[0]->str);
        freeReplyObject(r);
    } while (cursor[0] != '\0');
    return n;
}

/* 10 complete, 20 failed, 30 cancelled, 40 ready in all lanes, 50 delayed (at one time), 5 running,
 * 4 held: numbered so that the hundreds tell what they are. */
static void fill(void)
{
    for (int i = 0; i < 10; i++) {
        complete_one(100 + i);
    }
    for (int i = 0; i < 20; i++) {
        fail_one(200 + i);
    }
    for (int i = 0; i < 30; i++) {
        rqt_queue_task(300 + i, "echo", "high", 0, "");
        cancel_one(300 + i);
    }
    for (int i = 0; i < 5; i++) {
        rqt_queue_task(600 + i, "echo", "low", 0, "");
    }
    ck_assert_int_eq(rqt_claim_some("w1", 128, "-").n, 5);
    for (int i = 0; i < 4; i++) {
        rqt_queue_task(700 + i, "other", "low", 0, "");
    }
    (void)rqt_claim_some("w1", 128, "other=0");
    const char *lanes[] = {"high", "normal", "low"};
    for (int i = 0; i < 40; i++) {
        rqt_queue_task(400 + i, i % 4 == 0 ? "other" : "echo", lanes[i % 3], 0, "");
    }
    for (int i = 0; i < 50; i++) {
        rqt_queue_task(500 + i, "echo", "normal", 1000000, "");
    }
}

START_TEST(pages_of_a_list_hold_each_task_once)
{
    static const struct {
        const char *status, *name;
        int dead, expected;
    } rows[] = {
        {"", "", 0, 159},          {"complete", "", 0, 10}, {"failed", "", 0, 20},
        {"cancelled", "", 0, 30},  {"pending", "", 0, 94},  {"processing", "", 0, 5},
        {"", "other", 0, 14},      {"", "nobody", 0, 0},    {"", "", 1, 20},
        {"failed", "echo", 1, 20},
    };
    static const int limits[] = {1, 7, 50, 1000};
    fill();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
            char seen[1000] = {0};
            int n = list_all(rows[i].status, limits[k], rows[i].name, rows[i].dead, seen);
            ck_assert_msg(n == rows[i].expected, "row %zu, limit %d: %d", i, limits[k], n);
            for (size_t s = 0; s < sizeof seen; s++) {
                ck_assert_int_le(seen[s], 1);
            }
        }
    }
    expect_clean();
}
END_TEST

START_TEST(a_forged_cursor_is_refused)
{
    const char *bad[] = {"x", "ready-high", "nowhere|0-0", "|", "finished|1:2|3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        redisReply *r = rqt_fcall_any("list %s 10 %s 0 %s", "", "", bad[i]);
        ck_assert_msg(r->type == REDIS_REPLY_ERROR, "%s", bad[i]);
        freeReplyObject(r);
    }
}
END_TEST

/* --- Sweep ------------------------------------------------------------------------------------ */

static int sweep(const char *index, int64_t age, const char *status, const char *name, int limit)
{
    char cursor[64] = "";
    int removed = 0;
    do {
        redisReply *r = rqt_fcall("sweep %s %lld %s %s %d %s " ENTRY " %s", index, (long long)age,
                                  status, name, limit, cursor, "");
        removed += (int)r->element[0]->integer;
        (void)snprintf(cursor, sizeof cursor, "%s", r->element[1]->str);
        freeReplyObject(r);
    } while (cursor[0] != '\0');
    return removed;
}

START_TEST(finished_tasks_are_removed_by_age_status_and_name)
{
    fill();
    ck_assert_int_eq(sweep("terminal", 3600000, "", "", 7), 0);
    rqt_pass_time(7200000);
    ck_assert_int_eq(sweep("terminal", 3600000, "", "nobody", 7), 0);
    ck_assert_int_eq(sweep("terminal", 3600000, "cancelled", "", 7), 30);
    ck_assert_int_eq(sweep("dead", 3600000, "", "echo", 3), 20);
    ck_assert_int_eq(sweep("terminal", 3600000, "", "", 128), 10);
    ck_assert_int_eq(rqt_redis_int("EXISTS " ENTRY "%s", rqt_hex(100)), 0);
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:terminal"), 0);
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:dead"), 0);
    char seen[1000] = {0};
    ck_assert_int_eq(list_all("", 100, "", 0, seen), 99);
    expect_clean();
}
END_TEST

START_TEST(one_task_is_removed_only_when_it_is_over)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    redisReply *r = rqt_fcall("sweep one 0 %s %s 1 %s " ENTRY " %s", "", "", "", rqt_hex(1));
    ck_assert_int_eq(r->element[0]->integer, 0);
    freeReplyObject(r);
    cancel_one(1);
    r = rqt_fcall("sweep one 0 %s %s 1 %s " ENTRY " %s", "", "", "", rqt_hex(1));
    ck_assert_int_eq(r->element[0]->integer, 1);
    freeReplyObject(r);
    ck_assert_str_eq(rqt_record(1, "status"), "");
    ck_assert_int_eq(rqt_claim_some("w1", 8, "-").n, 0);
}
END_TEST

static int64_t remove_one(const char *index, int n)
{
    redisReply *r = rqt_fcall("sweep %s 0 %s %s 1 %s " ENTRY " %s", index, "", "", "", rqt_hex(n));
    int64_t removed = r->element[0]->integer;
    freeReplyObject(r);
    return removed;
}

START_TEST(purging_one_task_removes_dead_letters_only)
{
    complete_one(1);
    fail_one(2);
    fail_one(3);
    ck_assert_str_eq(retry(3, 4), "new 4");
    ck_assert_int_eq(remove_one("one-dead", 1), 0);
    ck_assert_int_eq(remove_one("one-dead", 3), 0);
    ck_assert_int_eq(remove_one("one-dead", 2), 1);
    ck_assert_str_eq(rqt_record(1, "status"), "complete");
    ck_assert_int_eq(remove_one("one", 1), 1);
    expect_clean();
}
END_TEST

START_TEST(removing_leaves_nothing_of_a_task_behind)
{
    char args[300];
    memset(args, 'y', sizeof args - 1);
    args[sizeof args - 1] = '\0';
    freeReplyObject(rqt_fcall("submit 1 %s echo normal 0 k1 60000 %s 0", rqt_hex(1), args));
    rqt_claim c = claim_one();
    ck_assert_str_eq(rqt_report("w1", &c, "fail permanent 0 0 {} broken"), "ok");
    rqt_pass_time(10);
    ck_assert_int_eq(sweep("dead", 1, "", "", 10), 1);
    redisReply *keys = rqt_redis("KEYS *%s*", rqt_hex(1));
    ck_assert_int_eq(keys->elements, 0);
    freeReplyObject(keys);
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:key:k1"), 0);
}
END_TEST

/* --- Control ---------------------------------------------------------------------------------- */

static long long control(const char *action, const char *value, const char *worker)
{
    redisReply *r = rqt_fcall("control %s %s %s", action, value, worker);
    long long n = r->integer;
    freeReplyObject(r);
    return n;
}

START_TEST(a_paused_queue_hands_nothing_out)
{
    rqt_queue_task(1, "echo", "normal", 0, "");
    ck_assert_int_eq(control("pause", "", ""), 1);
    rqt_claims none = rqt_claim_some("w1", 4, "-");
    ck_assert_int_eq(none.n, 0);
    ck_assert_int_eq(none.parked, 1);
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{docs}:bell"), 0);
    ck_assert_int_eq(control("resume", "", ""), 1);
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{docs}:bell"), 1);
    ck_assert_int_eq(rqt_claim_some("w1", 4, "-").n, 1);
}
END_TEST

/* Parked workers may find their tasks before they come for the tokens. */
START_TEST(tokens_that_are_left_are_no_damage_and_go_with_the_workers)
{
    static const char *const workers[] = {"w1", "w2", "w3"};
    for (int i = 0; i < 3; i++) {
        rqt_worker_begin(workers[i], "echo other");
        ck_assert_int_eq(rqt_claim_some(workers[i], 1, "-").parked, 1);
    }
    for (int i = 0; i < 3; i++) {
        rqt_queue_task(i + 1, "echo", "normal", 0, "");
    }
    for (int i = 0; i < 3; i++) {
        freeReplyObject(
            rqt_fcall("finish %s 1 1 1 mcp-refcache:entry:docs: 60000 420000 - 0", workers[i]));
    }
    ck_assert_int_eq(rqt_redis_int("SCARD refq:{docs}:parked"), 0);
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{docs}:bell"), 3);
    ck_assert_str_eq(rqt_library_audit(), "");
    freeReplyObject(rqt_fcall("beat w3 10000 bye 0"));
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{docs}:bell"), 0);
    ck_assert_str_eq(rqt_library_audit(), "");
}
END_TEST

START_TEST(a_limit_on_pending_tasks_is_kept_and_lifted)
{
    ck_assert_int_eq(control("max_pending", "2", ""), 1);
    redisReply *r = rqt_fcall("submit 3 %s echo normal 0 %s 1 m 0 %s echo normal 0 %s 1 m 0"
                              " %s echo normal 0 %s 1 m 0",
                              rqt_hex(1), "", rqt_hex(2), "", rqt_hex(3), "");
    ck_assert_str_eq(r->element[1]->str, "new");
    ck_assert_str_eq(r->element[7]->str, "full");
    freeReplyObject(r);
    ck_assert_int_eq(control("max_pending", "0", ""), 1);
    rqt_queue_task(3, "echo", "normal", 0, "");
    ck_assert_str_eq(rqt_record(3, "status"), "pending");
    r = rqt_fcall_any("control max_pending %s %s", "many", "");
    ck_assert_int_eq(r->type, REDIS_REPLY_ERROR);
    freeReplyObject(r);
    rqt_redis_do("HSET refq:{docs}:meta max_pending nonsense");
    rqt_queue_task(4, "echo", "normal", 0, "");
    ck_assert_str_eq(rqt_record(4, "status"), "pending");
}
END_TEST

START_TEST(orders_to_workers_stand_until_they_change)
{
    rqt_worker_begin("w2", "echo");
    rqt_worker_begin("x3", "echo");
    ck_assert_str_eq(rqt_worker_beat("w2", NULL), "");
    ck_assert_int_eq(control("quiet", "", "w"), 2);
    ck_assert_str_eq(rqt_worker_beat("w1", NULL), "quiet");
    ck_assert_str_eq(rqt_worker_beat("w2", NULL), "quiet");
    ck_assert_str_eq(rqt_worker_beat("x3", NULL), "");
    ck_assert_int_eq(control("drain", "", "w2"), 1);
    ck_assert_int_eq(control("work", "", "w1"), 1);
    ck_assert_str_eq(rqt_worker_beat("w1", NULL), "");
    ck_assert_str_eq(rqt_worker_beat("w2", NULL), "drain");
    ck_assert_int_eq(control("drain", "", "zz"), 0);
}
END_TEST

/* --- Events ----------------------------------------------------------------------------------- */

START_TEST(each_call_leaves_one_event_for_all_it_did)
{
    freeReplyObject(rqt_fcall("submit 2 %s echo normal 0 %s 1 m 0 %s echo normal 0 %s 1 m 0",
                              rqt_hex(1), "", rqt_hex(2), ""));
    ck_assert_int_eq(rqt_redis_int("XLEN refq:{docs}:events"), 1);
    rqt_claims got = rqt_claim_some("w1", 2, "-");
    ck_assert_int_eq(rqt_redis_int("XLEN refq:{docs}:events"), 2);
    ck_assert_str_eq(rqt_report("w1", &got.c[0], "progress 1/2 half"), "ok");
    ck_assert_int_eq(rqt_redis_int("XLEN refq:{docs}:events"), 2);
    redisReply *r = rqt_redis("XRANGE refq:{docs}:events - +");
    const redisReply *first = r->element[0]->element[1];
    char both[80];
    (void)snprintf(both, sizeof both, "%s %s", rqt_hex(1), rqt_hex(2));
    ck_assert_str_eq(first->element[0]->str, "pending");
    ck_assert_str_eq(first->element[1]->str, both);
    ck_assert_str_eq(r->element[1]->element[1]->element[0]->str, "processing");
    freeReplyObject(r);
}
END_TEST

START_TEST(the_event_log_is_bounded_and_can_be_switched_off)
{
    ck_assert_int_eq(control("events_max", "100", ""), 1);
    for (int i = 1; i <= 1000; i++) {
        rqt_queue_task(i, "echo", "normal", 0, "");
    }
    ck_assert_int_le(rqt_redis_int("XLEN refq:{docs}:events"), 300);
    ck_assert_int_eq(control("events_max", "0", ""), 1);
    rqt_redis_do("DEL refq:{docs}:events");
    rqt_queue_task(1001, "echo", "normal", 0, "");
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:events"), 0);
}
END_TEST

/* --- Audit ------------------------------------------------------------------------------------ */

/* Damage, and what the audit must say about it. */
static const struct {
    const char *command;
    const char *says;
} damages[] = {
    {"ZADD refq:{docs}:due 5 00000000000000000000000000000065", "is complete"},
    {"ZADD refq:{docs}:terminal 5 0000000000000000000000000000025b", "which is processing"},
    {"ZADD refq:{docs}:dead 5 00000000000000000000000000000191", "which is pending"},
    {"ZADD refq:{docs}:deadlines 5 00000000000000000000000000000065", "deadlines holds"},
    {"ZREM refq:{docs}:due 000000000000000000000000000001f5", "is delayed, but not in due"},
    {"HSET refq:{docs}:task:00000000000000000000000000000191 entry 1-1", "in no lane"},
    {"HSET refq:{docs}:task:00000000000000000000000000000191 worker w9", "names a worker"},
    {"HSET refq:{docs}:task:0000000000000000000000000000025b worker w9", "not held by its worker"},
    {"SREM refq:{docs}:worker:w1:tasks 0000000000000000000000000000025b",
     "not in its worker's set"},
    {"PERSIST refq:{docs}:task:00000000000000000000000000000065", "has no time to live"},
    {"PEXPIRE refq:{docs}:task:00000000000000000000000000000191 9999999", "its record expires"},
    {"DEL mcp-refcache:entry:docs:00000000000000000000000000000065", "gone too early"},
    {"SET mcp-refcache:entry:docs:000000000000000000000000000000c9 x",
     "has no result, but a value"},
    {"PERSIST mcp-refcache:entry:docs:00000000000000000000000000000065", "outlives its record"},
    {"HSET refq:{docs}:task:00000000000000000000000000000191 status odd", "no status that is one"},
    {"HSET refq:{docs}:task:00000000000000000000000000000191 args_len 99", "lost its arguments"},
    {"SET refq:{docs}:task:00000000000000000000000000000191 x", "is no hash"},
    {"LREM refq:{docs}:shelf:other:low 0 000000000000000000000000000002bc", "on no shelf"},
    {"HINCRBY refq:{docs}:meta processing 1", "counter of running tasks is 6"},
    {"DEL refq:{docs}:worker:w1", "has a lease but no record"},
    {"SADD refq:{docs}:parked nobody", "is parked, but not alive"},
    {"RPUSH refq:{docs}:bell 1 1 1 1", "the bell holds"},
    {"XGROUP DESTROY refq:{docs}:lane:low workers", "not held by its worker"},
};

START_TEST(the_audit_finds_each_kind_of_damage)
{
    fill();
    expect_clean();
    rqt_redis_do(damages[_i].command);
    const char *found = rqt_library_audit();
    ck_assert_msg(strstr(found, damages[_i].says) != NULL, "%s: expected '%s', found:\n%s",
                  damages[_i].command, damages[_i].says, found);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("it_library_operate");
    TCase *t = tcase_create("operate");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_failed_task_runs_again_as_a_new_one);
    tcase_add_test(t, a_task_runs_again_with_its_long_arguments_and_its_key);
    tcase_add_test(t, pages_of_a_list_hold_each_task_once);
    tcase_add_test(t, a_forged_cursor_is_refused);
    tcase_add_test(t, finished_tasks_are_removed_by_age_status_and_name);
    tcase_add_test(t, one_task_is_removed_only_when_it_is_over);
    tcase_add_test(t, purging_one_task_removes_dead_letters_only);
    tcase_add_test(t, removing_leaves_nothing_of_a_task_behind);
    tcase_add_test(t, a_paused_queue_hands_nothing_out);
    tcase_add_test(t, tokens_that_are_left_are_no_damage_and_go_with_the_workers);
    tcase_add_test(t, a_limit_on_pending_tasks_is_kept_and_lifted);
    tcase_add_test(t, orders_to_workers_stand_until_they_change);
    tcase_add_test(t, each_call_leaves_one_event_for_all_it_did);
    tcase_add_test(t, the_event_log_is_bounded_and_can_be_switched_off);
    tcase_add_loop_test(t, the_audit_finds_each_kind_of_damage, 0,
                        (int)(sizeof damages / sizeof damages[0]));
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return rqt_main_redis(suite(), NULL);
}
