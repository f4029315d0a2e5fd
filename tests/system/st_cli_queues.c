/* SPDX-License-Identifier: MIT */
/*
 * The commands that look at queues and steer them: queues, stats, pause, resume, limit, workers and
 * their orders, events.
 */
#include "support/cli.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char tasks_yaml[] = "queue: docs\n"
                                 "tasks:\n"
                                 "  - {name: echo, exec: [cat]}\n"
                                 "  - {name: asks, input: none, output: text, exec: [./ask.sh]}\n";

static const char ask_sh[] = "#!/bin/sh\n"
                             "echo '{\"ask\":\"Which page?\"}' >&3\n"
                             "read -r line <&3\n"
                             "echo \"$line\"\n";

static const char *const quick[] = {"--lease", RQT_LEASE, "--beat", RQT_BEAT,
                                    "--grace", "2s",      NULL};

static pid_t worker;

static void setup(void)
{
    (void)setenv("REFQ_QUEUE", "docs", 1);
    rqt_redis_clean();
    (void)rqt_file("ask.sh", ask_sh, 1);
    worker = rqt_fleet_add(rqt_file("tasks.yaml", tasks_yaml, 0), quick);
}

static void teardown(void)
{
    rqt_fleet_end();
    rqt_client_end();
    rqt_audit("docs");
}

static json_int_t number(const json_t *object, const char *name)
{
    ck_assert_msg(json_is_integer(json_object_get(object, name)), "no number %s", name);
    return json_integer_value(json_object_get(object, name));
}

/* --- Numbers ---------------------------------------------------------------------------------- */

START_TEST(queues_and_stats_count)
{
    rqt_expect_out(RQT_REFQ("submit", "echo", "--wait=20s"), "{}");
    (void)RQT_REFQ("submit", "echo", "--delay", "1h");
    rqt_expect_out(RQT_REFQ("queues"), "docs   open         1");
    json_t *json = rqt_json(RQT_REFQ("queues", "-o", "json"));
    ck_assert_uint_eq(json_array_size(json), 1);
    ck_assert_int_eq(number(json_array_get(json, 0), "pending"), 1);
    json_decref(json);
    rqt_expect_out(RQT_REFQ("stats"), "complete    1\n");
    json = rqt_json(RQT_REFQ("stats", "-o", "json"));
    ck_assert_int_eq(number(json, "submitted"), 2);
    ck_assert_int_eq(number(json, "complete"), 1);
    ck_assert_int_eq(number(json, "delayed"), 1);
    ck_assert_int_eq(number(json, "workers"), 1);
    ck_assert(json_is_false(json_object_get(json, "paused")));
    json_decref(json);
}
END_TEST

START_TEST(no_queue_is_told)
{
    rqt_fleet_end();
    rqt_redis_clean();
    rqt_expect_err(RQT_REFQ("queues"), 0, "there is no queue yet");
    ck_assert_str_eq(RQT_REFQ("queues", "-o", "json")->out, "[]\n");
}
END_TEST

/* Starts `refq` in the background with its output in a file. */
static pid_t start_refq(const char *const *args, const char *out)
{
    const char *argv[16] = {RQT_REFQ_PATH, "--redis", rqt_redis_url()};
    for (size_t i = 0; args[i] != NULL && i < 12; i++) {
        argv[i + 3] = args[i];
    }
    rqt_spawn_options options = {.argv = argv, .out_path = out, .err_path = out};
    return rqt_spawn(&options);
}

static int lines_in(const char *path)
{
    int n = 0;
    for (const char *at = rqt_read(path); (at = strchr(at, '\n')) != NULL; at++) {
        n++;
    }
    return n;
}

START_TEST(stats_watch_looks_again)
{
    static const char *const args[] = {"stats", "--watch=0.1", "-o", "json", NULL};
    const char *out = rqt_file("watch.out", "", 0);
    pid_t pid = start_refq(args, out);
    ck_assert_msg(RQT_UNTIL(lines_in(out) >= 3, 10000), "%s", rqt_read(out));
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert_int_eq(rqt_reap(pid, 5000), 128 + SIGINT);
}
END_TEST

START_TEST(stats_are_coloured_on_a_terminal)
{
    static const char *const args[] = {"stats", NULL};
    const rqt_result *r = rqt_refq_on_terminal(args, "");
    ck_assert_msg(r->status == 0 && strstr(r->out, "\x1b[1mqueue") != NULL, "%s", r->out);
}
END_TEST

/* --- Steering --------------------------------------------------------------------------------- */

