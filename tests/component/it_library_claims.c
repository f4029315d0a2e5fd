/* SPDX-License-Identifier: MIT */
/* The function library, called directly: who gets which task when, and what becomes of tasks that
 * time, crashes and missing handlers overtake. */
#include "support/library.h"
#include "support/main.h"
#include "support/redis_fixture.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void setup(void)
{
    rqt_redis_clean();
    rqt_library_load();
}

static void teardown(void)
{
    ck_assert_str_eq(rqt_library_audit(), "");
}

static bool has(const rqt_claims *claims, int n)
{
    for (int i = 0; i < claims->n; i++) {
        if (strcmp(claims->c[i].hex, rqt_hex(n)) == 0) {
            return true;
        }
    }
    return false;
}

static rqt_claim claim_one(const char *worker)
{
    rqt_claims got = rqt_claim_some(worker, 1, "-");
    ck_assert_int_eq(got.n, 1);
    return got.c[0];
}

static long long held(void)
{
    redisReply *r = rqt_fcall("stats");
    long long n = -1;
    for (size_t i = 1; i + 1 < r->elements; i += 2) {
        if (strcmp(r->element[i]->str, "held") == 0) {
            n = r->element[i + 1]->integer;
        }
    }
    freeReplyObject(r);
    return n;
}

/* --- Concurrency of a task -------------------------------------------------------------------- */

START_TEST(what_one_worker_has_no_room_for_waits_for_another_in_order)
{
    rqt_worker_begin("w1", "ocr other");
    rqt_worker_begin("w2", "ocr other");
    for (int i = 1; i <= 5; i++) {
        rqt_queue_task(i, "ocr", "normal", 0, "");
    }
    rqt_queue_task(6, "other", "normal", 0, "");
    rqt_queue_task(7, "other", "normal", 0, "");
    rqt_claims got = rqt_claim_some("w1", 8, "ocr=2");
    ck_assert_int_eq(got.n, 4);
    ck_assert(has(&got, 1) && has(&got, 2) && has(&got, 6) && has(&got, 7));
    ck_assert_int_eq(held(), 3);
    ck_assert_str_eq(rqt_record(3, "status"), "pending");
    rqt_claims none = rqt_claim_some("w1", 4, "ocr=0");
    ck_assert_int_eq(none.n, 0);
    rqt_claims next = rqt_claim_some("w2", 4, "ocr=1");
    ck_assert_int_eq(next.n, 1);
    ck_assert(has(&next, 3));
    rqt_claims last = rqt_claim_some("w2", 4, "-");
    ck_assert_int_eq(last.n, 2);
    ck_assert_str_eq(last.c[0].hex, rqt_hex(4));
    ck_assert_str_eq(last.c[1].hex, rqt_hex(5));
    ck_assert_int_eq(held(), 0);
    ck_assert_str_eq(rqt_redis_str("HGET refq:{docs}:meta shelves"), "");
}
END_TEST

START_TEST(a_worker_without_the_handler_takes_nothing_from_its_shelf)
{
    rqt_worker_begin("w1", "ocr");
    rqt_worker_begin("w2", "other");
    rqt_queue_task(1, "ocr", "high", 0, "");
    rqt_queue_task(2, "ocr", "low", 0, "");
    ck_assert_int_eq(rqt_claim_some("w1", 4, "ocr=0").n, 0);
    ck_assert_int_eq(rqt_claim_some("w2", 4, "-").n, 0);
    ck_assert_int_eq(held(), 2);
    rqt_claims got = rqt_claim_some("w1", 4, "ocr=1");
    ck_assert_int_eq(got.n, 1);
    ck_assert_str_eq(got.c[0].hex, rqt_hex(1));
}
END_TEST

