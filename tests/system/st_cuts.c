/* SPDX-License-Identifier: MIT */
/*
 * Connections that break at the worst moment: while a claim, a report, a submission or a question
 * about inputs is under way, before the server has seen it or after it has run it. Hundreds of
 * times each; whatever is lost, every task is completed exactly once, and none has to wait for a
 * lease to run out.
 */
#include "base/buf.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/proc.h"
#include "support/proxy.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CUTS = RQT_SANITIZED ? 60 : 200,
    INPUT_CUTS = CUTS / 10, /* after each there is a pause of a second */
    WORKERS = 4,
    TASKS_MAX = 8000,
    UNDER_WAY = 12,
    TIME_MS = 60000
};
enum { MEDIUM = 6000, LARGE = 70000 }; /* bytes: more than a claim carries, more than a report */

static const char tasks_yaml[] = "queue: docs\n"
                                 "tasks:\n"
                                 "  - {name: echo, exec: [cat]}\n";

static refq_ref refs[TASKS_MAX];
static int submitted;

static void start_workers(const char *url)
{
    /* A lease far longer than the test: nothing is mended by waiting for it. */
    const char *const options[] = {"--lease", "120s",    "--beat", "500ms", "--concurrency",
                                   "2",       "--redis", url,      NULL};
    const char *path = rqt_file("tasks.yaml", tasks_yaml, 0);
    for (int i = 0; i < WORKERS; i++) {
        (void)rqt_fleet_add(path, options);
    }
}

static void setup(void)
{
    rqt_redis_start(NULL);
    rqt_proxy_start();
    submitted = 0;
}

static void expect_all_complete_once(void)
{
    rqt_expect_idle(30000);
    ck_assert_int_eq(rqt_meta("complete"), submitted);
    ck_assert_int_eq(rqt_meta("failed"), 0);
    for (int i = 0; i < submitted; i++) {
        ck_assert(rqt_is(&refs[i], "complete"));
        ck_assert_int_eq(rqt_number(&refs[i], "failures"), 0);
        ck_assert_int_eq(rqt_number(&refs[i], "deaths"), 0);
        ck_assert_int_eq(strncmp(rqt_entry(&refs[i]), "{\"value\": {", 11), 0);
    }
    ck_assert_int_eq(rqt_fleet_said("event=reaped"), 0);
    rqt_audit(RQT_QUEUE);
}

static void teardown(void)
{
    rqt_audit(RQT_QUEUE);
    rqt_fleet_end();
    rqt_audit(RQT_QUEUE);
    rqt_client_end();
    rqt_proxy_stop();
    rqt_redis_stop();
}

/* Some arguments are fetched in a call of their own, some results are stored before they are
 * reported: there is more than one call to be cut between. */
static void submit_one(void)
{
    static char args[LARGE + 32];
    int pad = submitted % 50 == 17 ? LARGE : submitted % 5 == 3 ? MEDIUM : 0;
    ck_assert_int_lt(submitted, TASKS_MAX);
    int at = snprintf(args, sizeof args, "{\"pad\":\"");
    memset(args + at, 'x', (size_t)pad);
    (void)snprintf(args + at + pad, sizeof args - (size_t)(at + pad), "\"}");
    refs[submitted++] = rqt_submit((refq_spec){.task = "echo", .args = args});
}

/* Keeps some work under way, but lets the workers run dry now and then: then they claim. */
static void feed(void)
{
    if (rqt_meta("pending") + rqt_meta("processing") == 0) {
        for (int i = 0; i < UNDER_WAY; i++) {
            submit_one();
        }
    }
    rqt_nap();
}

static void break_calls(rqt_aim aim, rqt_fault fault)
{
    start_workers(rqt_proxy_url());
    rqt_proxy_aim(aim, fault, 2, CUTS);
    int64_t end = rqt_now_ms() + TIME_MS;
    while (rqt_proxy_hits() < CUTS && rqt_now_ms() < end) {
        feed();
    }
    ck_assert_int_eq(rqt_proxy_hits(), CUTS);
    expect_all_complete_once();
}

