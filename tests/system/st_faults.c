/* SPDX-License-Identifier: MIT */
/*
 * Faults: workers and servers that die, freeze or are told to go, under real handlers.
 *
 * Each test has a redis-server and worker processes of its own. Handlers append a line to the file
 * `side` in their working directory for whatever they do, so that what really ran can be compared
 * with what Redis says. Background processes carry a number of their own in their command line, by
 * which strays are found.
 */
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/proc.h"
#include "support/proxy.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_MS   RQT_LEASE_MS
#define RECOVER_MS (LEASE_MS + 5000)

/* Where workers have to be missed. */
static const char *const one_slot[] = {"--lease", RQT_LEASE, "--beat",  RQT_BEAT, "--concurrency",
                                       "1",       "--grace", RQT_GRACE, NULL};
static const char *const few_slots[] = {"--lease", RQT_LEASE, "--beat",  RQT_BEAT, "--concurrency",
                                        "4",       "--grace", RQT_GRACE, NULL};

/* Where none may be, however busy the machine is. */
static const char *const calm_one[] = {"--lease", "20s",     "--beat",  RQT_BEAT, "--concurrency",
                                       "1",       "--grace", RQT_GRACE, NULL};
static const char *const calm_few[] = {"--lease", "20s",     "--beat",  RQT_BEAT, "--concurrency",
                                       "4",       "--grace", RQT_GRACE, NULL};
static const char *const calm_many[] = {"--lease", "20s",     "--beat",  RQT_BEAT, "--concurrency",
                                        "50",      "--grace", RQT_GRACE, NULL};

static const char tasks_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: echo, exec: [cat]}\n"
    "  - {name: orphans, exec: [./orphans.sh], kill_grace: 1s}\n"
    "  - {name: nap, exec: [./nap.sh], input: none}\n"
    "  - {name: relay, exec: [./relay.sh], input: none}\n"
    "  - {name: gate, exec: [./gate.sh], input: none, kill_grace: 1s}\n"
    "  - {name: stubborn, exec: [./stubborn.sh], input: none, kill_grace: 1s}\n"
    "  - name: fail\n"
    "    exec: [./fail.sh]\n"
    "    max_retries: 4\n"
    "    backoff: {base: 200ms, factor: 2, cap: 1s, jitter: none}\n"
    "  - {name: long, exec: [./long.sh], kill_grace: 1s}\n"
    "  - {name: bulk, exec: [./bulk.sh], input: none, output: text}\n";

/* What `sleep` is told by this test's handlers. */
static const char *stray_mark(void)
{
    static char text[64];
    (void)snprintf(text, sizeof text, "sleep 600.%d", (int)getpid());
    return text;
}

static int strays(void)
{
    return rqt_count_processes(stray_mark());
}

static void handler(const char *name, const char *body)
{
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "#!/bin/sh\n"
                   "say() { echo \"$1 $REFQ_REF_ID $REFQ_ATTEMPT\" >>side; }\n"
                   "forever='%s'\n"
                   "%s",
                   stray_mark(), body);
    (void)rqt_file(name, text, 1);
}

static const char *config(void)
{
    handler("orphans.sh",
            "say start\n"
            "[ \"$REFQ_ATTEMPT\" = 1 ] || { say end; echo \"$REFQ_ATTEMPT\"; exit 0; }\n"
            "$forever & setsid $forever & setsid sh -c \"$forever & $forever\" &\n"
            "$forever\n"
            "say end\n");
    /* The first attempt takes longer than a server or worker is away, the others do not. */
    handler("nap.sh", "say start\n"
                      "[ \"$REFQ_ATTEMPT\" != 1 ] || sleep 1.5\n"
                      "say end\n"
                      "echo \"{\\\"attempt\\\":$REFQ_ATTEMPT}\"\n");
    handler("relay.sh", "say start\n"
                        "while [ \"$REFQ_ATTEMPT\" != 1 ] && [ ! -e open ]; do sleep 0.02; done\n"
                        "echo \"{\\\"attempt\\\":$REFQ_ATTEMPT}\"\n");
    handler("gate.sh", "say start\n"
                       "while [ ! -e open ]; do sleep 0.1; done\n"
                       "say end\n"
                       "echo true\n");
    handler("stubborn.sh", "trap '' TERM\n"
                           "say start\n"
                           "sh -c \"trap '' TERM; $forever & $forever\"\n");
    handler("fail.sh", "echo \"$(date +%s%3N)\" >>side\n"
                       "echo 'not yet' >&2\n"
                       "exit 75\n");
    handler("long.sh", "say start\n"
                       "[ \"$REFQ_ATTEMPT\" != 1 ] || exec $forever\n"
                       "say end\n"
                       "echo true\n");
    handler("bulk.sh", "say start\n"
                       "head -c 12582912 /dev/zero | tr '\\0' x\n"
                       "say end\n");
    return rqt_file("tasks.yaml", tasks_yaml, 0);
}