START_TEST(a_held_task_can_be_cancelled)
{
    rqt_worker_begin("w1", "ocr");
    rqt_queue_task(1, "ocr", "normal", 0, "");
    (void)rqt_claim_some("w1", 4, "ocr=0");
    freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(1)));
    ck_assert_int_eq(rqt_redis_int("XLEN refq:{docs}:lane:normal"), 1);
    ck_assert_str_eq(rqt_record(1, "status"), "cancelled");
    ck_assert_int_eq(rqt_claim_some("w1", 4, "ocr=1").n, 0);
}
END_TEST

START_TEST(held_tasks_outlive_the_worker_that_laid_them_down)
{
    rqt_worker_begin("w1", "ocr");
    rqt_queue_task(1, "ocr", "normal", 0, "");
    (void)rqt_claim_some("w1", 4, "ocr=0");
    freeReplyObject(rqt_fcall("beat w1 10000 bye 0"));
    ck_assert_int_eq(held(), 1);
    rqt_worker_begin("w2", "ocr");
    rqt_claims got = rqt_claim_some("w2", 4, "ocr=2");
    ck_assert_int_eq(got.n, 1);
    ck_assert_int_eq(got.c[0].attempt, 1);
    ck_assert_int_eq(got.c[0].deaths, 0);
}
END_TEST

START_TEST(held_tasks_survive_the_loss_of_their_group)
{
    rqt_worker_begin("w1", "ocr");
    rqt_queue_task(1, "ocr", "normal", 0, "");
    rqt_queue_task(2, "ocr", "normal", 0, "");
    (void)rqt_claim_some("w1", 4, "ocr=0");
    rqt_redis_do("XGROUP DESTROY refq:{docs}:lane:normal workers");
    rqt_claims got = rqt_claim_some("w1", 4, "ocr=2");
    ck_assert_int_eq(got.n, 2);
    ck_assert(has(&got, 1) && has(&got, 2));
    ck_assert_int_eq(held(), 0);
}
END_TEST

START_TEST(lanes_are_served_by_credits)
{
    int taken[3] = {0};
    const char *lanes[] = {"high", "normal", "low"};
    rqt_worker_begin("w1", "echo");
    for (int i = 0; i < 300; i++) {
        rqt_queue_task(1000 * (i % 3) + i, "echo", lanes[i % 3], 0, "");
    }
    for (int round = 0; round < 8; round++) {
        rqt_claims got = rqt_claim_some("w1", 13, "-");
        ck_assert_int_eq(got.n, 13);
        for (int i = 0; i < got.n; i++) {
            taken[strtoul(got.c[i].hex + 24, NULL, 16) / 1000]++;
        }
    }
    ck_assert_int_eq(taken[0], 64);
    ck_assert_int_eq(taken[1], 32);
    ck_assert_int_eq(taken[2], 8);
}
END_TEST

START_TEST(ten_thousand_tasks_due_at_once_are_promoted_in_small_steps)
{
    enum { TASKS = 10000 };
    rqt_worker_begin("w1", "echo");
    for (int i = 1; i <= TASKS; i++) {
        rqt_queue_task(i, "echo", "normal", 5000, "");
    }
    long long due = rqt_redis_int("ZCARD refq:{docs}:due");
    ck_assert_int_eq(due, TASKS);
    rqt_pass_time(10000);
    char *seen = calloc(TASKS + 1, 1);
    int total = 0;
    while (total < TASKS) {
        rqt_claims got = rqt_claim_some("w1", 64, "-");
        long long left = rqt_redis_int("ZCARD refq:{docs}:due");
        ck_assert_int_le(due - left, 64);
        ck_assert_int_gt(got.n, 0);
        due = left;
        for (int i = 0; i < got.n; i++) {
            unsigned long n = strtoul(got.c[i].hex + 24, NULL, 16);
            ck_assert_int_eq(seen[n]++, 0);
        }
        total += got.n;
    }
    free(seen);
    ck_assert_int_eq(total, TASKS);
}
END_TEST

/* --- Time ------------------------------------------------------------------------------------- */

