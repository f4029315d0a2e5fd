/* SPDX-License-Identifier: MIT */
/* refq dev: a server and a worker of its own, and nothing of it left, however it ends. */
#include "support/cli.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/wait.h"

#include <check.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char tasks_yaml[] = "queue: docs\n"
                                 "tasks:\n"
                                 "  - {name: echo, exec: [cat]}\n"
                                 "  - {name: slow, input: none, exec: [sleep, '47.11']}\n";

static char out[256];
static char url[128];
static char dir[128];

/* The worker is found on the PATH: in a build tree it does not lie beside refq. */
static void setup(void)
{
    static char path[4096];
    char worker[] = RQT_WORKER_PATH;
    (void)snprintf(path, sizeof path, "%s:%s", dirname(worker), getenv("PATH"));
    (void)setenv("PATH", path, 1);
    (void)unsetenv("REFQ_QUEUE");
}

static pid_t start_dev(const char *config)
{
    const char *argv[] = {RQT_REFQ_PATH, "dev", "--config", config, "--concurrency", "3", NULL};
    (void)snprintf(out, sizeof out, "%s", rqt_file("dev.out", "", 0));
    rqt_spawn_options options = {.argv = argv, .out_path = out, .err_path = out};
    return rqt_spawn(&options);
}

static bool said(const char *text)
{
    return strstr(rqt_read(out), text) != NULL;
}

static pid_t start_and_wait(void)
{
    pid_t pid = start_dev(rqt_file("tasks.yaml", tasks_yaml, 0));
    ck_assert_msg(RQT_UNTIL(said("export REFQ_REDIS=unix://") && said("event=started"), 20000),
                  "%s", rqt_read(out));
    const char *at = strstr(rqt_read(out), "unix://");
    (void)snprintf(url, sizeof url, "%.*s", (int)strcspn(at, "\n"), at);
    (void)snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(url, '/') - url - 7), url + 7);
    ck_assert_int_eq(access(dir, F_OK), 0);
    return pid;
}

static void expect_nothing_left(void)
{
    ck_assert_msg(RQT_UNTIL(access(dir, F_OK) != 0, 10000), "%s is left", dir);
    ck_assert_msg(RQT_UNTIL(rqt_count_processes(dir) == 0, 10000), "a process is left");
    ck_assert_msg(RQT_UNTIL(rqt_count_processes("sleep 47.11") == 0, 10000), "a program is left");
}

START_TEST(it_runs_tasks_and_shows_what_happens)
{
    pid_t pid = start_and_wait();
    rqt_expect_out(RQT_REFQ("submit", "echo", "-q", "docs", "--wait=20s", "--redis", url), "{}");
    ck_assert_msg(RQT_UNTIL(said("  complete  "), 10000), "%s", rqt_read(out));
    ck_assert_ptr_nonnull(strstr(rqt_read(out), "worker  "));
    rqt_expect_out(RQT_REFQ("workers", "-o", "json", "--redis", url), "\"slots\":3,");
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert_msg(rqt_reap(pid, 30000) == 0, "%s", rqt_read(out));
    expect_nothing_left();
}
END_TEST

START_TEST(a_third_request_ends_it_at_once)
{
    pid_t pid = start_and_wait();
    (void)RQT_REFQ("submit", "slow", "-q", "docs", "--redis", url);
    ck_assert(RQT_UNTIL(rqt_count_processes("sleep 47.11") > 0, 10000));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kill(pid, SIGTERM), 0);
        (void)RQT_STAYS(true, 50); /* signals of one kind that are pending together become one */
    }
    ck_assert_msg(rqt_reap(pid, 20000) == 0, "%s", rqt_read(out));
    expect_nothing_left();
}
END_TEST

START_TEST(killed_it_leaves_nothing_either)
{
    pid_t pid = start_and_wait();
    (void)RQT_REFQ("submit", "slow", "-q", "docs", "--redis", url);
    ck_assert(RQT_UNTIL(rqt_count_processes("sleep 47.11") > 0, 10000));
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(rqt_reap(pid, 5000), 128 + SIGKILL);
    expect_nothing_left();
}
END_TEST

START_TEST(a_mistake_in_the_task_file_ends_it)
{
    pid_t pid = start_dev(rqt_file("bad.yaml", "queue: docs\ntasks: 3\n", 0));
    ck_assert_int_eq(rqt_reap(pid, 20000), EX_CONFIG);
    ck_assert(said("refq-worker has ended with status 78"));
    ck_assert(said("bad.yaml:2"));
}
END_TEST

START_TEST(a_server_that_is_killed_ends_it)
{
    pid_t pid = start_and_wait();
    const char *argv[] = {"redis-cli", "-u", NULL, "SHUTDOWN", "NOSAVE", NULL};
    char socket[128];
    (void)snprintf(socket, sizeof socket, "%s", url + strlen("unix://"));
    argv[1] = "-s";
    argv[2] = socket;
    (void)rqt_run(argv);
    int status = rqt_reap(pid, 40000);
    ck_assert_msg(status == EX_SOFTWARE && said("redis-server has ended"), "%d: %s", status,
                  rqt_read(out));
    expect_nothing_left();
}
END_TEST

START_TEST(what_is_not_installed_is_told)
{
    char config[256];
    (void)snprintf(config, sizeof config, "%s", rqt_file("tasks.yaml", tasks_yaml, 0));
    (void)setenv("PATH", "/nonexistent", 1);
    rqt_expect_err(RQT_REFQ("dev", "--config", config), EX_UNAVAILABLE,
                   "redis-server is not installed");
}
END_TEST

static const rqt_call wrong[] = {
    {{"dev"}, EX_USAGE, "--config FILE is missing"},
    {{"dev", "--config", "/nonexistent"}, EX_NOINPUT, "cannot read the task file"},
    {{"dev", "--config", "/", "--redis", "unix:///x"}, EX_USAGE, "leave --redis"},
    {{"dev", "--config", "/", "--concurrency", "0"}, EX_USAGE, "--concurrency"},
};

START_TEST(wrong_calls_are_refused)
{
    rqt_calls(wrong, N_OF(wrong));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_cli_dev");
    TCase *c = tcase_create("dev");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, it_runs_tasks_and_shows_what_happens);
    tcase_add_test(c, a_third_request_ends_it_at_once);
    tcase_add_test(c, killed_it_leaves_nothing_either);
    tcase_add_test(c, a_mistake_in_the_task_file_ends_it);
    tcase_add_test(c, a_server_that_is_killed_ends_it);
    tcase_add_test(c, what_is_not_installed_is_told);
    tcase_add_test(c, wrong_calls_are_refused);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
