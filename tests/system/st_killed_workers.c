/* SPDX-License-Identifier: MIT */
/* Workers that die, lose their keeper, or are told to go. */
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"
#include "support/witness.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_MS   RQT_LEASE_MS
#define RECOVER_MS (LEASE_MS + 5000)

/* --- Workers that die ------------------------------------------------------------------------- */

START_TEST(a_killed_workers_task_is_recovered)
{
    const char *path = rqt_witness_config();
    (void)rqt_fleet_add(path, rqt_one_slot);
    (void)rqt_fleet_add(path, rqt_one_slot);
    refq_ref ref = rqt_submit((refq_spec){.task = "orphans"});
    rqt_expect_said("start", 1, 5000);
    /* Its own sleep and the four in the background. */
    ck_assert(RQT_UNTIL(rqt_strays() >= 5, 5000));
    rqt_fleet_kill(rqt_runner_of(&ref));
    rqt_expect(&ref, "complete", RECOVER_MS);
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 2);
    ck_assert_int_eq(rqt_number(&ref, "deaths"), 1);
    ck_assert_int_eq(rqt_number(&ref, "failures"), 0);
    ck_assert_int_eq(rqt_meta("complete"), 1);
    ck_assert_int_eq(rqt_said("start"), 2);
    ck_assert_int_eq(rqt_said("end"), 1);
    ck_assert(RQT_UNTIL(rqt_strays() == 0, 2000));
}
END_TEST

START_TEST(a_killed_worker_leaves_no_process_behind)
{
    (void)rqt_fleet_add(rqt_witness_config(), rqt_one_slot);
    refq_ref ref = rqt_submit((refq_spec){.task = "orphans"});
    ck_assert(RQT_UNTIL(rqt_strays() >= 5, 5000));
    rqt_fleet_kill(rqt_runner_of(&ref));
    /* Nobody is left to notice the lease, yet the programs end. */
    ck_assert(RQT_UNTIL(rqt_strays() == 0, 5000));
    (void)rqt_fleet_add(rqt_witness_config(), rqt_one_slot);
    rqt_expect(&ref, "complete", RECOVER_MS);
    ck_assert_int_eq(rqt_number(&ref, "deaths"), 1);
}
END_TEST

START_TEST(a_fleet_under_fire_loses_nothing)
{
    enum { N = 60, KILLS = 6 };
    const char *path = rqt_witness_config();
    pid_t fleet[3];
    for (int i = 0; i < 3; i++) {
        fleet[i] = rqt_fleet_add(path, rqt_few_slots);
    }
    for (int i = 0; i < N; i++) {
        (void)rqt_submit((refq_spec){.task = "nap"});
    }
    for (int k = 0; k < KILLS; k++) {
        int before = rqt_said("start");
        ck_assert(RQT_UNTIL(rqt_said("start") > before || rqt_meta("pending") == 0, 10000));
        rqt_fleet_kill(fleet[k % 3]);
        fleet[k % 3] = rqt_fleet_add(path, rqt_few_slots);
    }
    rqt_expect_idle(40000);
    ck_assert_int_eq(rqt_meta("complete"), N);
    ck_assert_int_ge(rqt_said("end"), N);
}
END_TEST

/* The process that starts a worker's programs: its only child of that name. */
static pid_t keeper_of(pid_t worker)
{
    char parent[16];
    (void)snprintf(parent, sizeof parent, "%d", (int)worker);
    const char *argv[] = {"pgrep", "-P", parent, "refq-keeper", NULL};
    pid_t pid = (pid_t)strtol(rqt_run(argv)->out, NULL, 10);
    ck_assert_int_gt(pid, 1);
    return pid;
}

START_TEST(a_worker_without_its_keeper_gives_its_tasks_back)
{
    const char *path = rqt_witness_config();
    pid_t broken = rqt_fleet_add(path, rqt_calm_few);
    for (int i = 0; i < 10; i++) {
        (void)rqt_submit((refq_spec){.task = "gate", .max_retries = 1});
    }
    rqt_expect_said("start", 4, 5000);
    (void)kill(keeper_of(broken), SIGKILL);
    rqt_fleet_expect_end(broken, 70);
    ck_assert_int_eq(rqt_meta("failed"), 0);
    ck_assert_int_eq(rqt_meta("pending"), 10);
    (void)rqt_file("open", "", 0);
    (void)rqt_fleet_add(path, rqt_calm_few);
    rqt_expect_idle(20000);
    ck_assert_int_eq(rqt_meta("complete"), 10);
}
END_TEST

