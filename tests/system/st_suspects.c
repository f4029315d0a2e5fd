/* SPDX-License-Identifier: MIT */
/* The worst neighbours: a task that takes its worker with it, workers that do not know a task, ten
 * thousand tasks due at the same moment. Real workers, and a supervisor that starts them again. */
#include "support/main.h"
#include "support/pace.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS = 4, LEASE_MS = RQT_LEASE_MS };

static struct {
    pid_t pid;
    const char *config;
    int deaths;
} fleet[WORKERS];

static const char *const options[] = {"--lease", RQT_LEASE, "--concurrency", "8", NULL};

static void start_fleet(int n, const char *const *configs)
{
    for (int i = 0; i < WORKERS; i++) {
        fleet[i].pid = 0;
        fleet[i].deaths = 0;
        if (i < n) {
            fleet[i].config = configs[i];
            fleet[i].pid = rqt_worker(configs[i], options);
        }
    }
    rqt_wait_workers(RQT_QUEUE, n);
}

/* What systemd would do. */
static void supervise(void)
{
    for (int i = 0; i < WORKERS; i++) {
        if (fleet[i].pid > 0 && rqt_reap(fleet[i].pid, 0) != -1) {
            fleet[i].deaths++;
            fleet[i].pid = rqt_worker(fleet[i].config, options);
        }
    }
}

static bool is_idle(void)
{
    supervise();
    return rqt_is_idle();
}

static void end_fleet(void)
{
    for (int i = 0; i < WORKERS; i++) {
        if (fleet[i].pid > 0) {
            ck_assert_int_eq(rqt_worker_stop(fleet[i].pid), 0);
        }
    }
}

static void setup(void)
{
    rqt_redis_start(NULL);
}

static void teardown(void)
{
    rqt_audit(RQT_QUEUE);
    end_fleet();
    rqt_audit(RQT_QUEUE);
    rqt_client_end();
    rqt_redis_stop();
}

/* --- Poison ----------------------------------------------------------------------------------- */

START_TEST(a_plugin_that_segfaults_is_poison_and_its_neighbours_are_not)
{
    enum { INNOCENT = 100 };
    char yaml[512];
    refq_ref good[INNOCENT];
    refq_ref bad;
    (void)snprintf(yaml, sizeof yaml, "queue: docs\nplugins:\n  - path: %s\n", RQT_SUSPECTS_PATH);
    const char *path = rqt_file("plugin.yaml", yaml, 0);
    const char *configs[] = {path, path};
    start_fleet(2, configs);
    for (int i = 0; i < INNOCENT; i++) {
        char args[32];
        (void)snprintf(args, sizeof args, "{\"n\":%d}", i);
        good[i] = rqt_submit((refq_spec){.task = "good", .args = args});
        if (i == INNOCENT / 2) {
            bad = rqt_submit((refq_spec){.task = "bad"});
        }
    }
    ck_assert_msg(RQT_UNTIL(is_idle(), 120000), "the queue is not empty");
    ck_assert_str_eq(rqt_field(&bad, "status"), "failed");
    ck_assert_str_eq(rqt_field(&bad, "reason"), "poison");
    ck_assert_int_eq(rqt_number(&bad, "crashes"), 3);
    ck_assert_int_ge(rqt_number(&bad, "deaths"), 1);
    for (int i = 0; i < INNOCENT; i++) {
        ck_assert_str_eq(rqt_field(&good[i], "status"), "complete");
        ck_assert_int_eq(rqt_number(&good[i], "crashes"), 0);
    }
    ck_assert_int_eq(rqt_meta("complete"), INNOCENT);
    /* Once it is suspected, it costs no worker any more. */
    ck_assert_int_eq(fleet[0].deaths + fleet[1].deaths, 1);
}
END_TEST

/* --- Half a fleet ----------------------------------------------------------------------------- */

START_TEST(a_task_half_the_fleet_does_not_know_runs_on_the_other_half)
{
    enum { TASKS = 200 };
    const char *knows = rqt_file("knows.yaml",
                                 "queue: docs\ntasks:\n  - name: rare\n    exec: [\"true\"]\n"
                                 "    output: text\n",
                                 0);
    const char *lacks = rqt_file("lacks.yaml",
                                 "queue: docs\ntasks:\n  - name: other\n    exec: [\"true\"]\n"
                                 "    output: text\n",
                                 0);
    const char *configs[] = {lacks, knows, lacks, knows};
    start_fleet(4, configs);
    for (int i = 0; i < TASKS; i++) {
        (void)rqt_submit((refq_spec){.task = i % 4 == 0 ? "other" : "rare"});
    }
    ck_assert_msg(RQT_UNTIL(is_idle(), 120000), "the queue is not empty");
    ck_assert_int_eq(rqt_meta("complete"), TASKS);
    ck_assert_int_eq(rqt_meta("failed"), 0);
    ck_assert_int_eq(rqt_meta("retries"), 0);
}
END_TEST

/* --- Ten thousand at once --------------------------------------------------------------------- */

static long long attempts_over_one(void)
{
    static const char script[] =
        "local n = 0 for _, k in ipairs(redis.call('KEYS', 'refq:{docs}:task:*')) do "
        "if redis.call('HGET', k, 'attempt') ~= '1' then n = n + 1 end end return n";
    return rqt_redis_int("EVAL %s 0", script);
}

START_TEST(ten_thousand_tasks_due_at_one_moment_all_run_once)
{
    enum { TASKS = 10000, BATCH = 500 };
    char yaml[512];
    refq_error err;
    (void)snprintf(yaml, sizeof yaml, "queue: docs\nplugins:\n  - path: %s\n", RQT_SUSPECTS_PATH);
    static refq_spec specs[BATCH];
    static refq_submitted done[BATCH];
    for (int i = 0; i < TASKS / BATCH; i++) {
        for (int k = 0; k < BATCH; k++) {
            specs[k] =
                (refq_spec){.struct_size = sizeof specs[k], .task = "good", .delay_ms = 3600000};
            ck_assert_int_eq(refq_ref_make(RQT_QUEUE, &specs[k].ref, &err), REFQ_OK);
        }
        ck_assert_msg(refq_client_submit_many(rqt_client(), specs, BATCH, done, &err) == REFQ_OK,
                      "%s", err.text);
    }
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:due"), TASKS);
    rqt_redis_do("HSET refq:{docs}:meta clock_offset 7200000");
    rqt_redis_do("CONFIG RESETSTAT");
    const char *path = rqt_file("plugin.yaml", yaml, 0);
    const char *configs[] = {path, path};
    static const char *const wide[] = {"--lease", "5s", "--concurrency", "64", NULL};
    for (int i = 0; i < 2; i++) {
        fleet[i].config = configs[i];
        fleet[i].pid = rqt_worker(path, wide);
    }
    ck_assert_msg(RQT_UNTIL(rqt_meta("complete") == TASKS, 120000), "%lld are complete",
                  rqt_meta("complete"));
    ck_assert_int_eq(attempts_over_one(), 0);
    rqt_redis_do("HDEL refq:{docs}:meta clock_offset");
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("suspects");
    tcase_set_timeout(c, 300);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_plugin_that_segfaults_is_poison_and_its_neighbours_are_not);
    tcase_add_test(c, a_task_half_the_fleet_does_not_know_runs_on_the_other_half);
    tcase_add_test(c, ten_thousand_tasks_due_at_one_moment_all_run_once);
    Suite *s = suite_create("st_suspects");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
