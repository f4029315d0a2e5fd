/* SPDX-License-Identifier: MIT */
/* submit --from: many tasks from lines of JSON, and how it goes on after it was stopped. */
#include "support/cli.h"
#include "support/main.h"
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

static void setup(void)
{
    (void)setenv("REFQ_QUEUE", "docs", 1);
    rqt_redis_clean();
}

static void teardown(void)
{
    rqt_client_end();
    rqt_audit("docs");
}

/* A file of n lines {"task":"echo","args":{"n":i}}. */
static const char *lines_file(int n)
{
    static char text[200000];
    size_t at = 0;
    for (int i = 1; i <= n; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "{\"task\":\"echo\",\"args\":{\"n\":%d}}\n", i);
    }
    return rqt_file("lines.ndjson", text, 0);
}

static int count_lines(const char *text)
{
    int n = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++) {
        n++;
    }
    return n;
}

START_TEST(each_line_is_a_task)
{
    const rqt_result *r = RQT_REFQ("submit", "--from", lines_file(250));
    ck_assert_msg(r->status == 0, "%s", r->err);
    ck_assert_int_eq(count_lines(r->out), 250);
    ck_assert_int_eq(rqt_meta("pending"), 250);
    rqt_expect_out(RQT_REFQ("show", rqt_word(r)), "\"n\": 1\n");
}
END_TEST

START_TEST(a_line_says_what_options_say)
{
    const char *file = rqt_file("one.ndjson",
                                "{\"task\":\"a\",\"lane\":\"high\",\"delay\":\"1h\",\"key\":\"k\","
                                "\"timeout\":\"5s\",\"max_retries\":0,\"key_ttl\":\"1h\","
                                "\"start_within\":\"2h\",\"traceparent\":\"00-aa-bb-01\"}\n"
                                "\n"
                                "{\"args\":{\"n\":1}}\n",
                                0);
    const rqt_result *r =
        RQT_REFQ("submit", "b", "--lane", "low", "--delay", "2h", "--from", file, "-o", "json");
    ck_assert_msg(r->status == 0, "%s", r->err);
    char second[4096];
    (void)snprintf(second, sizeof second, "%s", strchr(r->out, '\n') + 1);
    json_t *json = json_loads(r->out, JSON_DISABLE_EOF_CHECK, NULL);
    const char *ref = json_string_value(json_object_get(json, "ref_id"));
    r = RQT_REFQ("status", ref, "-o", "json");
    rqt_expect_out(r, "\"lane\":\"high\"");
    rqt_expect_out(r, "\"timeout_ms\":5000");
    rqt_expect_out(r, "\"max_retries\":0");
    rqt_expect_out(r, "\"key\":\"k\"");
    rqt_expect_out(r, "\"start_within\":\"7200000\"");
    rqt_expect_out(r, "\"traceparent\":\"00-aa-bb-01\"");
    long long ttl = rqt_redis_int("TTL refq:{docs}:key:k");
    ck_assert_msg(ttl > 0 && ttl <= 3600, "%lld s", ttl);
    json_decref(json);
    json = json_loads(second, 0, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "line")), 3);
    r = RQT_REFQ("status", json_string_value(json_object_get(json, "ref_id")), "-o", "json");
    rqt_expect_out(r, "\"lane\":\"low\"");
    rqt_expect_out(r, "\"task\":\"b\"");
    json_decref(json);
}
END_TEST

