/* SPDX-License-Identifier: MIT */
/*
 * The ref cache and the call from the command line: refq call, get, cache set, ls, rm, clear, stat.
 *
 * DESIGN. What the library decides (rules, previews, joining) has tests of its own. Here is what a
 * person or a script gets of it: texts, statuses, and what happens with input that is not well.
 */
#include "support/cli.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define NO      1
#define HIDDEN  "Invalid or inaccessible reference: "
#define MIB     (1024 * 1024)

static const char tasks_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: echo, exec: [cat], async_timeout: 20s, input_schema: {type: object, properties:\n"
    "     {n: {type: integer}}}}\n"
    "  - {name: bad, input: none, exec: [sh, -c, 'echo broken >&2; exit 65'], async_timeout: 20s}\n"
    "  - {name: many, input: none, exec: [seq, -s, ',', '1', '3000'], output: text,\n"
    "     async_timeout: 20s}\n"
    "  - {name: mine, exec: [cat], async_timeout: 20s, namespace: 'user:{user_id}',\n"
    "     policy: user_only}\n"
    "  - {name: bound, exec: [cat], async_timeout: 20s, session_scoped: true}\n"
    "  - {name: deep, input: none, exec: [./deep.sh], async_timeout: 20s}\n"
    "  - {name: slow, input: none, exec: [./slow.sh], kill_grace: 100ms}\n";

static const char slow_sh[] = "#!/bin/sh\n"
                              "echo '{\"progress\":{\"current\":3,\"total\":6,\"message\":\"x\"}}' "
                              ">&3\n"
                              "exec sleep 48.13\n";

static const char deep_sh[] = "#!/bin/sh\n"
                              "printf '[%.0s' $(seq 1024)\n"
                              "printf ']%.0s' $(seq 1024)\n";

static const char *const quick[] = {"--lease", RQT_LEASE,       "--beat", RQT_BEAT, "--grace",
                                    RQT_GRACE, "--concurrency", "2",      NULL};

static void setup(void)
{
    (void)setenv("REFQ_QUEUE", "docs", 1);
    rqt_redis_clean();
    (void)rqt_file("slow.sh", slow_sh, 1);
    (void)rqt_file("deep.sh", deep_sh, 1);
    (void)rqt_fleet_add(rqt_file("tasks.yaml", tasks_yaml, 0), quick);
}

static void teardown(void)
{
    rqt_fleet_end();
    rqt_client_end();
    rqt_audit("docs");
}

/* Stores a value and returns its reference, valid until four more were stored. */
static const char *stored(const char *value, const char *option, const char *text)
{
    static char refs[4][64];
    static size_t at;
    char *ref = refs[at++ % N_OF(refs)];
    const rqt_result *r =
        RQT_REFQ("cache", "set", "--value", value, "--as", "user:alice", option, text);
    rqt_expect_out(r, "docs:");
    (void)snprintf(ref, sizeof refs[0], "%s", rqt_word(r));
    return ref;
}

static const char *text_of(json_t *json, const char *member)
{
    const char *text = json_string_value(json_object_get(json, member));
    return text != NULL ? text : "";
}

/* --- Calls ------------------------------------------------------------------------------------ */

START_TEST(a_value_in_time_is_laid_out)
{
    const rqt_result *r = RQT_REFQ("call", "echo", "--args", "{\"n\":1,\"a\":[1.0,{\"b\":[]}]}");
    ck_assert_int_eq(r->status, 0);
    ck_assert_str_eq(r->out, "{\n"
                             "  \"n\": 1,\n"
                             "  \"a\": [\n"
                             "    1.0,\n"
                             "    {\n"
                             "      \"b\": []\n"
                             "    }\n"
                             "  ]\n"
                             "}\n");
    ck_assert_int_eq(strncmp(r->err, "docs:", 5), 0);
}
END_TEST

START_TEST(a_large_value_is_shown_in_part)
{
    char ref[64];
    const rqt_result *r = RQT_REFQ("call", "many", "--max-size", "20");
    rqt_expect_out(r, "...");
    (void)snprintf(ref, sizeof ref, "%.*s", (int)strcspn(r->err, "\n"), r->err);
    ck_assert_ptr_nonnull(strstr(r->err, "--page 1 the first page"));
    rqt_expect_out(RQT_REFQ("get", ref), "2998,2999,3000");
    rqt_expect_out(RQT_REFQ("get", ref, "--page", "2", "--page-size", "8"), "\"5,6,7,8,\"\n");
    rqt_expect_out(RQT_REFQ("cache", "get", ref), "2998,2999,3000");
}
END_TEST

START_TEST(what_is_not_over_in_time_goes_on)
{
    char ref[64];
    const rqt_result *r = RQT_REFQ("call", "slow", "--async-timeout", "200ms");
    ck_assert_int_eq(r->status, EX_TEMPFAIL);
    ck_assert_str_eq(r->err, "");
    ck_assert_ptr_nonnull(strstr(r->out, "next      refq get docs:"));
    (void)snprintf(ref, sizeof ref, "%.37s", strstr(r->out, "docs:"));
    ck_assert(RQT_UNTIL(strstr(RQT_REFQ("get", ref)->err, " 3/6 x; refq watch"), 10000));
    ck_assert_int_eq(RQT_REFQ("get", ref)->status, EX_TEMPFAIL);
    r = RQT_REFQ("call", "slow", "--async-timeout", "0", "-o", "json"); /* it joins */
    ck_assert_int_eq(r->status, EX_TEMPFAIL);
    ck_assert_ptr_nonnull(strstr(r->out, ref));
    rqt_expect_out(RQT_REFQ("cancel", ref), "cancelled");
    rqt_expect_err(RQT_REFQ("get", ref), NO, "is cancelled");
    rqt_expect_err(RQT_REFQ("get", ref, "--page", "1"), NO, "is cancelled");
}
END_TEST

START_TEST(a_response_tells_as_much_as_is_asked_for)
{
    static const struct {
        const char *format;
        const char *has;
        const char *lacks;
    } formats[] = {{"minimal", "is_async", "progress"},
                   {"standard", "progress", "eta_seconds"},
                   {"full", "eta_seconds", "no such member"}};
    char ref[64] = "";
    for (size_t i = 0; i < N_OF(formats); i++) {
        const rqt_result *r = RQT_REFQ("call", "slow", "--async-timeout", "0", "--format",
                                       formats[i].format, "-o", "json");
        json_t *called = rqt_json(r);
        (void)snprintf(ref, sizeof ref, "%s", text_of(called, "ref_id"));
        ck_assert_ptr_nonnull(json_object_get(called, formats[i].has));
        ck_assert_ptr_null(json_object_get(called, formats[i].lacks));
        json_decref(called);
        json_t *got = rqt_json(RQT_REFQ("get", ref, "--format", formats[i].format, "-o", "json"));
        ck_assert_ptr_nonnull(json_object_get(got, formats[i].has));
        ck_assert_ptr_null(json_object_get(got, formats[i].lacks));
        json_decref(got);
    }
    rqt_expect_out(RQT_REFQ("cancel", ref), "cancelled");
}
END_TEST

START_TEST(a_failure_says_why)
{
    const rqt_result *r = RQT_REFQ("call", "bad");
    rqt_expect_err(r, NO, "failed: exit 65: broken\n");
    ck_assert_str_eq(r->out, "");
    r = RQT_REFQ("call", "bad", "-o", "json");
    ck_assert_int_eq(r->status, NO);
    json_t *json = rqt_json(r);
    ck_assert_str_eq(text_of(json, "status"), "failed");
    json_decref(json);
}
END_TEST

static const rqt_call bad_calls[] = {
    {{"call", "ehco"}, EX_UNAVAILABLE, "did you mean 'echo'?"},
    {{"call", "echo", "-q", "other"}, EX_UNAVAILABLE, "no worker of queue other is alive"},
    {{"call"}, EX_USAGE, "TASK is missing"},
    {{"call", "a b"}, EX_USAGE, "is not a task name"},
    {{"call", "echo", "--args", "{"}, EX_DATAERR, "not valid JSON"},
    {{"call", "echo", "--args", "{\"n\":\"one\"}"}, EX_DATAERR, "arguments of echo: "},
    {{"call", "echo", "--args", "{\"v\":\"docs:0123456789abcdef\"}"}, EX_NOINPUT, HIDDEN},
    {{"call", "echo", "--args", "{\"_async_response_format\":\"short\"}"}, EX_DATAERR, "short"},
    {{"call", "echo", "--policy", "{\"owner\":1}"}, EX_USAGE, "owner"},
    {{"call", "echo", "--policy", "{"}, EX_USAGE, "--policy: "},
    {{"call", "echo", "--policy", "{\"user_permission\":0}"}, EX_USAGE, "has no 'user_permission'"},
    {{"call", "echo", "--policy", "{\"owner\":\"bob\"}"}, EX_USAGE, "'bob' is no actor"},
    {{"call", "echo", "--policy", "{\"owner\":\"user:bob\"}", "--owner", "user:eve"},
     EX_USAGE,
     "its owner is also an option"},
    {{"call", "echo", "--policy", "{\"allowed_actors\":[\"*\"]}"}, EX_USAGE, "matches nobody"},
    {{"call", "echo", "--as", "user:eve", "--namespace", "user:bob"},
     EX_NOPERM,
     "may not enter user:bob"},
    {{"call", "bound", "--args", "{\"a\":1}"}, EX_NOPERM, "is for the session that calls"},
    {{"call", "echo", "--redis", "unix:///nonexistent"}, EX_UNAVAILABLE, "cannot connect"},
};

START_TEST(a_bad_call_queues_nothing)
{
    rqt_calls(bad_calls, N_OF(bad_calls));
    ck_assert_int_eq(rqt_redis_int("HGET refq:{docs}:meta submitted"), 0);
}
END_TEST

START_TEST(a_value_to_compute_with_is_not_shown)
{
    const char *const call[] = {"call",     "echo",         "--args", "{\"n\":7700770077}",
                                "--policy", "execute_only", NULL};
    char ref[64];
    const rqt_result *r = rqt_refq(call);
    rqt_expect_out(r, "may be passed");
    ck_assert_ptr_null(strstr(r->out, "7700770077"));
    (void)snprintf(ref, sizeof ref, "%.37s", strstr(r->out, "docs:"));
    rqt_expect_err(RQT_REFQ("get", ref), EX_NOINPUT, HIDDEN);
    rqt_expect_err(RQT_REFQ("get", ref, "--entry"), EX_NOINPUT, HIDDEN);
    rqt_expect_out(RQT_REFQ("get", ref, "--as", "user:alice"), "{\"n\":7700770077}\n");
    rqt_expect_out(RQT_REFQ("cache", "ls"), "execute");
}
END_TEST

START_TEST(a_call_goes_by_the_tasks_definition)
{
    char ref[64];
    const rqt_result *r =
        RQT_REFQ("call", "mine", "--args", "{\"a\":7700770077}", "--as", "user:bob", "-o", "json");
    json_t *json = rqt_json(r);
    (void)snprintf(ref, sizeof ref, "%s", text_of(json, "ref_id"));
    ck_assert_ptr_nonnull(strstr(r->out, "7700770077"));
    json_decref(json);
    rqt_expect_out(RQT_REFQ("get", ref, "--as", "user:bob"), "7700770077");
    rqt_expect_err(RQT_REFQ("get", ref, "--as", "user:eve"), EX_NOINPUT, HIDDEN);
    rqt_expect_err(RQT_REFQ("get", ref), EX_NOINPUT, HIDDEN);
    rqt_expect_out(RQT_REFQ("cache", "ls", "--namespace", "user:bob", "--as", "user:bob"), ref);
    /* Who may not read what it has made is told so, and not that it could be used. */
    rqt_expect_out(RQT_REFQ("call", "mine", "--args", "{\"a\":2}", "--namespace", "public",
                            "--policy", "user_only"),
                   "may neither read nor use it");
    r = RQT_REFQ("call", "bound", "--args", "{\"a\":1}", "--session", "s1");
    ck_assert_int_eq(r->status, 0);
    (void)snprintf(ref, sizeof ref, "%.*s", (int)strcspn(r->err, "\n"), r->err);
    rqt_expect_out(RQT_REFQ("get", ref, "--session", "s1"), "{\"a\":1}\n");
    rqt_expect_err(RQT_REFQ("get", ref, "--session", "s2"), EX_NOINPUT, HIDDEN);
}
END_TEST

/* What is suggested works when it is pasted. */
START_TEST(suggestions_say_who_asks)
{
    const rqt_result *r = RQT_REFQ("call", "many", "--max-size", "20", "--as", "user:d'Arc",
                                   "--session", "s 1", "--namespace", "session:s 1");
    ck_assert_msg(strstr(r->err, " --as 'user:d'\\''Arc' --session 's 1' prints") != NULL, "%s",
                  r->err);
    r = RQT_REFQ("call", "slow", "--async-timeout", "0", "--as", "user:ada");
    ck_assert_int_eq(r->status, EX_TEMPFAIL);
    ck_assert_msg(strstr(r->out, " --as user:ada   (refq watch") != NULL, "%s", r->out);
    ck_assert_ptr_null(strstr(r->out, "Task is "));
    char ref[64];
    (void)snprintf(ref, sizeof ref, "%.37s", strstr(r->out, "docs:"));
    rqt_expect_out(RQT_REFQ("cancel", ref), "cancelled");
}
END_TEST

START_TEST(a_call_that_nobody_will_begin_says_so)
{
    rqt_expect_out(RQT_REFQ("pause"), "paused");
    const rqt_result *r = RQT_REFQ("call", "echo", "--async-timeout", "0");
    ck_assert_int_eq(r->status, EX_TEMPFAIL);
    ck_assert_msg(strstr(r->out, "waits for a free worker; queue docs is paused") != NULL, "%s",
                  r->out);
    rqt_expect_out(RQT_REFQ("resume"), "open");
    rqt_expect_out(RQT_REFQ("call", "echo"), "{}");
}
END_TEST

START_TEST(a_key_of_another_task_is_refused)
{
    rqt_expect_out(RQT_REFQ("call", "echo", "--key", "k9"), "{}");
    rqt_expect_out(RQT_REFQ("call", "echo", "--key", "k9"), "{}");
    rqt_expect_err(RQT_REFQ("call", "many", "--key", "k9"), NO,
                   "the idempotency key belongs to a call of 'echo'");
}
END_TEST

START_TEST(an_interrupted_call_says_where_it_goes_on)
{
    const char *const argv[] = {RQT_REFQ_PATH, "--redis",         rqt_redis_url(), "call",
                                "slow",        "--async-timeout", "60s",           NULL};
    const char *const waiters = "return #redis.call('keys','refq:{docs}:waiters:*')";
    char err[256];
    (void)snprintf(err, sizeof err, "%s", rqt_file("interrupted", "", 0));
    rqt_spawn_options options = {.argv = argv, .err_path = err};
    pid_t pid = rqt_spawn(&options);
    ck_assert(RQT_UNTIL(rqt_redis_int("EVAL %s 0", waiters) == 1, 10000));
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert_int_eq(rqt_reap(pid, 10000), 128 + SIGINT);
    const char *said = strstr(rqt_read(err), "the task goes on: refq get docs:");
    ck_assert_msg(said != NULL, "%s", rqt_read(err));
    char ref[64];
    (void)snprintf(ref, sizeof ref, "%.37s", strstr(said, "docs:"));
    rqt_expect_out(RQT_REFQ("cancel", ref), "cancelled");
}
END_TEST

/* --- Values ----------------------------------------------------------------------------------- */

START_TEST(pages_put_together_are_the_value)
{
    const char *ref = stored("[1,2,3,4,5,6,7,8]", "--tool", "t");
    rqt_expect_out(RQT_REFQ("get", ref), "[1,2,3,4,5,6,7,8]\n");
    rqt_expect_out(RQT_REFQ("get", ref, "--page", "1", "--page-size", "3"), "[1, 2, 3]\n");
    rqt_expect_out(RQT_REFQ("get", ref, "--page-size", "3"), "[1, 2, 3]\n");
    rqt_expect_out(RQT_REFQ("get", ref, "--page", "2", "--page-size", "3"), "[4, 5, 6]\n");
    const rqt_result *r = RQT_REFQ("get", ref, "--page", "3", "--page-size", "3");
    rqt_expect_out(r, "[7, 8]\n");
    ck_assert_str_eq(r->err, "refq: page 3 of 3, 8 items in all: the last\n");
    r = RQT_REFQ("get", ref, "--page", "1000000000000", "--page-size", "3");
    rqt_expect_out(r, "[]\n");
    ck_assert_ptr_nonnull(strstr(r->err, "there is no page 1000000000000; the last is 3"));
    r = RQT_REFQ("get", ref, "--max-size", "0");
    rqt_expect_out(r, "[1]\n");
    ck_assert_ptr_nonnull(strstr(r->err, "a preview, 8 items in all"));
}
END_TEST

/* What Python writes and other parsers refuse is stored as it is, and answered so that they take
 * it. */
START_TEST(a_value_stays_as_it_was_written)
{
    const char *ref =
        stored(" [NaN, 1E2, 123456789012345678901234567890, \"\\ud800\"] ", "--ttl", "1m");
    rqt_expect_out(RQT_REFQ("get", ref),
                   "[NaN, 1E2, 123456789012345678901234567890, \"\\ud800\"]\n");
    rqt_expect_out(RQT_REFQ("get", ref, "-o", "json"),
                   "\"value\": [null, 1E2, 123456789012345678901234567890, \"\\ufffd\"]}");
    rqt_expect_out(RQT_REFQ("get", ref, "--entry"), "{\"value\": [NaN, 1E2,");
}
END_TEST

/* Whoever may not know of a value is told what those are told who ask for nothing. */
START_TEST(what_is_denied_looks_as_if_it_was_not_there)
{
    char missing[512];
    const char *ref = stored("\"secret\"", "--namespace", "user:alice");
    const rqt_result *r = RQT_REFQ("get", "docs:0000000000000000");
    ck_assert_int_eq(r->status, EX_NOINPUT);
    (void)snprintf(missing, sizeof missing, "%.500s", r->err);
    memcpy(strstr(missing, "0000000000000000"), ref + 5, 16);
    static const char *const others[] = {"user:bob", "agent:alice", "user", "agent"};
    for (size_t i = 0; i < N_OF(others); i++) {
        r = RQT_REFQ("get", ref, "--as", others[i]);
        ck_assert_int_eq(r->status, EX_NOINPUT);
        ck_assert_str_eq(r->err, missing);
        ck_assert_str_eq(r->out, "");
        ck_assert_int_eq(RQT_REFQ("cache", "rm", ref, "--as", others[i])->status, EX_NOINPUT);
        ck_assert_ptr_null(strstr(RQT_REFQ("cache", "ls", "--as", others[i])->out, ref));
        rqt_expect_out(RQT_REFQ("cache", "clear", "--yes", "--as", others[i]), "removed 0 ");
    }
    rqt_expect_out(RQT_REFQ("get", ref, "--as", "user:alice"), "\"secret\"\n");
}
END_TEST

START_TEST(a_bound_value_is_for_its_session_only)
{
    char ref[64];
    const rqt_result *r =
        RQT_REFQ("cache", "set", "--value", "1", "--session", "s-1", "--bind-session");
    (void)snprintf(ref, sizeof ref, "%s", rqt_word(r));
    rqt_expect_out(RQT_REFQ("get", ref, "--session", "s-1"), "1\n");
    rqt_expect_err(RQT_REFQ("get", ref, "--session", "s-2"), EX_NOINPUT, HIDDEN);
    rqt_expect_err(RQT_REFQ("get", ref), EX_NOINPUT, HIDDEN);
}
END_TEST

static const rqt_call bad_values[] = {
    {{"cache", "set"}, EX_USAGE, "--value is missing"},
    {{"cache", "set", "--value", "@/nonexistent"}, EX_NOINPUT, "--value: cannot open"},
    {{"cache", "set", "--value", "@/"}, EX_NOINPUT, "--value: cannot read"},
    {{"cache", "set", "--value", "1 2"}, EX_DATAERR, "--value: not valid JSON"},
    {{"cache", "set", "--value", "-"}, EX_DATAERR, "--value: not valid JSON"}, /* an empty file */
    {{"cache", "set", "--value", "1", "--namespace", "user:bob"}, EX_NOPERM, "user:bob"},
    {{"cache", "set", "--value", "1", "--ttl", "400d"}, EX_USAGE, "longer than the 366 days"},
    {{"cache", "set", "--value", "1", "--queue", "1st"}, EX_USAGE, "is not a queue name"},
    {{"cache", "set", "1"}, EX_USAGE, "one operand too many"},
    {{"cache", "rm"}, EX_USAGE, "REF [REF...] is missing"},
    {{"cache", "rm", "docs:0123456789abcdef"}, EX_NOINPUT, HIDDEN},
    {{"cache", "fetch", "docs:0123456789abcdef"}, EX_USAGE, "needs one of: set, ls, rm"},
    {{"cache", "clear"}, EX_USAGE, "--yes is needed"},
    {{"cache", "ls", "--cursor", "start", "--all"}, EX_USAGE, "--all goes with neither"},
    {{"get", "docs:0123456789abcdef", "--entry", "--page", "1"}, EX_USAGE, "--entry goes with"},
    {{"get", "docs:0123456789abcdef", "--entry", "-o", "json"}, EX_USAGE, "--entry goes with"},
    {{"get", ":0123456789abcdef"}, EX_USAGE, "is not a reference"},
    {{"get", "docs:\xff\xfe"}, EX_USAGE, "UTF-8"},
    {{"get", "docs:1", "--store", "sqlite:/dev/null/x.db"}, EX_UNAVAILABLE, "/dev/null/x.db"},
    {{"get", "docs:1", "--store", "sqlite:none.db"}, EX_NOINPUT, "there is no database 'none.db'"},
    {{"cache", "ls", "--store", "sqlite:none.db"}, EX_NOINPUT, "there is no database 'none.db'"},
    {{"cache", "stat", "--store", "sqlite:none.db"}, EX_NOINPUT, "refq cache set makes one"},
    {{"cache", "stat", "--redis", "unix:///nonexistent"}, EX_UNAVAILABLE, "cannot connect"},
};

START_TEST(bad_input_is_told)
{
    rqt_calls(bad_values, N_OF(bad_values));
    ck_assert_str_eq(RQT_REFQ("cache", "ls", "-o", "json")->out, "[]\n");
}
END_TEST

/* --- Size and depth --------------------------------------------------------------------------- */

/* A JSON string of so many MiB, with its quotes. */
static const char *large_file(size_t mib)
{
    static char option[300];
    static char chunk[MIB];
    (void)snprintf(option, sizeof option, "@%s", rqt_file("large.json", "", 0));
    int fd = open(option + 1, O_WRONLY | O_TRUNC);
    ck_assert_int_ge(fd, 0);
    for (size_t i = 0; i < mib; i++) {
        memset(chunk, 'x', sizeof chunk);
        chunk[0] = i == 0 ? '"' : 'x';
        chunk[MIB - 1] = i == mib - 1 ? '"' : 'x';
        ck_assert_int_eq(write(fd, chunk, sizeof chunk), MIB);
    }
    (void)close(fd);
    return option;
}

/* With a sanitizer it would take longer than a command may. */
#if RQT_SANITIZED
#define LARGE_MIB 20
#define LARGE     "20.0 MiB"
#else
#define LARGE_MIB 100
#define LARGE     "100.0 MiB"
#endif

START_TEST(a_value_of_a_hundred_megabytes_is_stored)
{
    const char *ref = stored(large_file(LARGE_MIB), "--tool", "large");
    rqt_expect_out(RQT_REFQ("cache", "ls"), LARGE);
    const rqt_result *r = RQT_REFQ("get", ref, "--max-size", "5");
    rqt_expect_out(r, "\"xxxxx");
    ck_assert_uint_lt(strlen(r->out), 100);
    r = RQT_REFQ("get", ref, "--page", "2", "--page-size", "1000", "--max-size", "1000");
    rqt_expect_out(r, "\"xxx");
    ck_assert_uint_eq(strlen(r->out), strlen("\"\"\n") + 1000);
    rqt_expect_out(RQT_REFQ("cache", "rm", ref, "--as", "user:alice"), "removed ");
}
END_TEST

START_TEST(what_is_larger_than_an_entry_is_refused)
{
    rqt_expect_err(RQT_REFQ("cache", "set", "--value", large_file(129)), EX_DATAERR,
                   "--value: larger than the 128 MiB");
    ck_assert_str_eq(RQT_REFQ("cache", "ls", "-o", "json")->out, "[]\n");
}
END_TEST

static const char *deep_file(size_t depth)
{
    static char text[2 * 10000 + 1];
    static char option[300];
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    (void)snprintf(option, sizeof option, "@%s", rqt_file("deep.json", text, 0));
    return option;
}

/* What is as deep as it may be can be read again, by all ways and from each store. */
START_TEST(depth_has_a_bound)
{
    char url[300];
    char ref[64];
    (void)snprintf(url, sizeof url, "sqlite:%s/deep.db", rqt_redis_dir());
    rqt_expect_err(RQT_REFQ("cache", "set", "--value", deep_file(10000)), EX_DATAERR, "--value: ");
    rqt_expect_err(RQT_REFQ("cache", "set", "--value", deep_file(1025)), EX_DATAERR, "--value: ");
    rqt_expect_err(RQT_REFQ("call", "echo", "--args", deep_file(10000)), EX_DATAERR, "");
    const char *const stores[] = {rqt_redis_url(), url};
    for (size_t i = 0; i < N_OF(stores); i++) {
        const rqt_result *r =
            RQT_REFQ("cache", "set", "--value", deep_file(1024), "--store", stores[i]);
        (void)snprintf(ref, sizeof ref, "%s", rqt_word(r));
        rqt_expect_out(RQT_REFQ("get", ref, "--store", stores[i]), "[[[[");
        rqt_expect_out(RQT_REFQ("get", ref, "--page", "1", "--store", stores[i]), "[[[[");
        rqt_expect_out(RQT_REFQ("get", ref, "-o", "json", "--store", stores[i]), "\"value\": [[[[");
        rqt_expect_out(RQT_REFQ("cache", "ls", "--store", stores[i]), ref);
    }
}
END_TEST

START_TEST(a_deep_result_is_answered)
{
    rqt_expect_out(RQT_REFQ("call", "deep"), "[");
    rqt_expect_out(RQT_REFQ("call", "deep", "-o", "json"), "\"value\": [[[[");
}
END_TEST

/* --- Many ------------------------------------------------------------------------------------- */

/* Whatever else lies under the prefix of entries. */
static void spoil(void)
{
    static const char *const orders[] = {
        "SET mcp-refcache:entry:docs:bad1 rubbish",
        "SET mcp-refcache:entry:docs:bad2 {}",
        "SET mcp-refcache:entry:docs:bad3 {\"value\":",
        "SET mcp-refcache:entry:docs:bad4 {\"value\":1,\"policy\":7}",
        "RPUSH mcp-refcache:entry:docs:bad5 x",
        "HSET mcp-refcache:entry:docs:bad6 value 1",
    };
    for (size_t i = 0; i < N_OF(orders); i++) {
        rqt_redis_do(orders[i]);
    }
}

START_TEST(foreign_keys_spoil_no_list)
{
    char good[64];
    (void)snprintf(good, sizeof good, "%s", stored("1", "--tool", "t"));
    spoil();
    const rqt_result *r = RQT_REFQ("cache", "ls");
    rqt_expect_out(r, good);
    ck_assert_ptr_null(strstr(r->out, "bad"));
    ck_assert_str_eq(r->err, "refq: 6 more are no entries and were passed over\n");
    json_t *page = rqt_json(RQT_REFQ("cache", "ls", "-o", "json", "--cursor", "start"));
    ck_assert_int_eq(json_integer_value(json_object_get(page, "broken")), 6);
    ck_assert_uint_eq(json_array_size(json_object_get(page, "entries")), 1);
    json_decref(page);
    for (int i = 1; i <= 6; i++) {
        char ref[32];
        (void)snprintf(ref, sizeof ref, "docs:bad%d", i);
        rqt_expect_err(RQT_REFQ("get", ref), EX_NOINPUT, HIDDEN);
        rqt_expect_err(RQT_REFQ("cache", "rm", ref, "--as", "user:alice"), EX_NOINPUT, HIDDEN);
    }
    r = RQT_REFQ("cache", "clear", "--yes", "--as", "user:alice");
    rqt_expect_out(r, "removed 1 entries\n");
    ck_assert_str_eq(r->err, "refq: 6 were left: they are no entries\n");
    ck_assert_int_eq(rqt_redis_int("EXISTS mcp-refcache:entry:docs:bad1"), 1);
    rqt_redis_clean();
}
END_TEST

START_TEST(a_list_can_be_paged)
{
    char cursor[128] = "start";
    size_t n = 0;
    size_t pages = 0;
    for (int i = 0; i < 30; i++) {
        (void)stored("1", "--tool", "t");
    }
    while (cursor[0] != '\0' && pages++ < 30) {
        json_t *page =
            rqt_json(RQT_REFQ("cache", "ls", "-o", "json", "--limit", "5", "--cursor", cursor));
        n += json_array_size(json_object_get(page, "entries"));
        (void)snprintf(cursor, sizeof cursor, "%s", text_of(page, "next"));
        json_decref(page);
    }
    ck_assert_uint_eq(n, 30);
    ck_assert_uint_gt(pages, 1);
    json_t *all = rqt_json(RQT_REFQ("cache", "ls", "-o", "json", "--all"));
    ck_assert_uint_eq(json_array_size(all), 30);
    json_decref(all);
}
END_TEST

START_TEST(clearing_asks_a_person)
{
    const char *const clear[] = {"cache", "clear", "--as", "user:alice", NULL};
    (void)stored("1", "--tool", "t");
    const rqt_result *r = rqt_refq_on_terminal(clear, "n\n");
    ck_assert_int_eq(r->status, NO);
    ck_assert_ptr_nonnull(
        strstr(r->out, "remove all values of cache docs that user:alice may remove? [y/N]"));
    rqt_expect_out(RQT_REFQ("cache", "ls"), "docs:");
    r = rqt_refq_on_terminal(clear, "y\n");
    ck_assert_msg(r->status == 0 && strstr(r->out, "removed 1 entries") != NULL, "%s", r->out);
    json_t *json = rqt_json(RQT_REFQ("cache", "clear", "--yes", "-o", "json"));
    ck_assert_int_eq(json_integer_value(json_object_get(json, "removed")), 0);
    json_decref(json);
}
END_TEST

START_TEST(what_may_not_be_removed_is_counted)
{
    const char *ref = stored("1", "--tool", "t");
    rqt_expect_err(RQT_REFQ("cache", "rm", ref), EX_NOPERM, "--as and --session say who asks");
    const rqt_result *r = RQT_REFQ("cache", "clear", "--yes");
    rqt_expect_out(r, "removed 0 entries\n");
    ck_assert_ptr_nonnull(strstr(r->err, "1 were left: this actor may not remove them"));
    const char *const both[] = {"cache", "rm", "docs:0000000000000000", ref, "--as", "user", NULL};
    r = rqt_refq(both);
    ck_assert_int_eq(r->status, EX_NOINPUT);
    ck_assert_ptr_nonnull(strstr(r->out, ref));
}
END_TEST

/* Foreign text must not steer the terminal. */
START_TEST(a_tool_name_cannot_steer_a_terminal)
{
    (void)stored("1", "--tool", "a\x1b[2Jb\nc");
    const rqt_result *r = RQT_REFQ("cache", "ls");
    rqt_expect_out(r, "docs:");
    ck_assert_ptr_null(strchr(r->out, '\x1b'));
    ck_assert_ptr_eq(strrchr(r->out, '\n'), r->out + strlen(r->out) - 1);
}
END_TEST

/* --- Another store ---------------------------------------------------------------------------- */

START_TEST(a_file_is_a_store_as_well)
{
    char url[300];
    char ref[64];
    (void)snprintf(url, sizeof url, "sqlite:%s/cache.db", rqt_redis_dir());
    const rqt_result *r = RQT_REFQ("cache", "set", "--value", "[1,2]", "--store", url);
    (void)snprintf(ref, sizeof ref, "%s", rqt_word(r));
    rqt_expect_out(RQT_REFQ("get", ref, "--store", url), "[1,2]\n");
    rqt_expect_err(RQT_REFQ("get", ref), EX_NOINPUT, HIDDEN);
    rqt_expect_out(RQT_REFQ("cache", "ls", "--store", url), ref);
    rqt_expect_out(RQT_REFQ("cache", "stat", "--store", url, "-o", "json"),
                   "{\"store\":\"sqlite\",\"entries\":1,");
    rqt_expect_out(RQT_REFQ("cache", "stat"), "entries  0");
    rqt_expect_out(RQT_REFQ("cache", "rm", ref, "--store", url, "--as", "user:x", "-o", "json"),
                   "\"removed\":true}]");
    rqt_expect_out(RQT_REFQ("cache", "clear", "--yes", "--store", url), "removed 0 entries");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("st_cli_cache");
    TCase *c = tcase_create("cache");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_value_in_time_is_laid_out);
    tcase_add_test(c, a_large_value_is_shown_in_part);
    tcase_add_test(c, what_is_not_over_in_time_goes_on);
    tcase_add_test(c, a_response_tells_as_much_as_is_asked_for);
    tcase_add_test(c, a_failure_says_why);
    tcase_add_test(c, a_bad_call_queues_nothing);
    tcase_add_test(c, a_value_to_compute_with_is_not_shown);
    tcase_add_test(c, a_call_goes_by_the_tasks_definition);
    tcase_add_test(c, suggestions_say_who_asks);
    tcase_add_test(c, a_call_that_nobody_will_begin_says_so);
    tcase_add_test(c, a_key_of_another_task_is_refused);
    tcase_add_test(c, an_interrupted_call_says_where_it_goes_on);
    tcase_add_test(c, pages_put_together_are_the_value);
    tcase_add_test(c, a_value_stays_as_it_was_written);
    tcase_add_test(c, what_is_denied_looks_as_if_it_was_not_there);
    tcase_add_test(c, a_bound_value_is_for_its_session_only);
    tcase_add_test(c, bad_input_is_told);
    tcase_add_test(c, a_value_of_a_hundred_megabytes_is_stored);
    tcase_add_test(c, what_is_larger_than_an_entry_is_refused);
    tcase_add_test(c, depth_has_a_bound);
    tcase_add_test(c, a_deep_result_is_answered);
    tcase_add_test(c, foreign_keys_spoil_no_list);
    tcase_add_test(c, a_list_can_be_paged);
    tcase_add_test(c, clearing_asks_a_person);
    tcase_add_test(c, what_may_not_be_removed_is_counted);
    tcase_add_test(c, a_tool_name_cannot_steer_a_terminal);
    tcase_add_test(c, a_file_is_a_store_as_well);
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