START_TEST(claims_that_never_arrive)
{
    break_calls(RQT_CLAIMS, RQT_LOSE_REQUEST);
}
END_TEST

START_TEST(claims_whose_reply_is_lost)
{
    break_calls(RQT_CLAIMS, RQT_LOSE_REPLY);
    ck_assert_int_gt(rqt_fleet_said("event=given_back"), 0);
}
END_TEST

START_TEST(reports_that_never_arrive)
{
    break_calls(RQT_REPORTS, RQT_LOSE_REQUEST);
}
END_TEST

START_TEST(reports_whose_reply_is_lost)
{
    break_calls(RQT_REPORTS, RQT_LOSE_REPLY);
    ck_assert_int_gt(rqt_fleet_said("answer=yours"), 0);
}
END_TEST

/* --- Submissions ------------------------------------------------------------------------------ */

static void break_submissions(rqt_fault fault)
{
    refq_error err;
    refq_client *client = NULL;
    refq_redis_options o = {.struct_size = sizeof o, .url = rqt_proxy_url()};
    start_workers(rqt_redis_url());
    ck_assert_int_eq(refq_client_open(&o, &client, &err), REFQ_OK);
    rqt_proxy_aim(RQT_SUBMITS, fault, 2, CUTS);
    while (rqt_proxy_hits() < CUTS && submitted < TASKS_MAX) {
        refq_submitted done;
        refq_spec spec = {.struct_size = sizeof spec, .task = "echo", .args = "{\"n\":1}"};
        ck_assert_int_eq(refq_ref_make(RQT_QUEUE, &spec.ref, &err), REFQ_OK);
        ck_assert_msg(refq_client_submit(client, &spec, &done, &err) == REFQ_OK, "%s", err.text);
        refs[submitted++] = done.ref;
    }
    refq_client_close(client);
    expect_all_complete_once();
}

START_TEST(submissions_that_never_arrive)
{
    break_submissions(RQT_LOSE_REQUEST);
}
END_TEST

START_TEST(submissions_whose_reply_is_lost)
{
    break_submissions(RQT_LOSE_REPLY);
}
END_TEST

/* --- Inputs ----------------------------------------------------------------------------------- */

#define INPUT_REF "docs:00000000000000aa"

static void keep_input(const char *value, size_t len)
{
    rqi_buf text = {0};
    rqi_buf_adds(&text, "{\"value\": ");
    rqi_buf_add(&text, value, len);
    rqi_buf_adds(&text, ", \"namespace\": \"public\", \"policy\": {}, \"created_at\": 1.5, "
                        "\"expires_at\": null}");
    rqt_redis_do("SET mcp-refcache:entry:" INPUT_REF " %b", rqi_buf_str(&text), text.len);
    rqi_buf_done(&text);
}

static refq_ref submit_with_input(void)
{
    static const refq_scope scope = {.struct_size = sizeof scope, .actor = "agent:*"};
    return rqt_submit(
        (refq_spec){.task = "echo", .args = "{\"in\":[\"" INPUT_REF "\"]}", .scope = &scope});
}

static void break_inputs(rqt_fault fault)
{
    keep_input("{\"a\": 1}", 8);
    start_workers(rqt_proxy_url());
    rqt_proxy_aim(RQT_INPUTS, fault, 3, INPUT_CUTS);
    int64_t end = rqt_now_ms() + TIME_MS;
    while (rqt_proxy_hits() < INPUT_CUTS && rqt_now_ms() < end) {
        if (rqt_meta("pending") + rqt_meta("processing") < UNDER_WAY) {
            ck_assert_int_lt(submitted, TASKS_MAX);
            refs[submitted++] = submit_with_input();
        }
        rqt_nap();
    }
    ck_assert_int_eq(rqt_proxy_hits(), INPUT_CUTS);
    expect_all_complete_once();
    for (int i = 0; i < submitted; i++) {
        ck_assert_ptr_nonnull(strstr(rqt_entry(&refs[i]), "\"in\":[{\"a\":1}]"));
    }
}