START_TEST(a_task_nobody_starts_in_time_fails)
{
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "start_within 5000");
    rqt_queue_task(2, "echo", "normal", 3000, "start_within 5000");
    rqt_queue_task(3, "echo", "normal", 0, "start_within 500000");
    rqt_pass_time(6000);
    (void)rqt_worker_beat("w1", NULL);
    ck_assert_str_eq(rqt_record(1, "status"), "failed");
    ck_assert_str_eq(rqt_record(1, "reason"), "expired");
    ck_assert_str_eq(rqt_record(2, "status"), "pending");
    ck_assert_str_eq(rqt_record(3, "status"), "pending");
    rqt_claims got = rqt_claim_some("w1", 8, "-");
    ck_assert_int_eq(got.n, 2);
    rqt_pass_time(600000);
    (void)rqt_worker_beat("w1", NULL);
    ck_assert_str_eq(rqt_record(3, "status"), "processing");
}
END_TEST

START_TEST(a_task_that_is_too_late_is_not_handed_out)
{
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "start_within 5000");
    rqt_pass_time(5001);
    ck_assert_int_eq(rqt_claim_some("w1", 8, "-").n, 0);
    ck_assert_str_eq(rqt_record(1, "reason"), "expired");
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:dead"), 1);
}
END_TEST

START_TEST(an_attempt_its_worker_does_not_end_is_timed_out)
{
    int orders = 0;
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim first = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &first, "deadline 1000 1"), "ok");
    rqt_pass_time(5000); /* within the grace */
    (void)rqt_worker_beat("w1", &orders);
    ck_assert_str_eq(rqt_record(1, "status"), "processing");
    rqt_pass_time(7000);
    (void)rqt_worker_beat("w1", &orders);
    ck_assert_str_eq(rqt_record(1, "status"), "pending");
    ck_assert_str_eq(rqt_record(1, "failures"), "1");
    ck_assert_int_eq(orders, 1);
    ck_assert_str_eq(rqt_report("w1", &first, "ok 60000 0 null %s", ""), "stale");
    rqt_pass_time(2000);
    rqt_claim second = claim_one("w1");
    ck_assert_int_eq(second.attempt, 2);
    ck_assert_str_eq(rqt_report("w1", &second, "deadline 1000 1"), "ok");
    rqt_pass_time(12000);
    (void)rqt_worker_beat("w1", NULL);
    ck_assert_str_eq(rqt_record(1, "status"), "failed");
    ck_assert_str_eq(rqt_record(1, "reason"), "exhausted");
    ck_assert_str_eq(rqt_report("w1", &second, "ended"), "ok");
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:deadlines"), 0);
}
END_TEST

/* --- Crashes and deaths ----------------------------------------------------------------------- */

START_TEST(the_third_crash_of_a_child_is_poison)
{
    rqt_worker_begin("w1", "bad");
    rqt_queue_task(1, "bad", "normal", 0, "max_retries 0");
    for (int i = 1; i <= 3; i++) {
        rqt_claim c = claim_one("w1");
        ck_assert_int_eq(c.attempt, i);
        ck_assert_int_eq(c.crashes, i - 1);
        ck_assert_str_eq(rqt_report("w1", &c, "crash {} SIGSEGV 0"), "ok");
    }
    ck_assert_str_eq(rqt_record(1, "status"), "failed");
    ck_assert_str_eq(rqt_record(1, "reason"), "poison");
    ck_assert_str_eq(rqt_record(1, "failures"), "0");
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{docs}:history:%s", rqt_hex(1)), 3);
}
END_TEST

static void vanish(const char *worker)
{
    freeReplyObject(rqt_fcall("beat %s 10000 bye 0", worker));
}

