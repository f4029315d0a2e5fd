/* SPDX-License-Identifier: MIT */
/* Workers that freeze, and whose wake-ups would be lost with them. */
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/proxy.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"
#include "support/witness.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEASE_MS   RQT_LEASE_MS
#define RECOVER_MS (LEASE_MS + 5000)

/* --- Workers that freeze ---------------------------------------------------------------------- */

START_TEST(a_zombie_commits_nothing)
{
    char before[64];
    const char *path = rqt_witness_config();
    pid_t zombie = rqt_fleet_add(path, rqt_one_slot);
    refq_ref ref = rqt_submit((refq_spec){.task = "nap"});
    rqt_expect_said("start", 1, 5000);
    (void)snprintf(before, sizeof before, "%s", rqt_field(&ref, "worker"));
    pid_t other = rqt_fleet_add(path, rqt_one_slot);
    int64_t frozen_at = rqt_now_ms();
    (void)kill(zombie, SIGSTOP);
    rqt_expect(&ref, "complete", RECOVER_MS);
    ck_assert(RQT_UNTIL(rqt_now_ms() - frozen_at >= 3 * LEASE_MS, 3 * LEASE_MS + 100));
    /* The first attempt has ended long ago and waits to be reported. */
    ck_assert_int_eq(rqt_said("end"), 2);
    (void)kill(zombie, SIGCONT);
    ck_assert(RQT_UNTIL(strstr(rqt_worker_log(zombie), "event=lease_lost") != NULL, 5000));
    rqt_wait_workers(RQT_QUEUE, 2);

    ck_assert_ptr_nonnull(strstr(rqt_entry(&ref), "{\"value\": {\"attempt\":2},"));
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 2);
    ck_assert_int_eq(rqt_number(&ref, "deaths"), 1);
    ck_assert_int_eq(rqt_meta("complete"), 1);
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:worker:%s", before), 0);

    /* As a new incarnation it works again, all by itself. */
    rqt_fleet_stop(other);
    ref = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&ref, "complete", 5000);
    ck_assert_str_ne(rqt_field(&ref, "worker"), before);
    ck_assert_int_eq(rqt_runner_of(&ref), zombie);
}
END_TEST

START_TEST(a_zombies_late_report_is_stale)
{
    const char *path = rqt_witness_config();
    rqt_proxy_start();
    const char *const through_proxy[] = {
        "--lease", RQT_LEASE, "--beat",        RQT_BEAT, "--concurrency", "1", "--grace",
        RQT_GRACE, "--redis", rqt_proxy_url(), NULL};
    pid_t zombie = rqt_fleet_add(path, through_proxy);
    rqt_proxy_aim(RQT_REPORTS, RQT_HOLD_REQUEST, 1, 1);
    refq_ref ref = rqt_submit((refq_spec){.task = "relay"});
    ck_assert(RQT_UNTIL(rqt_proxy_hits() == 1, 5000));
    (void)rqt_fleet_add(path, rqt_one_slot);
    (void)kill(zombie, SIGSTOP);
    /* The report of the first attempt arrives while the second one runs. */
    rqt_expect_said("start", 2, RECOVER_MS);
    rqt_proxy_let_go();
    (void)kill(zombie, SIGCONT);
    ck_assert(RQT_UNTIL(strstr(rqt_worker_log(zombie), "answer=stale") != NULL, 5000));
    ck_assert(rqt_is(&ref, "processing"));
    ck_assert_str_eq(rqt_entry(&ref), "");
    rqt_wait_workers(RQT_QUEUE, 2);
    (void)rqt_file("open", "", 0);
    rqt_expect(&ref, "complete", 5000);
    ck_assert_ptr_nonnull(strstr(rqt_entry(&ref), "{\"value\": {\"attempt\":2},"));
    ck_assert_int_eq(rqt_number(&ref, "deaths"), 1);
    ck_assert_int_eq(rqt_meta("complete"), 1);
    rqt_fleet_end();
    rqt_proxy_stop();
}
END_TEST