START_TEST(questions_about_inputs_that_never_arrive)
{
    break_inputs(RQT_LOSE_REQUEST);
}
END_TEST

START_TEST(inputs_that_are_lost)
{
    break_inputs(RQT_LOSE_REPLY);
}
END_TEST

/* Five seconds without an answer are the end of a connection, but not while a large value comes. */
START_TEST(a_large_input_may_take_its_time)
{
    enum { SIZE = 4 << 20, SLOW_MS = 6500 };
    char *value = malloc(SIZE);
    ck_assert_ptr_nonnull(value);
    memset(value, '1', SIZE);
    value[0] = value[SIZE - 1] = '"';
    keep_input(value, SIZE);
    free(value);
    start_workers(rqt_proxy_url());
    rqt_proxy_aim(RQT_INPUTS, RQT_HOLD_REQUEST, 2, 1); /* the first asks for its size */
    refs[submitted++] = submit_with_input();
    ck_assert(RQT_UNTIL(rqt_proxy_hits() == 1, 10000));
    (void)RQT_STAYS(rqt_number(&refs[0], "attempt") == 1, SLOW_MS);
    rqt_proxy_let_go();
    expect_all_complete_once();
    ck_assert_int_eq(rqt_number(&refs[0], "attempt"), 1);
    ck_assert_int_eq(rqt_redis_calls("strlen"), 1); /* it was not asked for again */
}
END_TEST

START_TEST(a_worker_that_waits_for_inputs_may_be_told_to_stop)
{
    keep_input("{\"a\": 1}", 8);
    start_workers(rqt_proxy_url());
    rqt_proxy_aim(RQT_INPUTS, RQT_HOLD_REQUEST, 1, 1);
    refs[submitted++] = submit_with_input();
    ck_assert(RQT_UNTIL(rqt_proxy_hits() == 1, 10000));
    rqt_fleet_stop(rqt_fleet_pid(rqt_field(&refs[0], "worker")));
    rqt_proxy_let_go();
    expect_all_complete_once();
}
END_TEST

/* --- CLIENT KILL ------------------------------------------------------------------------------ */

/* The id of some worker's main connection whose last command was a call, 0 when there is none. The
 * search starts at another client each time. */
static long long pick_victim(const char *clients, int skip)
{
    long long found = 0;
    for (const char *line = clients; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
        if (memmem(line, len, "name=refq-worker ", 17) != NULL &&
            memmem(line, len, "cmd=fcall", 9) != NULL) {
            found = strtoll(line + strlen("id="), NULL, 10);
            if (skip-- <= 0) {
                return found;
            }
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return found;
}

START_TEST(connections_killed_by_the_server)
{
    int kills = 0;
    start_workers(rqt_redis_url());
    int64_t end = rqt_now_ms() + TIME_MS;
    while (kills < 2 * CUTS && rqt_now_ms() < end) {
        feed();
        long long id = pick_victim(rqt_redis_str("CLIENT LIST"), kills % WORKERS);
        kills += id != 0 && rqt_redis_int("CLIENT KILL ID %lld", id) == 1;
    }
    ck_assert_int_eq(kills, 2 * CUTS);
    expect_all_complete_once();
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("cuts");
    tcase_set_timeout(c, 100);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, claims_that_never_arrive);
    tcase_add_test(c, claims_whose_reply_is_lost);
    tcase_add_test(c, reports_that_never_arrive);
    tcase_add_test(c, reports_whose_reply_is_lost);
    tcase_add_test(c, submissions_that_never_arrive);
    tcase_add_test(c, submissions_whose_reply_is_lost);
    tcase_add_test(c, questions_about_inputs_that_never_arrive);
    tcase_add_test(c, inputs_that_are_lost);
    tcase_add_test(c, a_large_input_may_take_its_time);
    tcase_add_test(c, a_worker_that_waits_for_inputs_may_be_told_to_stop);
    tcase_add_test(c, connections_killed_by_the_server);
    Suite *s = suite_create("st_cuts");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
