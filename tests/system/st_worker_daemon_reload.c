/* SPDX-License-Identifier: MIT */
/* Signals to a running refq-worker: read the task files again, claim nothing, claim again. */
#include "support/cli.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char old_yaml[] = "queue: docs\n"
                               "tasks:\n"
                               "  - {name: say, input: none, output: text, exec: [echo, old]}\n"
                               "  - {name: slow, input: none, output: text, exec: [sh, -c, "
                               "'>begun; until [ -e gate ]; do sleep 0.01; done; echo old']}\n";
static const char new_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: say, input: none, output: text, exec: [echo, new]}\n"
    "  - {name: added, input: none, output: text, exec: [echo, added]}\n";

static char path[256];
static pid_t worker;

static const char *in_dir(const char *name)
{
    static char text[256];
    (void)snprintf(text, sizeof text, "%s/%s", rqt_redis_dir(), name);
    return text;
}

static void setup(void)
{
    rqt_redis_clean();
    (void)unlink(in_dir("begun"));
    (void)unlink(in_dir("gate"));
    (void)snprintf(path, sizeof path, "%s", rqt_file("reload.yaml", old_yaml, 0));
}

static void teardown(void)
{
    ck_assert_int_eq(rqt_worker_stop(worker), 0);
    rqt_audit(RQT_QUEUE);
    rqt_client_end();
}

static bool said(const char *text)
{
    return strstr(rqt_worker_log(worker), text) != NULL;
}

static int times_said(const char *text)
{
    int n = 0;
    for (const char *at = rqt_worker_log(worker); (at = strstr(at, text)) != NULL; at++) {
        n++;
    }
    return n;
}

static void expect_said(const char *text)
{
    ck_assert_msg(RQT_UNTIL(said(text), 10000), "no \"%s\" in %s", text, rqt_worker_log(worker));
}

static void start(const char *const *options)
{
    worker = rqt_worker(path, options);
    expect_said("event=started");
}

static void reload(const char *text)
{
    (void)rqt_file("reload.yaml", text, 0);
    ck_assert_int_eq(kill(worker, SIGHUP), 0);
}

static void expect_result(const char *task, const char *result)
{
    refq_ref ref = rqt_submit((refq_spec){.task = task});
    rqt_expect(&ref, "complete", 10000);
    ck_assert_msg(strstr(rqt_entry(&ref), result) != NULL, "%s: %s", task, rqt_entry(&ref));
}

/* Its handler runs: that it is claimed would not be enough, for the reply to the claim may be on
 * its way still, and what is in it is looked up when it comes. */
static refq_ref submit_slow(void)
{
    refq_ref ref = rqt_submit((refq_spec){.task = "slow"});
    ck_assert(RQT_UNTIL(access(in_dir("begun"), F_OK) == 0, 10000));
    return ref;
}

START_TEST(a_reload_changes_the_next_attempts_only)
{
    start(NULL);
    expect_result("say", "\"old");
    refq_ref running = submit_slow();
    reload(new_yaml);
    expect_said("event=reload_done tasks=2");
    expect_said("event=reloaded queue=docs tasks=2");
    expect_result("say", "\"new");
    expect_result("added", "\"added");
    ck_assert(rqt_is(&running, "processing"));
    (void)rqt_file("gate", "", 0);
    rqt_expect(&running, "complete", 10000);
    ck_assert_ptr_nonnull(strstr(rqt_entry(&running), "\"old"));
    ck_assert_int_eq(rqt_number(&running, "attempt"), 1);
}
END_TEST

static const struct {
    const char *yaml;
    const char *says; /* after the path of the file */
} bad[] = {
    {"queue: docs\ntasks:\n  - {name: say, timout: 5s, exec: [echo]}\n",
     "reload.yaml:3: unknown key 'timout'; did you mean 'timeout'?"},
    {"queue: docs\ntasks:\n  - {name: say,\n     exec: [/nonexistent/program]}\n",
     "reload.yaml:4: exec: cannot find '/nonexistent/program'"},
    {"queue: docs\nplugins:\n  - {path: nothing.so}\n",
     "reload.yaml:3: path: cannot read the plugin 'nothing.so'"},
    {"queue: docs\nplugins:\n  - {path: gate.so}\n", "reload.yaml:3: cannot load the plugin"},
    {"queue: other\ntasks:\n  - {name: say, exec: [echo]}\n",
     "the worker serves 'docs', the file now says 'other'"},
    {"", "the file is empty"},
};