START_TEST(a_zombie_told_to_stop_just_ends)
{
    const char *path = rqt_witness_config();
    pid_t zombie = rqt_fleet_add(path, rqt_one_slot);
    refq_ref ref = rqt_submit((refq_spec){.task = "orphans"});
    rqt_expect_said("start", 1, 5000);
    (void)rqt_fleet_add(path, rqt_one_slot);
    (void)kill(zombie, SIGSTOP);
    rqt_expect(&ref, "complete", RECOVER_MS);
    (void)kill(zombie, SIGTERM);
    (void)kill(zombie, SIGCONT);
    int64_t told_at = rqt_now_ms();
    rqt_fleet_stop(zombie);
    ck_assert_int_lt(rqt_now_ms() - told_at, 5000 * RQT_PATIENCE);
    rqt_wait_workers(RQT_QUEUE, 1);
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 2);
    ck_assert_int_eq(rqt_meta("complete"), 1);
    ck_assert_int_eq(rqt_said("end"), 1);
}
END_TEST

START_TEST(a_token_taken_by_a_frozen_worker_is_not_missed)
{
    const char *path = rqt_witness_config();
    pid_t first = rqt_fleet_add(path, rqt_one_slot);
    ck_assert(RQT_UNTIL(rqt_redis_int("SCARD refq:{docs}:parked") == 1, 5000));
    (void)rqt_fleet_add(path, rqt_one_slot);
    ck_assert(RQT_UNTIL(rqt_redis_int("SCARD refq:{docs}:parked") == 2, 5000));
    (void)kill(first, SIGSTOP); /* the bell serves it first, for it has waited longest */
    refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&ref, "complete", 2000);
    (void)kill(first, SIGCONT);
    ref = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&ref, "complete", 2000);
    rqt_wait_workers(RQT_QUEUE, 2);
}
END_TEST

/* --- Wake-ups --------------------------------------------------------------------------------- */

static int parked(void)
{
    return (int)rqt_redis_int("SCARD refq:{docs}:parked");
}

START_TEST(a_parked_worker_killed_does_not_swallow_a_wakeup)
{
    enum { ROUNDS = 6 };
    const char *path = rqt_witness_config();
    pid_t fleet[2] = {rqt_fleet_add(path, rqt_one_slot), rqt_fleet_add(path, rqt_one_slot)};
    for (int i = 0; i < ROUNDS; i++) {
        rqt_wait_workers(RQT_QUEUE, 2);
        ck_assert(RQT_UNTIL(parked() == 2, 5000));
        pid_t victim = fleet[i % 2];
        (void)kill(victim, SIGKILL);
        refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
        rqt_expect(&ref, "complete", 2000);
        rqt_fleet_kill(victim);
        fleet[i % 2] = rqt_fleet_add(path, rqt_one_slot);
    }
}
END_TEST

START_TEST(an_alarm_outlives_the_worker_that_holds_it)
{
    char alarm[128];
    const char *path = rqt_witness_config();
    (void)rqt_fleet_add(path, rqt_one_slot);
    (void)rqt_fleet_add(path, rqt_one_slot);
    ck_assert(RQT_UNTIL(parked() == 2, 5000));
    refq_ref ref = rqt_submit((refq_spec){.task = "echo", .delay_ms = 1500});
    long long due = rqt_number(&ref, "due_at");
    ck_assert(RQT_UNTIL(rqt_redis_int("HEXISTS refq:{docs}:meta alarm") == 1, 1000));
    (void)snprintf(alarm, sizeof alarm, "%s", rqt_redis_str("HGET refq:{docs}:meta alarm"));
    ck_assert_ptr_nonnull(strchr(alarm, ':'));
    rqt_fleet_kill(rqt_fleet_pid(strchr(alarm, ':') + 1));
    rqt_expect(&ref, "complete", 5000);
    ck_assert_int_ge(rqt_number(&ref, "started_at"), due);
    ck_assert_int_le(rqt_number(&ref, "started_at"), due + 3000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_frozen_workers");
    TCase *c = rqt_witness_case(s, "frozen_workers");
    tcase_add_test(c, a_zombie_commits_nothing);
    tcase_add_test(c, a_zombies_late_report_is_stale);
    tcase_add_test(c, a_zombie_told_to_stop_just_ends);
    tcase_add_test(c, a_token_taken_by_a_frozen_worker_is_not_missed);
    tcase_add_test(c, a_parked_worker_killed_does_not_swallow_a_wakeup);
    tcase_add_test(c, an_alarm_outlives_the_worker_that_holds_it);
    return rqt_main(s);
}