START_TEST(a_paused_queue_hands_out_nothing)
{
    rqt_expect_out(RQT_REFQ("pause"), "docs  paused");
    rqt_expect_out(RQT_REFQ("queues"), "paused");
    rqt_expect_err(RQT_REFQ("submit", "echo", "--wait=300ms"), EX_TEMPFAIL, "is pending");
    rqt_expect_err(RQT_REFQ("list"), 0, "queue docs is paused");
    rqt_expect_out(RQT_REFQ("resume", "-o", "json"), "{\"queue\":\"docs\",\"paused\":false}");
    rqt_expect_idle(20000);
}
END_TEST

START_TEST(a_limit_refuses_more)
{
    rqt_expect_out(RQT_REFQ("limit", "--max-pending", "1"), "docs  max_pending  1");
    (void)RQT_REFQ("submit", "echo", "--delay", "1h");
    rqt_expect_err(RQT_REFQ("submit", "echo"), EX_TEMPFAIL, "full");
    rqt_expect_out(RQT_REFQ("limit", "--max-pending", "0", "--events", "50", "-o", "json"),
                   "{\"queue\":\"docs\",\"max_pending\":0,\"events\":50}");
    rqt_expect_out(RQT_REFQ("submit", "echo", "--wait=20s"), "{}");
}
END_TEST

/* --- Workers ---------------------------------------------------------------------------------- */

static bool state_is(const char *state)
{
    json_t *json = rqt_json(RQT_REFQ("workers", "-o", "json"));
    const char *is = json_string_value(json_object_get(json_array_get(json, 0), "state"));
    bool same = is != NULL && strcmp(is, state) == 0;
    json_decref(json);
    return same;
}

static const char *worker_id(void)
{
    static char id[40];
    json_t *json = rqt_json(RQT_REFQ("workers", "-o", "json"));
    (void)snprintf(id, sizeof id, "%s",
                   json_string_value(json_object_get(json_array_get(json, 0), "id")));
    json_decref(json);
    return id;
}

START_TEST(a_worker_is_told_by_the_start_of_its_id)
{
    char some[7] = "";
    (void)snprintf(some, sizeof some, "%.6s", worker_id());
    rqt_expect_out(RQT_REFQ("workers", "quiet", some), "quiet");
    ck_assert_msg(RQT_UNTIL(state_is("quiet"), 10000), "%s", RQT_REFQ("workers")->out);
    rqt_expect_out(RQT_REFQ("workers", "resume", "--all", "-o", "json"), "\"order\":\"resume\"");
    ck_assert_msg(RQT_UNTIL(state_is("running"), 10000), "%s", RQT_REFQ("workers")->out);
    rqt_expect_out(RQT_REFQ("workers", "drain", "-q", "docs", some), "drain");
    rqt_fleet_expect_end(worker, 0);
}
END_TEST

/* --- Events ----------------------------------------------------------------------------------- */

START_TEST(events_are_read_from_any_place)
{
    const char *ref = rqt_word(RQT_REFQ("submit", "echo"));
    rqt_expect_idle(20000);
    rqt_expect_out(RQT_REFQ("events"), ref);
    json_t *first = rqt_json(RQT_REFQ("events", "-n", "1", "-o", "json"));
    char id[64];
    (void)snprintf(id, sizeof id, "%s", json_string_value(json_object_get(first, "id")));
    ck_assert_str_eq(json_string_value(json_object_get(first, "status")), "pending");
    json_decref(first);
    const rqt_result *r = RQT_REFQ("events", "--after", id);
    rqt_expect_out(r, "complete");
    ck_assert_ptr_null(strstr(r->out, "pending"));
    ck_assert_str_eq(RQT_REFQ("events", "--after", "$")->out, "");
}
END_TEST

START_TEST(events_are_followed)
{
    static const char *const args[] = {"events", "--follow", "--after", "$", "-n", "3", NULL};
    const char *out = rqt_file("events.out", "", 0);
    pid_t pid = start_refq(args, out);
    /* What happens before it has asked for the end of the log is not its business. */
    ck_assert(RQT_UNTIL(RQT_REFQ("submit", "echo", "--wait=20s")->status != 0 || lines_in(out) == 3,
                        20000));
    ck_assert_int_eq(rqt_reap(pid, 5000), 0);
    ck_assert_ptr_nonnull(strstr(rqt_read(out), "complete"));
}
END_TEST

/* --- Wrong calls ------------------------------------------------------------------------------ */