START_TEST(a_worker_without_its_keeper_ends_even_when_idle)
{
    pid_t broken = rqt_fleet_add(rqt_witness_config(), rqt_calm_few);
    (void)kill(keeper_of(broken), SIGKILL);
    rqt_fleet_expect_end(broken, 70);
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:workers"), 0);
}
END_TEST

START_TEST(large_results_held_up_by_a_full_server_arrive_when_it_has_room)
{
    (void)rqt_fleet_add(rqt_witness_config(), rqt_calm_few);
    refq_ref refs[6];
    rqt_redis_do("CONFIG SET maxmemory-policy noeviction");
    for (int i = 0; i < 6; i++) {
        refs[i] = rqt_submit((refq_spec){.task = "bulk"});
    }
    rqt_redis_do("CONFIG SET maxmemory 1mb");
    rqt_expect_said("start", 6, 20000);
    rqt_expect_said("end", 6, 20000);
    /* Staging is refused now; the results go the other way, in calls of bounded size. */
    for (int i = 0; i < 6; i++) {
        rqt_expect(&refs[i], "complete", 20000);
        ck_assert_int_gt(rqt_redis_int("STRLEN mcp-refcache:entry:docs:%s", refs[i].hex), 12000000);
    }
    rqt_redis_do("CONFIG SET maxmemory 0");
    refq_ref after = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&after, "complete", 10000);
}
END_TEST

/* --- Stopping --------------------------------------------------------------------------------- */

START_TEST(a_worker_told_to_stop_loses_none_of_its_tasks)
{
    enum { LONG = 40, SHORT = 10 };
    refq_ref refs[LONG];
    pid_t first = rqt_fleet_add(rqt_witness_config(), rqt_calm_many);
    for (int i = 0; i < LONG; i++) {
        refs[i] = rqt_submit((refq_spec){.task = "long"});
    }
    for (int i = 0; i < SHORT; i++) {
        (void)rqt_submit((refq_spec){.task = "gate"});
    }
    rqt_expect_said("start", LONG + SHORT, 20000);
    ck_assert_int_eq(rqt_meta("processing"), LONG + SHORT);
    (void)rqt_file("open", "", 0); /* these end within the grace */
    rqt_fleet_stop(first);
    ck_assert_int_eq(rqt_meta("complete"), SHORT);
    ck_assert_int_eq(rqt_meta("pending"), LONG);
    ck_assert_int_eq(rqt_meta("processing"), 0);
    ck_assert_int_eq(rqt_strays(), 0);
    for (int i = 0; i < LONG; i++) {
        ck_assert(rqt_is(&refs[i], "pending"));
        ck_assert_int_eq(rqt_number(&refs[i], "releases"), 1);
        ck_assert_int_eq(rqt_number(&refs[i], "failures"), 0);
        ck_assert_int_eq(rqt_number(&refs[i], "deaths"), 0);
    }
    rqt_audit(RQT_QUEUE);

    (void)rqt_fleet_add(rqt_witness_config(), rqt_calm_many);
    rqt_expect_idle(20000);
    ck_assert_int_eq(rqt_meta("complete"), LONG + SHORT);
    ck_assert_int_eq(rqt_said("end"), LONG + SHORT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_killed_workers");
    TCase *c = rqt_witness_case(s, "killed_workers");
    tcase_add_test(c, a_killed_workers_task_is_recovered);
    tcase_add_test(c, a_killed_worker_leaves_no_process_behind);
    tcase_add_test(c, a_fleet_under_fire_loses_nothing);
    tcase_add_test(c, a_worker_without_its_keeper_gives_its_tasks_back);
    tcase_add_test(c, a_worker_without_its_keeper_ends_even_when_idle);
    tcase_add_test(c, a_worker_told_to_stop_loses_none_of_its_tasks);
    TCase *large = rqt_witness_case(s, "large results");
    tcase_set_tags(large, "bulk");
    tcase_add_test(large, large_results_held_up_by_a_full_server_arrive_when_it_has_room);
    return rqt_main(s);
}