START_TEST(a_worker_that_vanishes_with_many_taints_none_of_them)
{
    char worker[16];
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_queue_task(2, "echo", "normal", 0, "");
    for (int i = 1; i <= 8; i++) {
        (void)snprintf(worker, sizeof worker, "w%d", i);
        rqt_worker_begin(worker, "echo");
        rqt_claims got = rqt_claim_some(worker, 2, "-");
        ck_assert_int_eq(got.n, 2);
        ck_assert_int_eq(got.c[0].deaths, i - 1);
        ck_assert_int_eq(got.c[0].crashes, 0);
        vanish(worker);
    }
    ck_assert_str_eq(rqt_record(1, "status"), "pending");
    ck_assert_str_eq(rqt_record(2, "deaths"), "8");
}
END_TEST

START_TEST(a_task_that_takes_three_workers_with_it_alone_is_poison)
{
    char worker[16];
    rqt_queue_task(1, "bad", "normal", 0, "");
    for (int i = 1; i <= 3; i++) {
        (void)snprintf(worker, sizeof worker, "w%d", i);
        rqt_worker_begin(worker, "bad");
        rqt_claim c = claim_one(worker);
        ck_assert_str_eq(rqt_report(worker, &c, "alone"), "ok");
        vanish(worker);
    }
    ck_assert_str_eq(rqt_record(1, "status"), "failed");
    ck_assert_str_eq(rqt_record(1, "reason"), "poison");
}
END_TEST

/* --- Missing handlers ------------------------------------------------------------------------- */

START_TEST(a_task_another_worker_offers_is_given_on)
{
    rqt_worker_begin("w1", "other");
    rqt_worker_begin("w2", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "start_within 60000");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "unknown 100 1"), "ok");
    rqt_pass_time(200);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(rqt_claim_some("w1", 1, "-").n, 0);
    }
    ck_assert_str_eq(rqt_record(1, "status"), "pending");
    ck_assert_int_eq(held(), 1);
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:deadlines"), 1);
    c = claim_one("w2");
    ck_assert_int_eq(c.attempt, 1);
    ck_assert_str_eq(rqt_report("w2", &c, "ok 60000 0 null %s", ""), "ok");
}
END_TEST

START_TEST(the_grace_of_a_task_that_ran_meanwhile_begins_anew)
{
    rqt_worker_begin("w1", "other");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "unknown 0 60000"), "ok");
    ck_assert_str_ne(rqt_record(1, "unknown_since"), "");
    rqt_worker_begin("w2", "echo");
    c = claim_one("w2");
    ck_assert_str_eq(rqt_report("w2", &c, "release 0"), "ok");
    ck_assert_str_eq(rqt_record(1, "unknown_since"), "");
}
END_TEST

START_TEST(a_task_nobody_offers_fails_after_a_grace)
{
    rqt_worker_begin("w1", "other");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "unknown 100 5000"), "ok");
    ck_assert_str_eq(rqt_record(1, "status"), "pending");
    rqt_queue_task(2, "other", "normal", 0, "");
    ck_assert_int_eq(rqt_claim_some("w1", 4, "-").n, 1); /* both in one call: only one is known */
    rqt_pass_time(200);
    ck_assert_int_eq(rqt_claim_some("w1", 4, "-").n, 0);
    ck_assert_int_eq(held(), 1);
    rqt_pass_time(4000);
    (void)rqt_worker_beat("w1", NULL);
    ck_assert_str_eq(rqt_record(1, "status"), "pending");
    rqt_pass_time(6000);
    (void)rqt_worker_beat("w1", NULL);
    ck_assert_str_eq(rqt_record(1, "status"), "failed");
    ck_assert_str_eq(rqt_record(1, "reason"), "unknown_handler");
}
END_TEST

/* --- Tasks that lie on shelves for long ------------------------------------------------------- */