START_TEST(a_mistake_in_a_file_queues_nothing)
{
    static const struct {
        const char *line;
        const char *says;
    } mistakes[] = {
        {"nonsense", ":2: not JSON"},
        {"[1]", ":2: not a JSON object"},
        {"{\"task\":\"x\",\"dealy\":\"5s\"}",
         ":2: unknown member \"dealy\"; did you mean \"delay\""},
        {"{\"task\":\"x\",\"delay\":5}", ":2: \"delay\" must be a text with a unit"},
        {"{\"task\":\"x\",\"delay\":\"5\"}", ":2: \"delay\": '5' needs a unit"},
        {"{\"task\":\"x\",\"args\":[]}", ":2: \"args\" must be an object"},
        {"{\"task\":\"x\",\"lane\":\"fast\"}", ":2: \"lane\" must be"},
        {"{\"task\":\"x\",\"max_retries\":-1}", ":2: \"max_retries\" must be"},
        {"{\"task\":\"x\",\"timeout\":\"-5s\"}", ":2: \"timeout\": '-5s' is negative"},
        {"{\"task\":\"x\",\"start_within\":\"soon\"}",
         ":2: \"start_within\": 'soon' is not a duration"},
        {"{\"task\":\"x\",\"key\":7}", ":2: \"key\" must be a text"},
        {"{\"task\":\"x\",\"key_ttl\":\"1\"}", ":2: \"key_ttl\": '1' needs a unit"},
        {"{\"task\":\"x\",\"traceparent\":\"\"}", ":2: \"traceparent\" must be a text"},
        {"{\"task\":\"a b\"}", ":2: 'a b'"},
        {"{\"task\":\"\"}", ":2: \"task\" must be a text"},
        {"{\"args\":{}}", ":2: \"task\" is missing"},
        {"{\"task\":\"x\",\"task\":\"y\"}", ":2: not JSON"},
    };
    for (size_t i = 0; i < N_OF(mistakes); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "{\"task\":\"x\"}\n%s\n", mistakes[i].line);
        const char *file = rqt_file("bad.ndjson", text, 0);
        rqt_expect_err(RQT_REFQ("submit", "--from", file), EX_DATAERR, mistakes[i].says);
        ck_assert_int_eq(rqt_meta("pending"), 0);
    }
}
END_TEST

START_TEST(a_dry_run_needs_no_server)
{
    const char *file = lines_file(3);
    rqt_expect_out(RQT_REFQ("submit", "--from", file, "--dry-run"), "would submit 3 tasks");
    rqt_expect_out(
        RQT_REFQ("submit", "--from", file, "-n", "-o", "json", "--redis", "unix:///nonexistent"),
        "{\"would_submit\":3}");
    ck_assert_int_eq(rqt_meta("pending"), 0);
}
END_TEST

START_TEST(a_seed_makes_a_repeat_harmless)
{
    const char *file = lines_file(7);
    char first[65536];
    (void)snprintf(first, sizeof first, "%s",
                   RQT_REFQ("submit", "--from", file, "--id-seed", "s")->out);
    ck_assert_str_eq(RQT_REFQ("submit", "--from", file, "--id-seed", "s")->out, first);
    ck_assert_int_eq(rqt_meta("pending"), 7);
    (void)RQT_REFQ("submit", "--from", file, "--id-seed", "t");
    ck_assert_int_eq(rqt_meta("pending"), 14);
}
END_TEST

START_TEST(a_full_queue_stops_it_at_the_very_line)
{
    const char *file = lines_file(10);
    rqt_redis_do("SADD refq:queues docs");
    rqt_expect_out(RQT_REFQ("limit", "--max-pending", "6"), "6");
    const rqt_result *r = RQT_REFQ("submit", "--from", file);
    rqt_expect_err(r, EX_TEMPFAIL, "6 tasks are submitted; --skip 6 goes on");
    ck_assert_int_eq(count_lines(r->out), 6);
    rqt_expect_out(RQT_REFQ("limit", "--max-pending", "0"), "0");
    r = RQT_REFQ("submit", "--from", file, "--skip", "6");
    ck_assert_int_eq(count_lines(r->out), 4);
    ck_assert_int_eq(rqt_meta("pending"), 10);
}
END_TEST

START_TEST(it_waits_for_room_when_told_to)
{
    const char *file = lines_file(10);
    const char *out = rqt_file("bulk.out", "", 0);
    const char *argv[] = {RQT_REFQ_PATH, "--redis", rqt_redis_url(), "submit",
                          "--from",      file,      "--wait-full",   NULL};
    rqt_spawn_options options = {.argv = argv, .out_path = out, .err_path = out};
    rqt_redis_do("HSET refq:{docs}:meta max_pending 6");
    pid_t pid = rqt_spawn(&options);
    ck_assert(RQT_UNTIL(rqt_meta("pending") == 6, 10000));
    ck_assert(RQT_UNTIL(strstr(rqt_read(out), "waiting for room") != NULL, 10000));
    rqt_redis_do("HDEL refq:{docs}:meta max_pending");
    ck_assert_int_eq(rqt_reap(pid, 20000), 0);
    ck_assert_int_eq(rqt_meta("pending"), 10);
}
END_TEST

