/* SPDX-License-Identifier: MIT */
/* refq run: tasks of a task file without any server. */
#include "support/cli.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define NO      1

static const char tasks_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: echo, exec: [cat]}\n"
    "  - {name: bad, input: none, exec: [sh, -c, 'echo no such page >&2; exit 65']}\n"
    "  - {name: second, input: none, output: text, max_retries: 2,\n"
    "     backoff: {base: 10ms, cap: 10ms},\n"
    "     exec: [sh, -c, 'test $REFQ_ATTEMPT = 2 && echo at last']}\n"
    "  - {name: slow, input: none, exec: [sleep, '48.12']}\n";

static const char plugins_yaml[] = "queue: docs\n"
                                   "plugins:\n"
                                   "  - {path: " RQT_SUSPECTS_PATH ", run: %s}\n";

static char config[256];

/* A server that is named must not be asked. */
static void setup(void)
{
    (void)snprintf(config, sizeof config, "%s", rqt_file("tasks.yaml", tasks_yaml, 0));
    rqt_redis_clean();
}

static void teardown(void)
{
    ck_assert_int_eq(rqt_redis_int("DBSIZE"), 0);
}

START_TEST(a_value_is_printed_as_by_submit)
{
    const rqt_result *r = RQT_REFQ("run", "echo", "-c", config, "--args", "{\"n\":17}");
    rqt_expect_out(r, "{\"n\":17}\n");
    json_t *json = rqt_json(RQT_REFQ("run", "echo", "-c", config, "-o", "json"));
    ck_assert_str_eq(json_string_value(json_object_get(json, "status")), "complete");
    ck_assert(json_is_object(json_object_get(json, "value")));
    json_decref(json);
}
END_TEST

/* The task ends with the process: nobody could look at what a reference names. */
START_TEST(no_reference_is_printed)
{
    static const struct {
        const char *args[4];
        int status;
    } ends[] = {{{"echo"}, EX_OK}, {{"bad"}, NO}, {{"slow", "--wait", "100ms"}, EX_TEMPFAIL}};
    static const char *const formats[] = {"table", "json"};
    for (size_t i = 0; i < N_OF(ends) * N_OF(formats); i++) {
        const char *const *a = ends[i / N_OF(formats)].args;
        const char *format = formats[i % N_OF(formats)];
        const rqt_result *r = rqt_run((const char *const[]){RQT_REFQ_PATH, "run", "-c", config,
                                                            "-o", format, a[0], a[1], a[2], NULL});
        ck_assert_int_eq(r->status, ends[i / N_OF(formats)].status);
        bool named = strstr(r->out, "docs:") != NULL || strstr(r->err, "docs:") != NULL ||
                     strstr(r->out, "ref_id") != NULL;
        ck_assert_msg(!named, "%s, %s: %s%s", a[0], format, r->out, r->err);
    }
}
END_TEST

START_TEST(retries_and_failures_are_as_on_a_fleet)
{
    rqt_expect_out(RQT_REFQ("run", "second", "-c", config), "\"at last");
    rqt_expect_err(RQT_REFQ("run", "bad", "-c", config), NO, "bad failed: exit 65: no such page");
}
END_TEST

START_TEST(plugins_run_as_on_a_fleet)
{
    static const char *const ways[] = {"thread", "child"};
    for (size_t i = 0; i < N_OF(ways); i++) {
        char yaml[1024];
        (void)snprintf(yaml, sizeof yaml, plugins_yaml, ways[i]);
        const char *file = rqt_file("plugins.yaml", yaml, 0);
        rqt_expect_out(RQT_REFQ("run", "good", "-c", file), "{}\n");
    }
}
END_TEST

START_TEST(when_the_time_is_up_nothing_is_left)
{
    const rqt_result *r = RQT_REFQ("run", "slow", "-c", config, "--wait", "200ms");
    rqt_expect_err(r, EX_TEMPFAIL, "the time is up, so it is stopped");
    ck_assert(RQT_UNTIL(rqt_count_processes("sleep 48.12") == 0, 10000));
}
END_TEST

START_TEST(killed_it_leaves_no_program)
{
    const char *argv[] = {RQT_REFQ_PATH, "run", "slow", "--config", config, NULL};
    rqt_spawn_options options = {.argv = argv};
    pid_t pid = rqt_spawn(&options);
    ck_assert(RQT_UNTIL(rqt_count_processes("sleep 48.12") > 0, 10000));
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(rqt_reap(pid, 5000), 128 + SIGKILL);
    ck_assert(RQT_UNTIL(rqt_count_processes("sleep 48.12") == 0, 10000));
}
END_TEST

START_TEST(wrong_calls_are_refused)
{
    const char *mistaken = rqt_file("bad.yaml", "queue: docs\ntasks: 3\n", 0);
    const rqt_call wrong[] = {
        {{"run"}, EX_USAGE, "TASK is missing"},
        {{"run", "echo"}, EX_USAGE, "--config FILE is missing"},
        {{"run", "a b", "-c", config}, EX_USAGE, "a b"},
        {{"run", "ehco", "-c", config}, EX_UNAVAILABLE, "did you mean 'echo'"},
        {{"run", "echo", "-c", "/nonexistent"}, EX_CONFIG, "cannot open"},
        {{"run", "echo", "-c", mistaken}, EX_CONFIG, "bad.yaml:2"},
        {{"run", "echo", "-c", config, "--args", "[1]"}, EX_DATAERR, "object"},
        {{"run", "echo", "-c", config, "--wait", "3"}, EX_USAGE, "needs a unit"},
        {{"run", "echo", "x", "-c", config}, EX_USAGE, "one operand too many"},
    };
    rqt_calls(wrong, N_OF(wrong));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_cli_run");
    TCase *c = tcase_create("run");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_value_is_printed_as_by_submit);
    tcase_add_test(c, no_reference_is_printed);
    tcase_add_test(c, retries_and_failures_are_as_on_a_fleet);
    tcase_add_test(c, plugins_run_as_on_a_fleet);
    tcase_add_test(c, when_the_time_is_up_nothing_is_left);
    tcase_add_test(c, killed_it_leaves_no_program);
    tcase_add_test(c, wrong_calls_are_refused);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