START_TEST(tasks_held_for_a_limit_fail_when_their_handler_is_gone_for_good)
{
    enum { TASKS = 140, CANCELLED = 130 };
    rqt_worker_begin("w1", "ocr");
    for (int i = 1; i <= TASKS; i++) {
        rqt_queue_task(i, "ocr", "normal", 0, "");
    }
    while (rqt_claim_some("w1", 128, "ocr=0").more) {
    }
    ck_assert_int_eq(held(), TASKS);
    for (int i = 1; i <= CANCELLED; i++) { /* what was cancelled lies in front of them */
        freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(i)));
    }
    ck_assert_str_eq(rqt_library_audit(), "");
    freeReplyObject(rqt_fcall("beat w1 10000 bye 0"));
    rqt_worker_begin("w2", "other");
    for (int i = 0; i < 60; i++) { /* of 6 s each */
        rqt_pass_time(6000 * (i + 1));
        (void)rqt_worker_beat("w2", NULL);
    }
    ck_assert_str_eq(rqt_record(TASKS, "status"), "failed");
    ck_assert_str_eq(rqt_record(TASKS, "reason"), "unknown_handler");
    ck_assert_int_eq(held(), 0);
    ck_assert_str_eq(rqt_redis_str("HGET refq:{docs}:meta shelves"), "");
}
END_TEST

START_TEST(names_nobody_knows_do_not_fill_the_shelves_without_bound)
{
    enum { NAMES = 600 };
    char name[32];
    rqt_worker_begin("w1", "other");
    rqt_queue_task(1, "strange", "normal", 0, "");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "unknown 3600000 60000"), "ok");
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof name, "a_rather_long_name_%d", i);
        rqt_queue_task(10 + i, name, "normal", 0, "");
    }
    int given = 0;
    for (rqt_claims got = {.more = 1}; got.more || got.n > 0; given += got.n) {
        got = rqt_claim_some("w1", 128, "-");
    }
    ck_assert_int_le(rqt_redis_int("HSTRLEN refq:{docs}:meta shelves"), 4200);
    ck_assert_int_eq(given + held(),
                     NAMES); /* what finds no shelf is given out, to be given back */
}
END_TEST

/* --- Orders that come too late ---------------------------------------------------------------- */

START_TEST(an_order_for_an_attempt_that_is_over_does_not_meet_the_next)
{
    int orders = 0;
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim first = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &first, "deadline 1000 3"), "ok");
    rqt_pass_time(12000);
    (void)rqt_worker_beat("w1", &orders);
    ck_assert_int_eq(orders, 1);
    rqt_pass_time(14000);
    rqt_claim second = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &first, "ended"), "ok");
    (void)rqt_worker_beat("w1", &orders);
    ck_assert_int_eq(orders, 0);
    ck_assert_int_eq(rqt_redis_int("SCARD refq:{docs}:worker:w1:tasks"), 1);
    ck_assert_str_eq(rqt_report("w1", &second, "ok 60000 0 null %s", ""), "ok");
}
END_TEST

/* --- Questions -------------------------------------------------------------------------------- */

static bool asked_question_shows(int n, const char *text)
{
    bool found = false;
    redisReply *r = rqt_fcall("look %s", rqt_hex(n));
    for (size_t i = 2; i + 1 < r->elements; i += 2) {
        found = found || (strcmp(r->element[i]->str, "question") == 0 &&
                          strcmp(r->element[i + 1]->str, text) == 0);
    }
    freeReplyObject(r);
    return found;
}

static const char *answer(int n, const char *json)
{
    static char how[16];
    redisReply *r = rqt_fcall("answer %s %s", rqt_hex(n), json);
    (void)snprintf(how, sizeof how, "%s", r->element[0]->str);
    freeReplyObject(r);
    return how;
}

