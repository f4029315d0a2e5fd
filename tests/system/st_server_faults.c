/* SPDX-License-Identifier: MIT */
/* Servers that go away, forget the library, or forget everything. */
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
#include <string.h>

#define LEASE_MS RQT_LEASE_MS

START_TEST(the_library_may_vanish_under_load)
{
    enum { N = 200 };
    const char *path = rqt_witness_config();
    (void)rqt_fleet_add(path, rqt_calm_few);
    (void)rqt_fleet_add(path, rqt_calm_few);
    for (int i = 0; i < N; i++) {
        (void)rqt_submit((refq_spec){.task = "echo"});
        if (i % 10 == 0) {
            rqt_redis_do("FUNCTION FLUSH");
        }
    }
    while (rqt_meta("pending") > 0) {
        rqt_redis_do("FUNCTION FLUSH");
        rqt_nap();
    }
    rqt_expect_idle(10000);
    ck_assert_int_eq(rqt_meta("complete"), N);
    ck_assert_int_eq(rqt_fleet_said("event=reaped"), 0);
}
END_TEST

START_TEST(a_server_that_forgot_everything_is_served_again)
{
    const char *path = rqt_witness_config();
    (void)rqt_fleet_add(path, rqt_few_slots);
    (void)rqt_fleet_add(path, rqt_few_slots);
    refq_ref lost = rqt_submit((refq_spec){.task = "orphans"});
    ck_assert(RQT_UNTIL(rqt_strays() >= 5, 5000));
    rqt_redis_restart(SIGKILL);
    rqt_wait_workers(RQT_QUEUE, 2);
    ck_assert_int_eq(RQT_REFQ("status", rqt_ref_text(&lost))->status, 66);
    ck_assert_int_eq(RQT_REFQ("get", rqt_ref_text(&lost))->status, 66);
    /* What the lost task had started is stopped: its result could not be told to anybody. */
    ck_assert(RQT_UNTIL(rqt_strays() == 0, 5000));
    /* The workers are found again without anybody naming their queue. */
    ck_assert_ptr_nonnull(strstr(RQT_REFQ("workers")->out, RQT_QUEUE));
    for (int i = 0; i < 10; i++) {
        refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
        rqt_expect(&ref, "complete", 5000);
    }
    ck_assert_int_eq(rqt_meta("complete"), 10);
}
END_TEST

START_TEST(a_server_away_for_three_leases_costs_no_task)
{
    const char *path = rqt_witness_config();
    (void)rqt_fleet_add(path, rqt_few_slots);
    (void)rqt_fleet_add(path, rqt_few_slots);
    refq_ref ends_meanwhile = rqt_submit((refq_spec){.task = "nap"});
    refq_ref ends_later = rqt_submit((refq_spec){.task = "gate"});
    rqt_expect_said("start", 2, 5000);
    rqt_redis_do("CLIENT PAUSE %d ALL", 3 * LEASE_MS);
    ck_assert_int_eq(rqt_meta("processing"), 2); /* answered when the pause is over */
    rqt_expect(&ends_meanwhile, "complete", 5000);
    (void)rqt_file("open", "", 0);
    rqt_expect(&ends_later, "complete", 5000);
    ck_assert_int_eq(rqt_number(&ends_meanwhile, "attempt"), 1);
    ck_assert_int_eq(rqt_number(&ends_meanwhile, "deaths"), 0);
    ck_assert_int_eq(rqt_number(&ends_later, "attempt"), 1);
    ck_assert_int_eq(rqt_number(&ends_later, "deaths"), 0);
    ck_assert_int_eq(rqt_fleet_said("event=reaped"), 0);
    ck_assert_int_eq(rqt_fleet_said("event=lease_lost"), 0);
    ck_assert_int_eq(rqt_said("start"), 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_server_faults");
    TCase *c = rqt_witness_case(s, "server_faults");
    tcase_add_test(c, the_library_may_vanish_under_load);
    tcase_add_test(c, a_server_that_forgot_everything_is_served_again);
    tcase_add_test(c, a_server_away_for_three_leases_costs_no_task);
    return rqt_main(s);
}
