/* SPDX-License-Identifier: MIT */
/* Tasks that are cancelled at any moment, and tasks that are tried again. */
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/proc.h"
#include "support/proxy.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"
#include "support/witness.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* --- Cancelling ------------------------------------------------------------------------------- */

START_TEST(cancel_before_it_starts)
{
    /* `refq cancel` needs no worker, nor does one that comes later run the task. */
    refq_ref ready = rqt_submit((refq_spec){.task = "gate"});
    refq_ref later = rqt_submit((refq_spec){.task = "gate", .delay_ms = 300});
    ck_assert_int_eq(RQT_REFQ("cancel", rqt_ref_text(&ready))->status, 0);
    ck_assert_int_eq(RQT_REFQ("cancel", rqt_ref_text(&later))->status, 0);
    ck_assert(rqt_is(&ready, "cancelled"));
    ck_assert(rqt_is(&later, "cancelled"));
    ck_assert_int_eq(RQT_REFQ("cancel", rqt_ref_text(&ready))->status, 0); /* it stays so */
    ck_assert_int_eq(RQT_REFQ("get", rqt_ref_text(&ready))->status, 1);
    ck_assert_int_eq(RQT_REFQ("watch", rqt_ref_text(&ready))->status, 1);

    (void)rqt_fleet_add(rqt_witness_config(), rqt_calm_one);
    refq_ref after = rqt_submit((refq_spec){.task = "echo", .delay_ms = 500});
    rqt_expect(&after, "complete", 5000);
    ck_assert_int_eq(rqt_said("start"), 0);
    ck_assert_int_eq(rqt_meta("cancelled"), 2);
    ck_assert_int_eq(rqt_number(&ready, "attempt"), 0);
}
END_TEST

START_TEST(cancel_while_it_runs)
{
    (void)rqt_fleet_add(rqt_witness_config(), rqt_calm_one);
    refq_ref ref = rqt_submit((refq_spec){.task = "stubborn"});
    rqt_expect_said("start", 1, 5000);
    ck_assert(RQT_UNTIL(rqt_strays() > 0, 5000));
    ck_assert_int_eq(RQT_REFQ("cancel", rqt_ref_text(&ref))->status, 0);
    ck_assert(rqt_is(&ref, "cancelled"));
    /* It ignores TERM: gone after the kill grace of a second, and its slot is free again. */
    ck_assert(RQT_UNTIL(rqt_strays() == 0, 3000));
    refq_ref next = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&next, "complete", 5000);
    ck_assert(rqt_is(&ref, "cancelled"));
    ck_assert_str_eq(rqt_entry(&ref), "");
    ck_assert_int_eq(RQT_REFQ("get", rqt_ref_text(&ref))->status, 1);
    ck_assert_int_eq(rqt_meta("cancelled"), 1);
}
END_TEST

START_TEST(cancel_while_it_ends)
{
    /* The worker knows nothing of the cancellation when it reports the result. */
    rqt_proxy_start();
    const char *const through_proxy[] = {"--lease", "20s",           "--beat", RQT_BEAT,
                                         "--redis", rqt_proxy_url(), NULL};
    pid_t worker = rqt_fleet_add(rqt_witness_config(), through_proxy);
    rqt_proxy_aim(RQT_REPORTS, RQT_HOLD_REQUEST, 1, 1);
    refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
    ck_assert(RQT_UNTIL(rqt_proxy_hits() == 1, 5000));
    ck_assert_int_eq(RQT_REFQ("cancel", rqt_ref_text(&ref))->status, 0);
    rqt_proxy_let_go();
    ck_assert(RQT_UNTIL(strstr(rqt_worker_log(worker), "answer=stale") != NULL, 5000));
    ck_assert(rqt_is(&ref, "cancelled"));
    ck_assert_str_eq(rqt_entry(&ref), "");
    ck_assert_int_eq(rqt_meta("complete"), 0);
    rqt_fleet_end();
    rqt_proxy_stop();
}
END_TEST

START_TEST(cancel_after_it_is_complete)
{
    (void)rqt_fleet_add(rqt_witness_config(), rqt_calm_one);
    refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&ref, "complete", 5000);
    ck_assert_int_eq(RQT_REFQ("cancel", rqt_ref_text(&ref))->status, 1);
    ck_assert(rqt_is(&ref, "complete"));
    ck_assert_int_eq(RQT_REFQ("get", rqt_ref_text(&ref))->status, 0);
    ck_assert_int_eq(rqt_meta("cancelled"), 0);
    ck_assert_int_eq(RQT_REFQ("cancel", "docs:00000000000000000000000000000000")->status, 66);
}
END_TEST