static const char *in_dir(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", rqt_redis_dir(), name);
    return path;
}

/* Lines of the side file that start with `word`. */
static int said(const char *word)
{
    int n = 0;
    size_t len = strlen(word);
    const char *line = rqt_read(in_dir("side"));
    while (line != NULL && *line != '\0') {
        n += strncmp(line, word, len) == 0 && line[len] == ' ';
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return n;
}

static bool said_by(const char *word, const refq_ref *ref)
{
    char line[256];
    (void)snprintf(line, sizeof line, "%s docs:%s ", word, ref->hex);
    return strstr(rqt_read(in_dir("side")), line) != NULL;
}

static void expect_said(const char *word, int n, int budget_ms)
{
    bool met = RQT_UNTIL(said(word) == n, budget_ms);
    ck_assert_msg(met, "%d handlers said '%s', not %d", said(word), word, n);
}

static pid_t runner_of(const refq_ref *ref)
{
    char id[64];
    (void)snprintf(id, sizeof id, "%s", rqt_field(ref, "worker"));
    return rqt_fleet_pid(id);
}

static void setup(void)
{
    rqt_redis_start(NULL);
}

static void teardown(void)
{
    rqt_audit(RQT_QUEUE);
    rqt_fleet_end();
    rqt_audit(RQT_QUEUE);
    bool none = RQT_UNTIL(strays() == 0, 2000);
    ck_assert_msg(none, "%d processes of handlers were left behind", strays());
    rqt_client_end();
    rqt_redis_stop();
}

/* --- Workers that die ------------------------------------------------------------------------- */

START_TEST(a_killed_workers_task_is_recovered)
{
    const char *path = config();
    (void)rqt_fleet_add(path, one_slot);
    (void)rqt_fleet_add(path, one_slot);
    refq_ref ref = rqt_submit((refq_spec){.task = "orphans"});
    expect_said("start", 1, 5000);
    /* Its own sleep and the four in the background. */
    ck_assert(RQT_UNTIL(strays() >= 5, 5000));
    rqt_fleet_kill(runner_of(&ref));
    rqt_expect(&ref, "complete", RECOVER_MS);
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 2);
    ck_assert_int_eq(rqt_number(&ref, "deaths"), 1);
    ck_assert_int_eq(rqt_number(&ref, "failures"), 0);
    ck_assert_int_eq(rqt_meta("complete"), 1);
    ck_assert_int_eq(said("start"), 2);
    ck_assert_int_eq(said("end"), 1);
    ck_assert(RQT_UNTIL(strays() == 0, 2000));
}
END_TEST

START_TEST(a_killed_worker_leaves_no_process_behind)
{
    (void)rqt_fleet_add(config(), one_slot);
    refq_ref ref = rqt_submit((refq_spec){.task = "orphans"});
    ck_assert(RQT_UNTIL(strays() >= 5, 5000));
    rqt_fleet_kill(runner_of(&ref));
    /* Nobody is left to notice the lease, yet the programs end. */
    ck_assert(RQT_UNTIL(strays() == 0, 5000));
    (void)rqt_fleet_add(config(), one_slot);
    rqt_expect(&ref, "complete", RECOVER_MS);
    ck_assert_int_eq(rqt_number(&ref, "deaths"), 1);
}
END_TEST