START_TEST(a_question_waits_for_its_answer_without_a_deadline)
{
    int orders = 0;
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(answer(1, "1"), "idle");
    ck_assert_str_eq(rqt_report("w1", &c, "deadline 1000 0"), "ok");
    ck_assert_str_eq(rqt_report("w1", &c, "ask %s", "{\"question\":\"really?\"}"), "ok");
    ck_assert_str_eq(rqt_record(1, "waiting"), "input");
    ck_assert(asked_question_shows(1, "{\"question\":\"really?\"}"));
    rqt_pass_time(3600000);
    rqt_worker_begin("w1", "echo");
    (void)rqt_worker_beat("w1", &orders);
    ck_assert_str_eq(rqt_record(1, "status"), "processing");
    ck_assert_int_eq(orders, 0);
    ck_assert_str_eq(answer(1, "\"yes\""), "ok");
    ck_assert_str_eq(answer(1, "\"no\""), "idle");
    (void)rqt_worker_beat("w1", &orders);
    ck_assert_int_eq(orders, 1);
    ck_assert_str_eq(rqt_redis_str("HGET refq:{docs}:ask:%s answer", rqt_hex(1)), "\"yes\"");
    ck_assert_str_eq(rqt_report("w1", &c, "answered"), "ok");
    (void)rqt_worker_beat("w1", &orders);
    ck_assert_int_eq(orders, 0);
    ck_assert_str_eq(rqt_report("w1", &c, "ok 60000 0 null %s", ""), "ok");
    ck_assert_str_eq(rqt_record(1, "marks"), "");
}
END_TEST

START_TEST(a_task_that_asks_can_be_cancelled)
{
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "ask %s", "{}"), "ok");
    freeReplyObject(rqt_fcall("cancel %s 60000", rqt_hex(1)));
    ck_assert_str_eq(answer(1, "1"), "idle");
    ck_assert_str_eq(rqt_record(1, "waiting"), "");
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:ask:%s", rqt_hex(1)), 0);
    ck_assert_str_eq(rqt_report("w1", &c, "answered"), "cancelled");
    ck_assert_str_eq(rqt_report("w1", &c, "ended"), "ok");
}
END_TEST

START_TEST(an_answer_nobody_took_ends_with_its_attempt)
{
    int orders = 0;
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "ask %s", "{}"), "ok");
    ck_assert_str_eq(answer(1, "1"), "ok");
    ck_assert_str_eq(rqt_report("w1", &c, "fail retryable 0 3 {} broken"), "ok");
    c = claim_one("w1");
    (void)rqt_worker_beat("w1", &orders);
    ck_assert_int_eq(orders, 0);
    ck_assert_str_eq(rqt_report("w1", &c, "ask %s", "{}"), "ok");
    ck_assert_str_eq(answer(1, "2"), "ok");
}
END_TEST

START_TEST(a_question_that_is_put_twice_keeps_its_answer)
{
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "ask %s", "{\"q\":1}"), "ok");
    ck_assert_str_eq(answer(1, "1"), "ok");
    ck_assert_str_eq(rqt_report("w1", &c, "ask %s", "{\"q\":1}"), "ok"); /* its reply was lost */
    ck_assert_str_eq(rqt_redis_str("HGET refq:{docs}:ask:%s answer", rqt_hex(1)), "1");
    ck_assert_str_eq(rqt_record(1, "waiting"), "");
    ck_assert_str_eq(rqt_report("w1", &c, "ask %s", "{\"q\":2}"), "ok");
    ck_assert_str_eq(rqt_record(1, "waiting"), "input");
    ck_assert_str_eq(rqt_redis_str("HGET refq:{docs}:ask:%s answer", rqt_hex(1)), "");
}
END_TEST

START_TEST(a_question_given_up_is_not_waited_for)
{
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "ask %s", "{}"), "ok");
    ck_assert_str_eq(rqt_report("w1", &c, "answered"), "ok");
    ck_assert_str_eq(rqt_record(1, "waiting"), "");
    ck_assert_str_eq(answer(1, "1"), "idle");
}
END_TEST

/* --- Foreign keys ----------------------------------------------------------------------------- */

static void put_foreign(const char *key)
{
    rqt_redis_do("DEL refq:{docs}:%s", key);
    rqt_redis_do("SET refq:{docs}:%s foreign", key);
}