START_TEST(a_delayed_task_cancelled_after_its_promotion_never_runs)
{
    refq_error err;
    refq_spec specs[2];
    refq_submitted done[2];
    (void)rqt_fleet_add(rqt_witness_config(), rqt_calm_one);
    for (int i = 0; i < 2; i++) {
        specs[i] = (refq_spec){.struct_size = sizeof specs[i], .task = "gate", .delay_ms = 300};
        ck_assert_int_eq(refq_ref_make(RQT_QUEUE, &specs[i].ref, &err), REFQ_OK);
    }
    ck_assert_int_eq(refq_client_submit_many(rqt_client(), specs, 2, done, &err), REFQ_OK);
    rqt_expect_said("start", 1, 5000);
    /* Both came due, one took the only slot, the other lies ready in its lane. */
    bool first_runs = rqt_is(&specs[0].ref, "processing");
    const refq_ref *runs = &specs[first_runs ? 0 : 1].ref;
    const refq_ref *waits = &specs[first_runs ? 1 : 0].ref;
    ck_assert(RQT_UNTIL(rqt_field(waits, "entry")[0] != '\0', 2000));
    ck_assert(rqt_is(waits, "pending"));
    ck_assert_str_eq(rqt_field(waits, "due_at"), "");
    ck_assert_int_eq(RQT_REFQ("cancel", rqt_ref_text(waits))->status, 0);

    (void)rqt_file("open", "", 0);
    rqt_expect(runs, "complete", 5000);
    refq_ref last = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&last, "complete", 5000);
    ck_assert(rqt_is(waits, "cancelled"));
    ck_assert_int_eq(rqt_number(waits, "attempt"), 0);
    ck_assert(!rqt_said_by("start", waits));
    ck_assert_int_eq(rqt_said("start"), 1);
}
END_TEST

/* --- Retries ---------------------------------------------------------------------------------- */

/* "at" of history entry i, newest first. */
static long long failed_at(const refq_ref *ref, int i)
{
    const char *entry = rqt_redis_str("LINDEX refq:{docs}:history:%s %d", ref->hex, i);
    const char *at = strstr(entry, "\"at\":");
    ck_assert_msg(at != NULL, "no time in '%s'", entry);
    return strtoll(at + 5, NULL, 10);
}

START_TEST(retries_follow_the_backoff)
{
    static const long long delays[] = {200, 400, 800, 1000};
    /* The worker's clock is the server's as of its last reply, so late by that one's way. */
    enum { LATE_MS = 1500 * RQT_PATIENCE, CLOCKS_MS = 5, REPLY_MS = 500 };
    long long starts[5];
    (void)rqt_fleet_add(rqt_witness_config(), rqt_calm_one);
    refq_ref ref = rqt_submit((refq_spec){.task = "fail"});
    rqt_expect(&ref, "failed", 20000);
    ck_assert_str_eq(rqt_field(&ref, "reason"), "exhausted");
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 5);
    ck_assert_int_eq(rqt_number(&ref, "failures"), 5);
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{docs}:history:%s", ref.hex), 5);

    const char *side = rqt_side();
    for (int i = 0; i < 5; i++) {
        char *end = NULL;
        starts[i] = strtoll(side, &end, 10);
        ck_assert_msg(end != side, "attempt %d ended, but never began: %s", i + 1,
                      rqt_redis_str("LINDEX refq:{docs}:history:%s 0", ref.hex));
        side = end;
    }
    for (int i = 0; i < 4; i++) {
        long long failed = failed_at(&ref, 4 - i);
        long long waited = starts[i + 1] - failed;
        ck_assert_msg(starts[i] <= failed + REPLY_MS,
                      "attempt %d began at %lld and failed at %lld: %s", i + 1, starts[i], failed,
                      rqt_redis_str("LINDEX refq:{docs}:history:%s %d", ref.hex, 4 - i));
        ck_assert_msg(waited >= delays[i] - CLOCKS_MS && waited <= delays[i] + LATE_MS,
                      "attempt %d began %lld ms after the failure before, not %lld", i + 2, waited,
                      delays[i]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_cancel_retry");
    TCase *c = rqt_witness_case(s, "cancel_retry");
    tcase_add_test(c, cancel_before_it_starts);
    tcase_add_test(c, cancel_while_it_runs);
    tcase_add_test(c, cancel_while_it_ends);
    tcase_add_test(c, cancel_after_it_is_complete);
    tcase_add_test(c, a_delayed_task_cancelled_after_its_promotion_never_runs);
    tcase_add_test(c, retries_follow_the_backoff);
    return rqt_main(s);
}