START_TEST(a_fleet_under_fire_loses_nothing)
{
    enum { N = 60, KILLS = 6 };
    const char *path = config();
    pid_t fleet[3];
    for (int i = 0; i < 3; i++) {
        fleet[i] = rqt_fleet_add(path, few_slots);
    }
    for (int i = 0; i < N; i++) {
        (void)rqt_submit((refq_spec){.task = "nap"});
    }
    for (int k = 0; k < KILLS; k++) {
        int before = said("start");
        ck_assert(RQT_UNTIL(said("start") > before || rqt_meta("pending") == 0, 10000));
        rqt_fleet_kill(fleet[k % 3]);
        fleet[k % 3] = rqt_fleet_add(path, few_slots);
    }
    rqt_expect_idle(40000);
    ck_assert_int_eq(rqt_meta("complete"), N);
    ck_assert_int_ge(said("end"), N);
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
    const char *path = config();
    pid_t broken = rqt_fleet_add(path, calm_few);
    for (int i = 0; i < 10; i++) {
        (void)rqt_submit((refq_spec){.task = "gate", .max_retries = 1});
    }
    expect_said("start", 4, 5000);
    (void)kill(keeper_of(broken), SIGKILL);
    rqt_fleet_expect_end(broken, 70);
    ck_assert_int_eq(rqt_meta("failed"), 0);
    ck_assert_int_eq(rqt_meta("pending"), 10);
    (void)rqt_file("open", "", 0);
    (void)rqt_fleet_add(path, calm_few);
    rqt_expect_idle(20000);
    ck_assert_int_eq(rqt_meta("complete"), 10);
}
END_TEST

START_TEST(a_worker_without_its_keeper_ends_even_when_idle)
{
    pid_t broken = rqt_fleet_add(config(), calm_few);
    (void)kill(keeper_of(broken), SIGKILL);
    rqt_fleet_expect_end(broken, 70);
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:workers"), 0);
}
END_TEST

START_TEST(large_results_held_up_by_a_full_server_arrive_when_it_has_room)
{
    (void)rqt_fleet_add(config(), calm_few);
    refq_ref refs[6];
    rqt_redis_do("CONFIG SET maxmemory-policy noeviction");
    for (int i = 0; i < 6; i++) {
        refs[i] = rqt_submit((refq_spec){.task = "bulk"});
    }
    rqt_redis_do("CONFIG SET maxmemory 1mb");
    expect_said("start", 6, 20000);
    expect_said("end", 6, 20000);
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

/* --- Workers that freeze ---------------------------------------------------------------------- */

START_TEST(a_zombie_commits_nothing)
{
    char before[64];
    const char *path = config();
    pid_t zombie = rqt_fleet_add(path, one_slot);
    refq_ref ref = rqt_submit((refq_spec){.task = "nap"});
    expect_said("start", 1, 5000);
    (void)snprintf(before, sizeof before, "%s", rqt_field(&ref, "worker"));
    pid_t other = rqt_fleet_add(path, one_slot);
    int64_t frozen_at = rqt_now_ms();
    (void)kill(zombie, SIGSTOP);
    rqt_expect(&ref, "complete", RECOVER_MS);
    ck_assert(RQT_UNTIL(rqt_now_ms() - frozen_at >= 3 * LEASE_MS, 3 * LEASE_MS + 100));
    /* The first attempt has ended long ago and waits to be reported. */
    ck_assert_int_eq(said("end"), 2);
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
    ck_assert_int_eq(runner_of(&ref), zombie);
}
END_TEST

START_TEST(a_zombies_late_report_is_stale)
{
    const char *path = config();
    rqt_proxy_start();
    const char *const through_proxy[] = {
        "--lease", RQT_LEASE, "--beat",        RQT_BEAT, "--concurrency", "1", "--grace",
        RQT_GRACE, "--redis", rqt_proxy_url(), NULL};
    pid_t zombie = rqt_fleet_add(path, through_proxy);
    rqt_proxy_aim(RQT_REPORTS, RQT_HOLD_REQUEST, 1, 1);
    refq_ref ref = rqt_submit((refq_spec){.task = "relay"});
    ck_assert(RQT_UNTIL(rqt_proxy_hits() == 1, 5000));
    (void)rqt_fleet_add(path, one_slot);
    (void)kill(zombie, SIGSTOP);
    /* The report of the first attempt arrives while the second one runs. */
    expect_said("start", 2, RECOVER_MS);
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
    const char *path = config();
    pid_t zombie = rqt_fleet_add(path, one_slot);
    refq_ref ref = rqt_submit((refq_spec){.task = "orphans"});
    expect_said("start", 1, 5000);
    (void)rqt_fleet_add(path, one_slot);
    (void)kill(zombie, SIGSTOP);
    rqt_expect(&ref, "complete", RECOVER_MS);
    (void)kill(zombie, SIGTERM);
    (void)kill(zombie, SIGCONT);
    int64_t told_at = rqt_now_ms();
    rqt_fleet_stop(zombie);
    ck_assert_int_lt(rqt_now_ms() - told_at, 5000);
    rqt_wait_workers(RQT_QUEUE, 1);
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 2);
    ck_assert_int_eq(rqt_meta("complete"), 1);
    ck_assert_int_eq(said("end"), 1);
}
END_TEST