static void put_foreign_record(int n)
{
    char key[64];
    (void)snprintf(key, sizeof key, "task:%s", rqt_hex(n));
    put_foreign(key);
}

START_TEST(a_foreign_record_that_is_due_costs_nobody_a_commit)
{
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 1000, "");
    rqt_queue_task(2, "echo", "normal", 0, "");
    rqt_queue_task(3, "echo", "normal", 0, "");
    rqt_claim c = claim_one("w1");
    put_foreign_record(1);
    rqt_pass_time(2000);
    redisReply *r = rqt_fcall("finish w1 1 0 1 mcp-refcache:entry:docs: 60000 420000 - 1 %s %s ok "
                              "60000 0 null %s",
                              c.hex, c.entry, "");
    ck_assert_str_eq(r->element[r->elements - 1]->str, "ok");
    ck_assert_int_eq(r->element[5]->integer, 1);
    freeReplyObject(r);
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:due"), 0);
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:terminal"), 1);
    rqt_redis_do("DEL refq:{docs}:task:%s", rqt_hex(1));
}
END_TEST

START_TEST(a_foreign_record_does_not_keep_a_dead_worker_from_being_reaped)
{
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_queue_task(2, "echo", "normal", 0, "");
    ck_assert_int_eq(rqt_claim_some("w1", 2, "-").n, 2);
    put_foreign_record(1);
    freeReplyObject(rqt_fcall("beat w1 10000 bye 0"));
    freeReplyObject(rqt_fcall("reap"));
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:workers"), 0);
    ck_assert_str_eq(rqt_record(2, "status"), "pending");
    rqt_redis_do("DEL refq:{docs}:task:%s", rqt_hex(1));
    rqt_redis_do("HINCRBY refq:{docs}:meta processing -1"); /* it went with its record */
}
END_TEST

START_TEST(a_foreign_idempotency_key_leaves_the_tasks_before_it_whole)
{
    rqt_redis_do("HSET refq:{docs}:key:mine a b");
    redisReply *r = rqt_fcall_any("submit 2 %s echo normal 0 %s 60000 m 0 %s echo normal 0 mine "
                                  "60000 m 0",
                                  rqt_hex(1), "", rqt_hex(2));
    ck_assert_int_eq(r->type, REDIS_REPLY_ERROR);
    freeReplyObject(r);
    ck_assert_int_eq(rqt_redis_int("HGET refq:{docs}:meta pending"), 1);
    ck_assert_str_eq(rqt_redis_str("HGET refq:{docs}:meta lanes"), "normal ");
    ck_assert_str_eq(rqt_record(2, "status"), "");
}
END_TEST

START_TEST(a_foreign_record_spoils_neither_a_look_nor_a_list)
{
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    rqt_queue_task(2, "echo", "normal", 0, "");
    put_foreign_record(1);
    redisReply *r = rqt_fcall("look %s %s", rqt_hex(1), rqt_hex(2));
    ck_assert_int_eq(r->element[1]->integer, 0);
    ck_assert_int_gt(r->element[2]->integer, 0);
    freeReplyObject(r);
    r = rqt_fcall("get wait me %s %s", rqt_hex(1), rqt_hex(2));
    ck_assert_int_eq(r->element[1]->integer, 0);
    freeReplyObject(r);
    r = rqt_fcall("list %s 10 %s 0 %s", "", "", "");
    ck_assert_int_eq(r->elements, 2);
    freeReplyObject(r);
    rqt_redis_do("DEL refq:{docs}:task:%s", rqt_hex(1));
}
END_TEST

