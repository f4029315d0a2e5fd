/* SPDX-License-Identifier: MIT */
/* What the options of refq-worker do to a real one; ut_worker_options has their values. */
#include "support/cli.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/wait.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char tasks_yaml[] = "queue: docs\n"
                                 "tasks:\n"
                                 "  - {name: slow, input: none, exec: [sleep, '60']}\n";

static pid_t worker;

static void start(const char *const *options)
{
    worker = rqt_worker(rqt_file("tasks.yaml", tasks_yaml, 0), options);
}

static void setup(void)
{
    (void)setenv("REFQ_QUEUE", "docs", 1);
    rqt_redis_clean();
}

static void teardown(void)
{
    rqt_audit("docs");
}

static bool logged(const char *text)
{
    return strstr(rqt_worker_log(worker), text) != NULL;
}

/* The only worker as `refq workers` has it; the caller owns it. NULL = not there yet. */
static json_t *look(const char *prefix)
{
    json_t *all = rqt_json(RQT_REFQ("workers", "--prefix", prefix, "-o", "json"));
    json_t *one = json_incref(json_array_get(all, 0));
    json_decref(all);
    return one;
}

static bool is_there(const char *prefix)
{
    json_t *one = look(prefix);
    json_decref(one);
    return one != NULL;
}

static json_int_t number(const char *prefix, const char *name)
{
    json_t *one = look(prefix);
    json_int_t n = json_integer_value(json_object_get(one, name));
    json_decref(one);
    return n;
}

START_TEST(what_others_see)
{
    start((const char *const[]){"--prefix", "other", "--concurrency", "3", "--lease", "1h",
                                "--beat", "50ms", NULL});
    ck_assert_msg(RQT_UNTIL(is_there("other"), 10000), "%s", rqt_worker_log(worker));
    ck_assert(!is_there("refq"));
    ck_assert_int_eq(number("other", "slots"), 3);
    ck_assert_int_gt(number("other", "lease_left_ms"), 60 * 1000); /* six times the default */
    long long beat = rqt_redis_int("HGET other:{docs}:meta last_beat");
    ck_assert(RQT_UNTIL(rqt_redis_int("HGET other:{docs}:meta last_beat") > beat, 60000));
    ck_assert_int_eq(rqt_worker_stop(worker), 0);
    rqt_redis_clean(); /* the audit knows only the usual prefix */
}
END_TEST

START_TEST(an_unknown_task_fails_after_the_grace)
{
    start((const char *const[]){"--unknown-grace", "1ms", "--lease", "1s", NULL});
    rqt_wait_workers("docs", 1);
    const char *ref = rqt_word(RQT_REFQ("submit", "unheard_of", "--force"));
    ck_assert_msg(RQT_UNTIL(strstr(RQT_REFQ("status", ref)->out, "failed") != NULL, 30000), "%s",
                  RQT_REFQ("status", ref)->out);
    ck_assert_int_eq(rqt_worker_stop(worker), 0);
}
END_TEST

START_TEST(logs_have_the_format_and_level)
{
    start((const char *const[]){"--log-format", "json", "--log-level", "debug", NULL});
    rqt_wait_workers("docs", 1);
    ck_assert_msg(RQT_UNTIL(logged("\"level\":\"debug\""), 10000), "%s", rqt_worker_log(worker));
    ck_assert_int_eq(rqt_worker_log(worker)[0], '{');
    ck_assert_int_eq(rqt_worker_stop(worker), 0);
}
END_TEST

START_TEST(a_quiet_log_has_no_news)
{
    start((const char *const[]){"--log-level", "error", NULL});
    rqt_wait_workers("docs", 1);
    ck_assert_int_eq(rqt_worker_stop(worker), 0);
    ck_assert_str_eq(rqt_worker_log(worker), "");
}
END_TEST

START_TEST(without_a_grace_nothing_is_waited_for)
{
    start((const char *const[]){"--grace", "0", "--lease", "1s", NULL});
    const char *ref = rqt_word(RQT_REFQ("submit", "slow", "--force"));
    ck_assert(RQT_UNTIL(strstr(RQT_REFQ("status", ref)->out, "processing") != NULL, 10000));
    ck_assert_int_eq(rqt_worker_stop(worker), 0);
    ck_assert(logged("event=draining running=1 grace_ms=1\n"));
    ck_assert(logged("event=grace_over running=1"));
    rqt_expect_out(RQT_REFQ("status", ref), "pending");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_worker_options");
    TCase *c = tcase_create("options");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_others_see);
    tcase_add_test(c, an_unknown_task_fails_after_the_grace);
    tcase_add_test(c, logs_have_the_format_and_level);
    tcase_add_test(c, a_quiet_log_has_no_news);
    tcase_add_test(c, without_a_grace_nothing_is_waited_for);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