static const rqt_call wrong[] = {
    {{"queues", "docs"}, EX_USAGE, "one operand too many"},
    {{"stats", "-q", "dosc"}, EX_NOINPUT, "did you mean 'docs'"},
    {{"stats", "-q", "nothing_like_it"}, EX_NOINPUT, "refq queues lists them"},
    {{"stats", "-q", "1st"}, EX_USAGE, "1st"},
    {{"stats", "--watch=x"}, EX_USAGE, "is not a duration"},
    {{"stats", "--watch=0.01"}, EX_USAGE, "less than the 100ms"},
    {{"pause", "-q", "dosc"}, EX_NOINPUT, "did you mean 'docs'"},
    {{"resume", "-q", "dosc"}, EX_NOINPUT, "did you mean 'docs'"},
    {{"limit"}, EX_USAGE, "give --max-pending"},
    {{"limit", "--max-pending", "-1"}, EX_USAGE, "--max-pending"},
    {{"limit", "--max-pending", "many"}, EX_USAGE, "--max-pending"},
    {{"limit", "-q", "dosc", "--events", "1"}, EX_NOINPUT, "did you mean 'docs'"},
    {{"workers", "quiet"}, EX_USAGE, "the id of one worker, or --all"},
    {{"workers", "quiet", "--all", "ab"}, EX_USAGE, "the id of one worker, or --all"},
    {{"workers", "drain", "NOHEX"}, EX_USAGE, "is not a worker's id"},
    {{"workers", "drain", "0123456789abcdef0123456789abcdef"}, EX_NOINPUT, "no live worker"},
    {{"workers", "list"}, EX_USAGE, "one operand too many"},
    {{"events", "-q", "dosc"}, EX_NOINPUT, "did you mean 'docs'"},
    {{"events", "-n", "0"}, EX_USAGE, "--limit"},
    {{"answer", "docs:0123456789abcdef0123456789abcdef"}, EX_USAGE, "is missing"},
    {{"answer", "docs:0123456789abcdef0123456789abcdef", "yes"}, EX_DATAERR, "a text needs quotes"},
    {{"answer", "docs:0123456789abcdef0123456789abcdef", "@/nonexistent"},
     EX_NOINPUT,
     "cannot open"},
    {{"answer", "docs:0123456789abcdef0123456789abcdef", "1"}, EX_NOINPUT, "task docs:"},
    {{"answer", "x", "1"}, EX_USAGE, "x"},
};

START_TEST(wrong_calls_are_refused)
{
    rqt_calls(wrong, N_OF(wrong));
}
END_TEST

START_TEST(a_task_that_does_not_ask_cannot_be_answered)
{
    const char *ref = rqt_word(RQT_REFQ("submit", "echo", "--delay", "1h"));
    rqt_expect_err(RQT_REFQ("answer", ref, "true"), 1, "");
}
END_TEST

static bool shows(const char *ref, const char *text)
{
    return strstr(RQT_REFQ("show", ref)->out, text) != NULL;
}

START_TEST(a_question_is_shown_and_answered)
{
    char ref[128];
    (void)snprintf(ref, sizeof ref, "%s", rqt_word(RQT_REFQ("submit", "asks")));
    ck_assert_msg(RQT_UNTIL(shows(ref, "asks a question"), 20000), "%s",
                  RQT_REFQ("show", ref)->out);
    rqt_expect_out(RQT_REFQ("show", ref), "Which page?");
    rqt_expect_out(RQT_REFQ("answer", ref, "\"the third\""), "answered");
    ck_assert_int_eq(RQT_REFQ("watch", ref, "-t", "20s")->status, 0);
    rqt_expect_out(RQT_REFQ("get", ref), "the third");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_cli_queues");
    TCase *c = tcase_create("queues");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, queues_and_stats_count);
    tcase_add_test(c, no_queue_is_told);
    tcase_add_test(c, stats_watch_looks_again);
    tcase_add_test(c, stats_are_coloured_on_a_terminal);
    tcase_add_test(c, a_paused_queue_hands_out_nothing);
    tcase_add_test(c, a_limit_refuses_more);
    tcase_add_test(c, a_worker_is_told_by_the_start_of_its_id);
    tcase_add_test(c, events_are_read_from_any_place);
    tcase_add_test(c, events_are_followed);
    tcase_add_test(c, wrong_calls_are_refused);
    tcase_add_test(c, a_question_is_shown_and_answered);
    tcase_add_test(c, a_task_that_does_not_ask_cannot_be_answered);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