START_TEST(foreign_keys_around_a_task_strand_it_nowhere)
{
    char key[64];
    rqt_worker_begin("w1", "echo");
    rqt_queue_task(1, "echo", "normal", 0, "");
    freeReplyObject(rqt_fcall("get wait me %s", rqt_hex(1)));
    (void)snprintf(key, sizeof key, "waiters:%s", rqt_hex(1));
    put_foreign(key);
    (void)snprintf(key, sizeof key, "history:%s", rqt_hex(1));
    put_foreign(key);
    put_foreign("shelf:echo:normal");
    rqt_claim c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "fail retryable 0 3 {} broken"), "ok");
    c = claim_one("w1");
    ck_assert_str_eq(rqt_report("w1", &c, "fail permanent 0 0 {} broken"), "ok");
    ck_assert_str_eq(rqt_record(1, "status"), "failed");
}
END_TEST

START_TEST(a_worker_lives_on_beside_a_foreign_index)
{
    const char *const keys[] = {"due",    "deadlines", "terminal", "dead",
                                "parked", "bell",      "catalog"};
    rqt_worker_begin("w1", "echo");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        put_foreign(keys[i]);
        rqt_pass_time((int64_t)(i + 1) * 6000);
        ck_assert_str_eq(rqt_worker_beat("w1", NULL), "");
        rqt_redis_do("DEL refq:{docs}:%s", keys[i]);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("it_library_claims");
    TCase *t = tcase_create("claims");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_one_worker_has_no_room_for_waits_for_another_in_order);
    tcase_add_test(t, a_worker_without_the_handler_takes_nothing_from_its_shelf);
    tcase_add_test(t, a_held_task_can_be_cancelled);
    tcase_add_test(t, held_tasks_outlive_the_worker_that_laid_them_down);
    tcase_add_test(t, held_tasks_survive_the_loss_of_their_group);
    tcase_add_test(t, lanes_are_served_by_credits);
    tcase_add_test(t, ten_thousand_tasks_due_at_once_are_promoted_in_small_steps);
    tcase_add_test(t, a_task_nobody_starts_in_time_fails);
    tcase_add_test(t, a_task_that_is_too_late_is_not_handed_out);
    tcase_add_test(t, an_attempt_its_worker_does_not_end_is_timed_out);
    tcase_add_test(t, the_third_crash_of_a_child_is_poison);
    tcase_add_test(t, a_worker_that_vanishes_with_many_taints_none_of_them);
    tcase_add_test(t, a_task_that_takes_three_workers_with_it_alone_is_poison);
    tcase_add_test(t, a_task_another_worker_offers_is_given_on);
    tcase_add_test(t, the_grace_of_a_task_that_ran_meanwhile_begins_anew);
    tcase_add_test(t, a_task_nobody_offers_fails_after_a_grace);
    tcase_add_test(t, a_question_waits_for_its_answer_without_a_deadline);
    tcase_add_test(t, a_task_that_asks_can_be_cancelled);
    tcase_add_test(t, tasks_held_for_a_limit_fail_when_their_handler_is_gone_for_good);
    tcase_add_test(t, names_nobody_knows_do_not_fill_the_shelves_without_bound);
    tcase_add_test(t, an_order_for_an_attempt_that_is_over_does_not_meet_the_next);
    tcase_add_test(t, an_answer_nobody_took_ends_with_its_attempt);
    tcase_add_test(t, a_question_that_is_put_twice_keeps_its_answer);
    tcase_add_test(t, a_question_given_up_is_not_waited_for);
    tcase_add_test(t, a_foreign_record_that_is_due_costs_nobody_a_commit);
    tcase_add_test(t, a_foreign_record_does_not_keep_a_dead_worker_from_being_reaped);
    tcase_add_test(t, a_foreign_idempotency_key_leaves_the_tasks_before_it_whole);
    tcase_add_test(t, a_foreign_record_spoils_neither_a_look_nor_a_list);
    tcase_add_test(t, foreign_keys_around_a_task_strand_it_nowhere);
    tcase_add_test(t, a_worker_lives_on_beside_a_foreign_index);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return rqt_main_redis(suite(), NULL);
}