START_TEST(a_token_taken_by_a_frozen_worker_is_not_missed)
{
    const char *path = config();
    pid_t first = rqt_fleet_add(path, one_slot);
    ck_assert(RQT_UNTIL(rqt_redis_int("SCARD refq:{docs}:parked") == 1, 5000));
    (void)rqt_fleet_add(path, one_slot);
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
    const char *path = config();
    pid_t fleet[2] = {rqt_fleet_add(path, one_slot), rqt_fleet_add(path, one_slot)};
    for (int i = 0; i < ROUNDS; i++) {
        rqt_wait_workers(RQT_QUEUE, 2);
        ck_assert(RQT_UNTIL(parked() == 2, 5000));
        pid_t victim = fleet[i % 2];
        (void)kill(victim, SIGKILL);
        refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
        rqt_expect(&ref, "complete", 2000);
        rqt_fleet_kill(victim);
        fleet[i % 2] = rqt_fleet_add(path, one_slot);
    }
}
END_TEST

START_TEST(an_alarm_outlives_the_worker_that_holds_it)
{
    char alarm[128];
    const char *path = config();
    (void)rqt_fleet_add(path, one_slot);
    (void)rqt_fleet_add(path, one_slot);
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

/* --- Cancelling ------------------------------------------------------------------------------- */

static const char *text_of(const refq_ref *ref)
{
    static char text[REFQ_REF_MAX + 1];
    return refq_ref_format(ref, text);
}

START_TEST(cancel_before_it_starts)
{
    /* `refq cancel` needs no worker, nor does one that comes later run the task. */
    refq_ref ready = rqt_submit((refq_spec){.task = "gate"});
    refq_ref later = rqt_submit((refq_spec){.task = "gate", .delay_ms = 300});
    ck_assert_int_eq(RQT_REFQ("cancel", text_of(&ready))->status, 0);
    ck_assert_int_eq(RQT_REFQ("cancel", text_of(&later))->status, 0);
    ck_assert(rqt_is(&ready, "cancelled"));
    ck_assert(rqt_is(&later, "cancelled"));
    ck_assert_int_eq(RQT_REFQ("cancel", text_of(&ready))->status, 0); /* it stays so */
    ck_assert_int_eq(RQT_REFQ("get", text_of(&ready))->status, 1);
    ck_assert_int_eq(RQT_REFQ("watch", text_of(&ready))->status, 1);

    (void)rqt_fleet_add(config(), calm_one);
    refq_ref after = rqt_submit((refq_spec){.task = "echo", .delay_ms = 500});
    rqt_expect(&after, "complete", 5000);
    ck_assert_int_eq(said("start"), 0);
    ck_assert_int_eq(rqt_meta("cancelled"), 2);
    ck_assert_int_eq(rqt_number(&ready, "attempt"), 0);
}
END_TEST

START_TEST(cancel_while_it_runs)
{
    (void)rqt_fleet_add(config(), calm_one);
    refq_ref ref = rqt_submit((refq_spec){.task = "stubborn"});
    expect_said("start", 1, 5000);
    ck_assert(RQT_UNTIL(strays() > 0, 5000));
    ck_assert_int_eq(RQT_REFQ("cancel", text_of(&ref))->status, 0);
    ck_assert(rqt_is(&ref, "cancelled"));
    /* It ignores TERM: gone after the kill grace of a second, and its slot is free again. */
    ck_assert(RQT_UNTIL(strays() == 0, 3000));
    refq_ref next = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&next, "complete", 5000);
    ck_assert(rqt_is(&ref, "cancelled"));
    ck_assert_str_eq(rqt_entry(&ref), "");
    ck_assert_int_eq(RQT_REFQ("get", text_of(&ref))->status, 1);
    ck_assert_int_eq(rqt_meta("cancelled"), 1);
}
END_TEST