START_TEST(a_bad_file_changes_nothing)
{
    (void)rqt_file("gate.so", "no shared object", 0);
    start(NULL);
    reload(bad[_i].yaml);
    expect_said("event=reload_failed");
    ck_assert_msg(said(bad[_i].says), "%s", rqt_worker_log(worker));
    ck_assert(said("nothing was changed"));
    ck_assert(!said("event=reloaded"));
    expect_result("say", "\"old");
    reload(new_yaml);
    expect_said("event=reload_done");
    expect_result("say", "\"new");
}
END_TEST

START_TEST(a_file_that_has_gone_changes_nothing)
{
    start(NULL);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(kill(worker, SIGHUP), 0);
    expect_said("event=reload_failed");
    expect_result("say", "\"old");
}
END_TEST

START_TEST(all_files_or_none)
{
    char other[256];
    (void)snprintf(
        other, sizeof other, "%s",
        rqt_file("other.yaml", "queue: pics\ntasks:\n  - {name: look, exec: [cat]}\n", 0));
    start((const char *const[]){"--config", other, NULL});
    ck_assert(RQT_UNTIL(times_said("event=started") == 2, 10000));
    rqt_wait_workers("docs", 1);
    rqt_wait_workers("pics", 1);
    (void)rqt_file("other.yaml", "queue: pics\ntasks: 5\n", 0);
    reload(new_yaml);
    expect_said("event=reload_failed");
    ck_assert(said("other.yaml:2"));
    expect_result("say", "\"old");
    (void)rqt_file("other.yaml", "queue: pics\ntasks:\n  - {name: see, exec: [cat]}\n", 0);
    ck_assert_int_eq(kill(worker, SIGHUP), 0);
    expect_said("event=reload_done tasks=3");
    expect_result("say", "\"new");
    ck_assert(RQT_UNTIL(rqt_redis_int("HEXISTS refq:{pics}:catalog see") == 1, 10000));
    rqt_audit("pics");
}
END_TEST

START_TEST(many_requests_at_once_are_all_heard)
{
    start(NULL);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(kill(worker, SIGHUP), 0);
    }
    reload(new_yaml);
    expect_said("event=reload_done");
    ck_assert(RQT_UNTIL(rqt_redis_int("HEXISTS refq:{docs}:catalog added") == 1, 10000));
    expect_result("say", "\"new");
}
END_TEST

START_TEST(a_request_at_start_up_is_not_lost)
{
    worker = rqt_worker(path, NULL);
    expect_said("event=starting"); /* from here on signals are the worker's */
    reload(new_yaml);
    expect_said("event=reload_done");
    expect_result("say", "\"new");
}
END_TEST

static const char *record(const char *field)
{
    static char id[64];
    redisReply *r = rqt_redis("ZRANGE refq:{docs}:workers 0 0");
    (void)snprintf(id, sizeof id, "%s", r->elements > 0 ? r->element[0]->str : "");
    freeReplyObject(r);
    return rqt_redis_str("HGET refq:{docs}:worker:%s %s", id, field);
}

START_TEST(quiet_and_resume)
{
    start((const char *const[]){"--lease", "1s", NULL});
    refq_ref running = submit_slow();
    ck_assert_int_eq(kill(worker, SIGUSR1), 0);
    expect_said("event=quiet");
    ck_assert(RQT_UNTIL(strcmp(record("state"), "quiet") == 0, 10000));
    refq_ref later = rqt_submit((refq_spec){.task = "say"});
    (void)rqt_file("gate", "", 0);
    rqt_expect(&running, "complete", 10000);
    ck_assert(rqt_is(&later, "pending"));
    ck_assert_int_eq(kill(worker, SIGUSR2), 0);
    expect_said("event=resumed");
    rqt_expect(&later, "complete", 10000);
    ck_assert(RQT_UNTIL(strcmp(record("state"), "running") == 0, 10000));
}
END_TEST

