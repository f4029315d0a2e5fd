/* SPDX-License-Identifier: MIT */
/* How long a task this worker does not know waits before it is offered again. */
#include "base/rand.h"
#include "work/unknown.h"
#include "support/main.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

START_TEST(the_wait_doubles_up_to_a_bound)
{
    static const int64_t bounds[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    rqi_unknown unknown = {0};
    ck_assert_int_eq(rqi_rand_init(NULL), REFQ_OK);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        int64_t delay = rqi_unknown_delay(&unknown, "exotic");
        ck_assert_int_ge(delay, bounds[i] / 2);
        ck_assert_int_le(delay, bounds[i]);
    }
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_le(rqi_unknown_delay(&unknown, "exotic"), 5000);
    }
}
END_TEST

START_TEST(each_name_counts_by_itself_and_the_oldest_is_forgotten)
{
    rqi_unknown unknown = {0};
    char name[32];
    ck_assert_int_eq(rqi_rand_init(NULL), REFQ_OK);
    for (int i = 0; i < 5; i++) {
        (void)rqi_unknown_delay(&unknown, "old");
    }
    ck_assert_int_gt(rqi_unknown_delay(&unknown, "old"), 1000);
    for (int i = 0; i < RQI_UNKNOWN_NAMES; i++) {
        (void)snprintf(name, sizeof name, "new%d", i);
        ck_assert_int_le(rqi_unknown_delay(&unknown, name), 100);
    }
    ck_assert_int_le(rqi_unknown_delay(&unknown, "old"), 100);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("unknown");
    tcase_add_test(c, the_wait_doubles_up_to_a_bound);
    tcase_add_test(c, each_name_counts_by_itself_and_the_oldest_is_forgotten);
    Suite *s = suite_create("ut_unknown");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