START_TEST(cancel_while_it_ends)
{
    /* The worker knows nothing of the cancellation when it reports the result. */
    rqt_proxy_start();
    const char *const through_proxy[] = {"--lease", "20s",           "--beat", RQT_BEAT,
                                         "--redis", rqt_proxy_url(), NULL};
    pid_t worker = rqt_fleet_add(config(), through_proxy);
    rqt_proxy_aim(RQT_REPORTS, RQT_HOLD_REQUEST, 1, 1);
    refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
    ck_assert(RQT_UNTIL(rqt_proxy_hits() == 1, 5000));
    ck_assert_int_eq(RQT_REFQ("cancel", text_of(&ref))->status, 0);
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
    (void)rqt_fleet_add(config(), calm_one);
    refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&ref, "complete", 5000);
    ck_assert_int_eq(RQT_REFQ("cancel", text_of(&ref))->status, 1);
    ck_assert(rqt_is(&ref, "complete"));
    ck_assert_int_eq(RQT_REFQ("get", text_of(&ref))->status, 0);
    ck_assert_int_eq(rqt_meta("cancelled"), 0);
    ck_assert_int_eq(RQT_REFQ("cancel", "docs:00000000000000000000000000000000")->status, 66);
}
END_TEST

START_TEST(a_delayed_task_cancelled_after_its_promotion_never_runs)
{
    refq_error err;
    refq_spec specs[2];
    refq_submitted done[2];
    (void)rqt_fleet_add(config(), calm_one);
    for (int i = 0; i < 2; i++) {
        specs[i] = (refq_spec){.struct_size = sizeof specs[i], .task = "gate", .delay_ms = 300};
        ck_assert_int_eq(refq_ref_make(RQT_QUEUE, &specs[i].ref, &err), REFQ_OK);
    }
    ck_assert_int_eq(refq_client_submit_many(rqt_client(), specs, 2, done, &err), REFQ_OK);
    expect_said("start", 1, 5000);
    /* Both came due, one took the only slot, the other lies ready in its lane. */
    bool first_runs = rqt_is(&specs[0].ref, "processing");
    const refq_ref *runs = &specs[first_runs ? 0 : 1].ref;
    const refq_ref *waits = &specs[first_runs ? 1 : 0].ref;
    ck_assert(RQT_UNTIL(rqt_field(waits, "entry")[0] != '\0', 2000));
    ck_assert(rqt_is(waits, "pending"));
    ck_assert_str_eq(rqt_field(waits, "due_at"), "");
    ck_assert_int_eq(RQT_REFQ("cancel", text_of(waits))->status, 0);

    (void)rqt_file("open", "", 0);
    rqt_expect(runs, "complete", 5000);
    refq_ref last = rqt_submit((refq_spec){.task = "echo"});
    rqt_expect(&last, "complete", 5000);
    ck_assert(rqt_is(waits, "cancelled"));
    ck_assert_int_eq(rqt_number(waits, "attempt"), 0);
    ck_assert(!said_by("start", waits));
    ck_assert_int_eq(said("start"), 1);
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
    enum { LATE_MS = 1500, CLOCKS_MS = 5 };
    long long starts[5];
    (void)rqt_fleet_add(config(), calm_one);
    refq_ref ref = rqt_submit((refq_spec){.task = "fail"});
    rqt_expect(&ref, "failed", 20000);
    ck_assert_str_eq(rqt_field(&ref, "reason"), "exhausted");
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 5);
    ck_assert_int_eq(rqt_number(&ref, "failures"), 5);
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{docs}:history:%s", ref.hex), 5);

    const char *side = rqt_read(in_dir("side"));
    for (int i = 0; i < 5; i++) {
        char *end = NULL;
        starts[i] = strtoll(side, &end, 10);
        side = end;
    }
    for (int i = 0; i < 4; i++) {
        long long failed = failed_at(&ref, 4 - i);
        long long waited = starts[i + 1] - failed;
        ck_assert_msg(starts[i] <= failed + CLOCKS_MS, "attempt %d failed before it began", i + 1);
        ck_assert_msg(waited >= delays[i] - CLOCKS_MS && waited <= delays[i] + LATE_MS,
                      "attempt %d began %lld ms after the failure before, not %lld", i + 2, waited,
                      delays[i]);
    }
}
END_TEST

/* --- Stopping --------------------------------------------------------------------------------- */