START_TEST(an_interrupted_run_says_how_to_go_on)
{
    const char *out = rqt_file("bulk.out", "", 0);
    const char *argv[] = {RQT_REFQ_PATH, "--redis",      rqt_redis_url(), "submit",
                          "--from",      lines_file(10), "--wait-full",   NULL};
    rqt_spawn_options options = {.argv = argv, .out_path = out, .err_path = out};
    rqt_redis_do("HSET refq:{docs}:meta max_pending 6");
    pid_t pid = rqt_spawn(&options);
    ck_assert(RQT_UNTIL(strstr(rqt_read(out), "waiting for room") != NULL, 10000));
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert_int_eq(rqt_reap(pid, 20000), EX_TEMPFAIL);
    ck_assert_ptr_nonnull(strstr(rqt_read(out), "6 tasks are submitted; --skip 6 goes on"));
}
END_TEST

START_TEST(lines_may_come_by_a_pipe)
{
    const char *file = rqt_file("pipe.ndjson", "{\"task\":\"x\"}\n{\"task\":\"x\"}\nbad\n", 0);
    const char *argv[] = {"sh", "-c",          "cat \"$0\" | \"$1\" submit --from -",
                          file, RQT_REFQ_PATH, NULL};
    const rqt_result *r = rqt_run(argv);
    rqt_expect_err(r, EX_DATAERR, "standard input:3: not JSON");
    rqt_expect_err(r, EX_DATAERR, "2 tasks are submitted; --skip 2 goes on");
    ck_assert_int_eq(rqt_meta("pending"), 2);
}
END_TEST

START_TEST(a_line_without_bounds_is_refused)
{
    const char *argv[] = {"sh", "-c",
                          "head -c 3000000 /dev/zero | tr '\\0' x | \"$0\" submit --from -",
                          RQT_REFQ_PATH, NULL};
    rqt_expect_err(rqt_run(argv), EX_DATAERR, "1: the line is longer");
    argv[2] = "printf '{}\\0\\n' | \"$0\" submit --from -";
    rqt_expect_err(rqt_run(argv), EX_DATAERR, "1: there is a zero byte");
}
END_TEST

static const rqt_call wrong[] = {
    {{"submit", "--from", "/nonexistent"}, EX_NOINPUT, "cannot open"},
    {{"submit", "--from", "/"}, EX_NOINPUT, "cannot read"},
    {{"submit", "--from", "-", "--args", "{}"}, EX_USAGE, "do not go with --from"},
    {{"submit", "--from", "-", "--wait"}, EX_USAGE, "do not go with --from"},
    {{"submit", "--from", "-", "--key", "k"}, EX_USAGE, "do not go with --from"},
    {{"submit", "a b", "--from", "-"}, EX_USAGE, "a b"},
    {{"submit", "x", "--skip", "3"}, EX_USAGE, "go with --from"},
    {{"submit", "x", "--dry-run"}, EX_USAGE, "go with --from"},
    {{"submit", "x", "--id-seed", "s"}, EX_USAGE, "go with --from"},
    {{"submit", "x", "--wait-full"}, EX_USAGE, "go with --from"},
    {{"submit", "--from", "-", "--skip", "-1"}, EX_USAGE, "--skip"},
};

START_TEST(wrong_calls_are_refused)
{
    rqt_calls(wrong, N_OF(wrong));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_cli_bulk");
    TCase *c = tcase_create("bulk");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, each_line_is_a_task);
    tcase_add_test(c, a_line_says_what_options_say);
    tcase_add_test(c, a_mistake_in_a_file_queues_nothing);
    tcase_add_test(c, a_dry_run_needs_no_server);
    tcase_add_test(c, a_seed_makes_a_repeat_harmless);
    tcase_add_test(c, a_full_queue_stops_it_at_the_very_line);
    tcase_add_test(c, it_waits_for_room_when_told_to);
    tcase_add_test(c, an_interrupted_run_says_how_to_go_on);
    tcase_add_test(c, lines_may_come_by_a_pipe);
    tcase_add_test(c, a_line_without_bounds_is_refused);
    tcase_add_test(c, wrong_calls_are_refused);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