/* --- Several files ---------------------------------------------------------------------------- */

START_TEST(files_of_one_queue_are_refused)
{
    char other[256];
    (void)snprintf(other, sizeof other, "%s", rqt_file("same.yaml", old_yaml, 0));
    const rqt_result *r = rqt_run((const char *const[]){RQT_WORKER_PATH, "--config", path,
                                                        "--config", other, "--check", NULL});
    rqt_expect_err(r, EX_CONFIG, "same.yaml: queue 'docs' has a task file already");
}
END_TEST

START_TEST(check_looks_at_all_files)
{
    char other[256];
    (void)snprintf(
        other, sizeof other, "%s",
        rqt_file("pics.yaml", "queue: pics\ntasks:\n  - {name: look, exec: [cat]}\n", 0));
    const rqt_result *r = rqt_run((const char *const[]){RQT_WORKER_PATH, "--config", path,
                                                        "--config", other, "--check", NULL});
    rqt_expect_out(r, "reload.yaml: ok, queue docs, 2 tasks");
    rqt_expect_out(r, "pics.yaml: ok, queue pics, 1 task\n");
}
END_TEST

START_TEST(check_names_what_plugins_bring)
{
    char yaml[1024];
    (void)snprintf(yaml, sizeof yaml,
                   "queue: docs\n"
                   "tasks:\n  - {name: say, timeout: 2s, max_retries: 1, exec: [cat]}\n"
                   "plugins:\n"
                   "  - {path: %s, config: none, tasks: [deaf]}\n"
                   "  - path: %s\n"
                   "    config: none\n"
                   "    run: child\n"
                   "    tasks: [{name: hang, timeout: 5s, max_retries: 0, reuse: result,\n"
                   "             response_format: full, max_size: 50, owner: 'user:{user_id}',\n"
                   "             namespace: 'user:{user_id}', session_scoped: true,\n"
                   "             policy: {agent_permissions: 16}}]\n",
                   RQT_DAEMON_PLUGIN, RQT_DAEMON_PLUGIN);
    const rqt_result *r = rqt_run((const char *const[]){
        RQT_WORKER_PATH, "--config", rqt_file("plugins.yaml", yaml, 0), "--check", NULL});
    rqt_expect_out(r, "plugins.yaml: ok, queue docs, 3 tasks\n"
                      "  say (line 3): cat, 2.0s, 1 retry\n");
    rqt_expect_out(r, "daemon_plugin.so (line 5)\n    deaf: on a thread, no timeout, 3 retries\n");
    rqt_expect_out(
        r, "daemon_plugin.so (line 6)\n    hang: in a child, 5.0s, 0 retries, reuse result, "
           "response_format full, max_size 50, namespace user:{user_id}, owner "
           "user:{user_id}, session_scoped, policy {\"agent_permissions\":16}\n");
}
END_TEST

static void teardown_gate(void)
{
    char gate[256];
    (void)snprintf(gate, sizeof gate, "%s/gate", rqt_redis_dir());
    (void)remove(gate);
}

int main(void)
{
    TCase *c = tcase_create("reload");
    tcase_set_timeout(c, 90);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_checked_fixture(c, teardown_gate, NULL);
    tcase_add_test(c, a_reload_changes_the_next_attempts_only);
    tcase_add_loop_test(c, a_bad_file_changes_nothing, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(c, a_file_that_has_gone_changes_nothing);
    tcase_add_test(c, all_files_or_none);
    tcase_add_test(c, many_requests_at_once_are_all_heard);
    tcase_add_test(c, a_request_at_start_up_is_not_lost);
    tcase_add_test(c, quiet_and_resume);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, setup, NULL);
    tcase_add_test(files, files_of_one_queue_are_refused);
    tcase_add_test(files, check_looks_at_all_files);
    tcase_add_test(files, check_names_what_plugins_bring);
    Suite *s = suite_create("st_worker_daemon_reload");
    suite_add_tcase(s, c);
    suite_add_tcase(s, files);
    return rqt_main_redis(s, NULL);
}