START_TEST(a_worker_told_to_stop_loses_none_of_its_tasks)
{
    enum { LONG = 40, SHORT = 10 };
    refq_ref refs[LONG];
    pid_t first = rqt_fleet_add(config(), calm_many);
    for (int i = 0; i < LONG; i++) {
        refs[i] = rqt_submit((refq_spec){.task = "long"});
    }
    for (int i = 0; i < SHORT; i++) {
        (void)rqt_submit((refq_spec){.task = "gate"});
    }
    expect_said("start", LONG + SHORT, 20000);
    ck_assert_int_eq(rqt_meta("processing"), LONG + SHORT);
    (void)rqt_file("open", "", 0); /* these end within the grace */
    rqt_fleet_stop(first);
    ck_assert_int_eq(rqt_meta("complete"), SHORT);
    ck_assert_int_eq(rqt_meta("pending"), LONG);
    ck_assert_int_eq(rqt_meta("processing"), 0);
    ck_assert_int_eq(strays(), 0);
    for (int i = 0; i < LONG; i++) {
        ck_assert(rqt_is(&refs[i], "pending"));
        ck_assert_int_eq(rqt_number(&refs[i], "releases"), 1);
        ck_assert_int_eq(rqt_number(&refs[i], "failures"), 0);
        ck_assert_int_eq(rqt_number(&refs[i], "deaths"), 0);
    }
    rqt_audit(RQT_QUEUE);

    (void)rqt_fleet_add(config(), calm_many);
    rqt_expect_idle(20000);
    ck_assert_int_eq(rqt_meta("complete"), LONG + SHORT);
    ck_assert_int_eq(said("end"), LONG + SHORT);
}
END_TEST

/* --- The server ------------------------------------------------------------------------------- */

START_TEST(the_library_may_vanish_under_load)
{
    enum { N = 200 };
    const char *path = config();
    (void)rqt_fleet_add(path, calm_few);
    (void)rqt_fleet_add(path, calm_few);
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
    const char *path = config();
    (void)rqt_fleet_add(path, few_slots);
    (void)rqt_fleet_add(path, few_slots);
    refq_ref lost = rqt_submit((refq_spec){.task = "orphans"});
    ck_assert(RQT_UNTIL(strays() >= 5, 5000));
    rqt_redis_restart(SIGKILL);
    rqt_wait_workers(RQT_QUEUE, 2);
    ck_assert_int_eq(RQT_REFQ("status", text_of(&lost))->status, 66);
    ck_assert_int_eq(RQT_REFQ("get", text_of(&lost))->status, 66);
    /* What the lost task had started is stopped: its result could not be told to anybody. */
    ck_assert(RQT_UNTIL(strays() == 0, 5000));
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
    const char *path = config();
    (void)rqt_fleet_add(path, few_slots);
    (void)rqt_fleet_add(path, few_slots);
    refq_ref ends_meanwhile = rqt_submit((refq_spec){.task = "nap"});
    refq_ref ends_later = rqt_submit((refq_spec){.task = "gate"});
    expect_said("start", 2, 5000);
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
    ck_assert_int_eq(said("start"), 2);
}
END_TEST

static void add_tests(TCase *c)
{
    tcase_add_test(c, a_killed_workers_task_is_recovered);
    tcase_add_test(c, a_killed_worker_leaves_no_process_behind);
    tcase_add_test(c, a_fleet_under_fire_loses_nothing);
    tcase_add_test(c, a_worker_without_its_keeper_gives_its_tasks_back);
    tcase_add_test(c, a_worker_without_its_keeper_ends_even_when_idle);
    tcase_add_test(c, large_results_held_up_by_a_full_server_arrive_when_it_has_room);
    tcase_add_test(c, a_zombie_commits_nothing);
    tcase_add_test(c, a_zombies_late_report_is_stale);
    tcase_add_test(c, a_zombie_told_to_stop_just_ends);
    tcase_add_test(c, a_token_taken_by_a_frozen_worker_is_not_missed);
    tcase_add_test(c, a_parked_worker_killed_does_not_swallow_a_wakeup);
    tcase_add_test(c, an_alarm_outlives_the_worker_that_holds_it);
    tcase_add_test(c, cancel_before_it_starts);
    tcase_add_test(c, cancel_while_it_runs);
    tcase_add_test(c, cancel_while_it_ends);
    tcase_add_test(c, cancel_after_it_is_complete);
    tcase_add_test(c, a_delayed_task_cancelled_after_its_promotion_never_runs);
    tcase_add_test(c, retries_follow_the_backoff);
    tcase_add_test(c, a_worker_told_to_stop_loses_none_of_its_tasks);
    tcase_add_test(c, the_library_may_vanish_under_load);
    tcase_add_test(c, a_server_that_forgot_everything_is_served_again);
    tcase_add_test(c, a_server_away_for_three_leases_costs_no_task);
}

int main(void)
{
    TCase *c = tcase_create("faults");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    add_tests(c);
    Suite *s = suite_create("st_faults");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
