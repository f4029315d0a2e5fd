/* SPDX-License-Identifier: MIT */
/*
 * Bad input, through the real programs: each is answered by one clear sentence and a fixed exit
 * status, and nothing is lost or changed by it.
 *
 * DESIGN. Tables of calls: arguments, exit status, a phrase of the message. What "nothing changed"
 * means is read off the server: a digest of all its data before and after. Where a worker takes
 * part, an ordinary task must still go through afterwards, and the audit must be clean.
 */
#include "support/fake_redis.h"
#include "support/fleet.h"
#include "support/main.h"
#include "support/pace.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

#define HEX    "0123456789abcdef0123456789abcdef"
#define WORDS  8
#define CLI_NO 1
#define ROW(...)              \
    {                         \
        {                     \
            __VA_ARGS__, NULL \
        }

/* --- Helpers ---------------------------------------------------------------------------------- */

struct call {
    const char *args[WORDS];
    int status;
    const char *says;
};

static void expect(const rqt_result *r, int status, const char *says)
{
    ck_assert_msg(r->status == status, "exit %d, wanted %d\nout: %s\nerr: %s", r->status, status,
                  r->out, r->err);
    ck_assert_msg(strstr(r->err, says) != NULL, "wanted \"%s\" in: %s", says, r->err);
}

/* One line for people, with the program's name in front. */
static void expect_one_line(const rqt_result *r, const char *program)
{
    size_t len = strlen(program);
    ck_assert_msg(strncmp(r->err, program, len) == 0 && strncmp(r->err + len, ": ", 2) == 0, "%s",
                  r->err);
    ck_assert_msg(strchr(r->err, '\n') == r->err + strlen(r->err) - 1, "%s", r->err);
    ck_assert_str_eq(r->out, "");
}

static const char *data_digest(void)
{
    return rqt_redis_str("DEBUG DIGEST");
}

/* Remembers what the server holds, to compare with later. */
static char before[64];

static void remember_data(void)
{
    (void)snprintf(before, sizeof before, "%s", data_digest());
}

static void expect_same_data(void)
{
    ck_assert_str_eq(data_digest(), before);
}

static const char *ref_text(const refq_ref *ref)
{
    static char text[4][REFQ_REF_MAX + 1];
    static int next;
    return refq_ref_format(ref, text[next++ % 4]);
}

static const char *const quick[] = {"--lease", RQT_LEASE, "--beat", RQT_BEAT, "--concurrency",
                                    "4",       "--grace", "2s",     NULL};

static const char echo_yaml[] = "queue: docs\n"
                                "tasks:\n"
                                "  - {name: echo, exec: [cat]}\n"
                                "  - {name: echo_all, exec: [cat]}\n";

static pid_t start_echo(void)
{
    return rqt_fleet_add(rqt_file("echo.yaml", echo_yaml, 0), quick);
}

static void expect_queue_works(void)
{
    const rqt_result *r =
        RQT_REFQ("submit", "echo", "-q", "docs", "--args", "{\"n\":17}", "--wait=20s");
    ck_assert_msg(r->status == 0, "exit %d: %s", r->status, r->err);
    ck_assert_ptr_nonnull(strstr(r->out, "{\"n\":17}"));
}

static void setup(void)
{
    (void)unsetenv("REFQ_QUEUE");
    (void)unsetenv("REFQ_REDIS_PASSWORD");
    rqt_redis_clean();
}

static void teardown(void)
{
    rqt_fleet_end();
    rqt_client_end();
    rqt_fake_stop();
    rqt_audit("docs");
}

/* --- Calls that are wrong in themselves ------------------------------------------------------- */

static const struct call bad_calls[] =
    {
        /* URLs */
        ROW("submit", "echo", "--redis", "localhost:6379"), EX_USAGE, "is not a Redis URL"},
                         ROW("submit", "echo", "--redis", "http://localhost"), EX_USAGE,
                         "is not a Redis URL"
}
, ROW("status", "docs:" HEX, "--redis", "redis://"), EX_USAGE, "no usable host"
}
, ROW("list", "--redis", "redis://h:70000"), EX_USAGE, "port in the Redis URL"
}
, ROW("workers", "--redis", "unix://relative.sock"), EX_USAGE, "absolute path"
}
, ROW("list", "--redis", "redis://h?usr=x"), EX_USAGE, "did you mean 'user'?"
}
, ROW("list", "--redis", ""), EX_USAGE, "--redis: the value is empty"
}
, ROW("list", "--prefix", "a:b"), EX_USAGE, "key prefix"
}
,
    /* arguments */
    ROW("submit", "echo", "--args", "{"), EX_DATAERR, "not valid JSON at line 1"
}
, ROW("submit", "echo", "--args", "hello"), EX_DATAERR, "arguments"
}
, ROW("submit", "echo", "--args", "[1]"), EX_DATAERR, "object"
}
, ROW("submit", "echo", "--args", "17"), EX_DATAERR, "object"
}
, ROW("submit", "echo", "--args", "{} {}"), EX_DATAERR, "not valid JSON"
}
, ROW("submit", "echo", "--args", "{'a':1}"), EX_DATAERR, "not valid JSON"
}
, ROW("submit", "echo", "--args", "{\"a\":NaN}"), EX_DATAERR, "not valid JSON"
}
, ROW("submit", "echo", "--args", "{\"a\":1,\"a\":2}"), EX_DATAERR, "duplicate"
}
, ROW("submit", "echo", "--args", "{\"a\":\"\xff\"}"), EX_DATAERR, "not UTF-8 at byte 6"
}
, ROW("submit", "echo", "--args", "{\"a\":\"\xed\xa0\x80\"}"), EX_DATAERR, "not UTF-8"
}
, ROW("submit", "echo", "--args", ""), EX_USAGE, "--args: the value is empty"
}
, ROW("submit", "echo", "--args", "-"), EX_DATAERR, "empty"
}
, ROW("submit", "echo", "--args", "@missing.json"), EX_NOINPUT, "cannot open missing.json"
}
, ROW("submit", "echo", "--args", "@/"), EX_NOINPUT, "cannot read /"
}
, ROW("submit", "echo", "--args", "@"), EX_NOINPUT, "cannot open"
}
, ROW("submit", "echo", "--args"), EX_USAGE, "--args needs a value"
}
,
    /* names */
    ROW("submit", "no such task"), EX_USAGE, "is not a task name"
}
, ROW("submit", "../echo"), EX_USAGE, "is not a task name"
}
, ROW("submit", ""), EX_USAGE, "is not a task name"
}
, ROW("submit", "echo", "--queue", "1st"), EX_USAGE, "is not a queue name"
}
, ROW("submit", "echo", "--queue", "{docs}"), EX_USAGE, "is not a queue name"
}
, ROW("list", "--queue", "a b"), EX_USAGE, "is not a queue name"
}
,
    /* references */
    ROW("status", "docs:0123456789abcdef"), EX_USAGE, "16 digits name a cache entry that is no task"
}
, ROW("status", HEX), EX_USAGE, "is not a task reference"
}
, ROW("status", "docs:0123456789ABCDEF0123456789ABCDEF"), EX_USAGE, "lower-case hex"
}
, ROW("status", "docs:" HEX "0"), EX_USAGE, "exactly 32"
}
, ROW("status", "../../etc/passwd"), EX_USAGE, "is not a task reference"
}
, ROW("status", "docs:../../../../etc/passwd"), EX_USAGE, "exactly 32"
}
, ROW("status", ""), EX_USAGE, "is not a task reference"
}
, ROW("status", "docs:" HEX "\n"), EX_USAGE, "exactly 32"
}
, ROW("get", "docs:0123456789abcdef"), EX_NOINPUT, "Invalid or inaccessible reference"
}
, ROW("get", HEX), EX_USAGE, "is not a reference"
}
, ROW("get", "docs:"), EX_USAGE, "is not a reference"
}
, ROW("watch", "docs:xyz"), EX_USAGE, "exactly 32"
}
, ROW("cancel", "docs:xyz"), EX_USAGE, "exactly 32"
}
, ROW("status", "docs:" HEX), EX_NOINPUT, "there is no task docs:" HEX
}
, ROW("get", "docs:" HEX), EX_NOINPUT, "Invalid or inaccessible reference: docs:" HEX
}
, ROW("watch", "docs:" HEX), EX_NOINPUT, "there is no task docs:" HEX
}
, ROW("cancel", "docs:" HEX), EX_NOINPUT, "there is no task docs:" HEX
}
,
    /* numbers and words */
    ROW("submit", "echo", "--delay", "-5s"), EX_USAGE, "--delay: '-5s' is negative"
}
, ROW("submit", "echo", "--timeout=-1ms"), EX_USAGE, "--timeout: '-1ms' is negative"
}
, ROW("submit", "echo", "--wait=-1s"), EX_USAGE, "--wait: '-1s' is negative"
}
, ROW("watch", "docs:" HEX, "-t", "-1s"), EX_USAGE, "--timeout: '-1s' is negative"
}
, ROW("submit", "echo", "--delay", "5"), EX_USAGE, "needs a unit"
}
, ROW("submit", "echo", "--delay", "soon"), EX_USAGE, "is not a duration"
}
, ROW("submit", "echo", "--delay", "367d"), EX_USAGE, "--delay"
}
, ROW("submit", "echo", "--delay", "999999999999999999999d"), EX_USAGE, "--delay"
}
, ROW("submit", "echo", "--lane", "urgent"), EX_USAGE,
    "'urgent' is not a lane; use high, normal or low"
}
, ROW("submit", "echo", "--max-retries", "-1"), EX_USAGE, "--max-retries: -1 is out of range"
}
, ROW("submit", "echo", "--max-retries", "1001"), EX_USAGE, "allowed are 0 to 1000"
}
, ROW("submit", "echo", "--max-retries", "many"), EX_USAGE, "is not a whole number"
}
, ROW("submit", "echo", "--key", ""), EX_USAGE, "--key: the value is empty"
}
, ROW("list", "--status", "done"), EX_USAGE, "is not a status"
}
, ROW("list", "--limit", "0"), EX_USAGE, "allowed are 1 to 1000"
}
, ROW("list", "-o", "xml"), EX_USAGE, "is not a format; use table or json"
}
,
    /* options and commands */
    ROW("submit", "echo", "--quue", "docs"), EX_USAGE, "did you mean --queue?"
}
, ROW("submit", "echo", "--zzzzzzzz"), EX_USAGE, "unknown option --zzzzzzzz"
}
, ROW("submit", "echo", "-Z"), EX_USAGE, "unknown option -Z"
}
, ROW("submit", "echo", "--force=yes"), EX_USAGE, "--force takes no value"
}
, ROW("submti", "echo"), EX_USAGE, "did you mean 'submit'?"
}
, ROW("xyzzy"), EX_USAGE, "unknown command 'xyzzy'"
}
, ROW("submit"), EX_USAGE, "TASK is missing"
}
, ROW("submit", "echo", "again"), EX_USAGE, "one operand too many"
}
, ROW("submit", "echo", "--wait", "5s"), EX_USAGE, "--wait=5s"
}
, ROW("help", "xyzzy"), EX_USAGE, "unknown command"
}
,
}
;

START_TEST(a_wrong_call_is_refused_and_changes_nothing)
{
    const struct call *c = &bad_calls[_i];
    refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
    remember_data();
    const rqt_result *r = rqt_refq(c->args);
    expect(r, c->status, c->says);
    expect_one_line(r, "refq");
    expect_same_data();
    ck_assert(rqt_is(&ref, "pending"));
}
END_TEST

START_TEST(a_call_without_anything_is_told_what_to_do)
{
    const char *const none[] = {NULL};
    const rqt_result *r = rqt_refq(none);
    expect(r, EX_USAGE, "no command given");
    expect_one_line(r, "refq");
}
END_TEST

START_TEST(one_bad_reference_cancels_none)
{
    refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
    remember_data();
    expect(RQT_REFQ("cancel", ref_text(&ref), "docs:xyz"), EX_USAGE, "exactly 32");
    expect_same_data();
    ck_assert(rqt_is(&ref, "pending"));
}
END_TEST

static const char *args_file(const char *start, char fill, size_t n, const char *end)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "@%s/args.json", rqt_redis_dir());
    FILE *f = fopen(path + 1, "we");
    ck_assert_ptr_nonnull(f);
    (void)fputs(start, f);
    for (size_t i = 0; i < n; i++) {
        (void)fputc(fill, f);
    }
    (void)fputs(end, f);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

START_TEST(large_and_deep_arguments_are_refused)
{
    enum { MIB = 1 << 20 };
    remember_data();
    const char *large = args_file("{\"a\":\"", 'x', MIB - 7, "\"}"); /* one byte too many */
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--args", large), EX_DATAERR,
           "larger than the 1 MiB allowed");
    const char *huge = args_file("{\"a\":\"", 'x', 20 * MIB, "\"}");
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--args", huge), EX_DATAERR,
           "larger than the 1 MiB allowed");
    const char *deep = args_file("{\"a\":", '[', 1000, "");
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--args", deep), EX_DATAERR,
           "nested deeper than 32 levels");
    const char *binary = args_file("{\"a\":\"", '\xfe', 10, "\"}");
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--args", binary), EX_DATAERR,
           "not UTF-8 at byte 6");
    const char *zeros = args_file("", '\0', 10, "");
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--args", zeros), EX_DATAERR, "not valid JSON");
    expect_same_data();
    const char *fits = args_file("{\"a\":\"", 'x', MIB - 8, "\"}");
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--args", fits), EX_OK, "no worker is alive");
    (void)start_echo();
    rqt_expect_idle(10000);
    ck_assert_int_eq(rqt_meta("complete"), 1);
    expect_queue_works();
}
END_TEST

/* --- The worker's own call and file ----------------------------------------------------------- */

static const struct call bad_workers[] = {ROW("--concurrency", "0"), EX_USAGE,
                                          "--concurrency 0: must be 1 to 4096"},
                         ROW("--concurrency", "-1"), EX_USAGE, "--concurrency -1: must be 1 to 4096"
}
, ROW("--concurrency", "4097"), EX_USAGE, "must be 1 to 4096"
}
, ROW("--concurrency", "two"), EX_USAGE, "must be 1 to 4096"
}
, ROW("--concurrency", "1e3"), EX_USAGE, "must be 1 to 4096"
}
, ROW("--lease", "-1s"), EX_USAGE, "--lease: '-1s' is negative"
}
, ROW("--lease", "1ms"), EX_USAGE, "--lease 1ms: must be 100ms to 1h"
}
, ROW("--lease", "10"), EX_USAGE, "needs a unit"
}
, ROW("--beat", "9s"), EX_USAGE, "at most a third of the lease"
}
, ROW("--grace", "-5s"), EX_USAGE, "--grace: '-5s' is negative"
}
, ROW("--log-level", "loud"), EX_USAGE, "must be debug, info, warn or error"
}
, ROW("--redis", "localhost"), EX_USAGE, "is not a Redis URL"
}
, ROW("--redis", "redis://h?usr=x"), EX_USAGE, "did you mean 'user'?"
}
, ROW("--prefix", "a b"), EX_USAGE, "key prefix"
}
, ROW("--concurency", "2"), EX_USAGE, "did you mean '--concurrency'?"
}
, ROW("--bogus"), EX_USAGE, "unknown option '--bogus'"
}
, ROW("--lease"), EX_USAGE, "needs a value"
}
, ROW("more.yaml"), EX_USAGE, "unexpected argument 'more.yaml'"
}
,
}
;

static const rqt_result *run_worker(const char *config, const char *const *options)
{
    const char *argv[WORDS + 4] = {RQT_WORKER_PATH, "--config", config};
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        argv[i + 3] = options[i];
    }
    return rqt_run(argv);
}

START_TEST(a_worker_called_wrongly_does_not_start)
{
    const struct call *c = &bad_workers[_i];
    expect(run_worker(rqt_file("echo.yaml", echo_yaml, 0), c->args), c->status, c->says);
    ck_assert_int_eq(rqt_redis_int("DBSIZE"), 0);
}
END_TEST

static const struct bad_file {
    const char *text;
    const char *says;
} bad_files[] = {
    {"", "the file is empty"},
    {"queue: docs\n", "tasks"},
    {"queue: do cs\ntasks:\n  - {name: echo, exec: [cat]}\n", ".yaml:1"},
    {"queue: docs\ntasks:\n  - {name: a b, exec: [cat]}\n", ".yaml:3"},
    {"queue: docs\ntasks:\n  - {name: echo, exce: [cat]}\n", "did you mean 'exec'?"},
    {"queue: docs\ntasks:\n  - {name: echo, exec: [cat], timeout: -5s}\n", "is negative"},
    {"queue: docs\ntasks:\n  - {name: echo, exec: [cat], max_retries: -1}\n", ".yaml:3"},
    {"queue: docs\ntasks:\n  - {name: echo, exec: [./missing.sh]}\n", "cannot find './missing.sh'"},
    {"queue: docs\ntasks:\n  - {name: echo, exec: [no-such-program]}\n",
     "cannot find 'no-such-program' on the PATH"},
    {"queue: docs\ntasks:\n  - {name: echo, exec: [./plain.txt]}\n", "is not executable: chmod +x"},
    {"queue: docs\ntasks:\n  - {name: echo, exec: [/tmp]}\n", "is not a file"},
    {"queue: docs\ntasks:\n  - {name: echo, exec: [cat], directory: /no/such/folder}\n",
     "cannot use '/no/such/folder'"},
    {"queue: [docs\n", ".yaml:"},
    {"\xff\xfe", "bad.yaml"},
};

START_TEST(a_bad_task_file_does_not_start_a_worker)
{
    const struct bad_file *c = &bad_files[_i];
    (void)rqt_file("plain.txt", "#!/bin/sh\n", 0);
    expect(run_worker(rqt_file("bad.yaml", c->text, 0), NULL), EX_CONFIG, c->says);
    ck_assert_int_eq(rqt_redis_int("DBSIZE"), 0);
}
END_TEST

START_TEST(a_missing_task_file_is_told)
{
    expect(run_worker("/no/such/tasks.yaml", NULL), EX_CONFIG, "cannot open '/no/such/tasks.yaml'");
    const char *const argv[] = {RQT_WORKER_PATH, NULL};
    expect(rqt_run(argv), EX_USAGE, "--config FILE is missing");
}
END_TEST

/* --- Servers that cannot be used -------------------------------------------------------------- */

START_TEST(a_server_that_is_down_is_told)
{
    const char *url = "unix:///tmp/refq-no-such.sock";
    const char *const options[] = {"--redis", url, NULL};
    int64_t start = rqt_now_ms();
    expect(
        RQT_REFQ("submit", "echo", "--redis", url), EX_UNAVAILABLE,
        "cannot connect to Redis at /tmp/refq-no-such.sock: No such file or directory; --redis or "
        "REFQ_REDIS names the server");
    expect(RQT_REFQ("list", "--redis", url), EX_UNAVAILABLE,
           "cannot connect to Redis at /tmp/refq-no-such.sock");
    expect(run_worker(rqt_file("echo.yaml", echo_yaml, 0), options), EX_UNAVAILABLE,
           "cannot connect to Redis at /tmp/refq-no-such.sock");
    ck_assert_int_lt(rqt_now_ms() - start, 10000 * RQT_PATIENCE);
}
END_TEST

START_TEST(a_server_that_hangs_is_told)
{
    static const rqt_step script[] = {{RQT_HANG, NULL}};
    rqt_fake_start(RQT_FAKE_TCP, script, N_OF(script));
    const rqt_result *r = RQT_REFQ("list", "--redis", rqt_fake_url());
    expect(r, EX_UNAVAILABLE, rqt_fake_shown());
    expect_one_line(r, "refq");
}
END_TEST

START_TEST(a_server_that_is_no_redis_is_told)
{
    static const rqt_step script[] = {{RQT_SEND, "HTTP/1.1 400 Bad Request\r\n\r\n"},
                                      {RQT_DRAIN, NULL}};
    rqt_fake_start(RQT_FAKE_TCP, script, N_OF(script));
    const char *const options[] = {"--redis", rqt_fake_url(), NULL};
    const char *config = rqt_file("echo.yaml", echo_yaml, 0);
    expect(RQT_REFQ("list", "--redis", rqt_fake_url()), EX_PROTOCOL, "does not speak Redis");
    expect(run_worker(config, options), EX_UNAVAILABLE, "does not speak Redis");
}
END_TEST

START_TEST(a_wrong_password_is_told)
{
    const char *config = rqt_file("echo.yaml", echo_yaml, 0);
    rqt_redis_do("CONFIG SET requirepass right");
    remember_data();
    const rqt_result *r = RQT_REFQ("submit", "echo", "-q", "docs");
    expect(r, EX_NOPERM, "Redis wants a password");
    expect_one_line(r, "refq");
    ck_assert_int_eq(setenv("REFQ_REDIS_PASSWORD", "wr0ng", 1), 0);
    r = RQT_REFQ("submit", "echo", "-q", "docs");
    expect(r, EX_NOPERM, "Redis refuses the user or password");
    expect_one_line(r, "refq");
    ck_assert_ptr_null(strstr(r->err, "wr0ng"));
    r = run_worker(config, NULL);
    expect(r, EX_NOPERM, "Redis refuses the user or password");
    ck_assert_ptr_null(strstr(r->err, "wr0ng"));
    expect_same_data();
    ck_assert_int_eq(setenv("REFQ_REDIS_PASSWORD", "right", 1), 0);
    (void)start_echo();
    expect_queue_works();
    rqt_fleet_end();
    rqt_redis_do("CONFIG SET requirepass %s", "");
}
END_TEST

START_TEST(an_old_server_is_told)
{
    static const rqt_step script[] = {
        {RQT_EXPECT, "SETNAME"},
        {RQT_SEND, "+OK\r\n"},
        {RQT_EXPECT, "TIME"},
        {RQT_SEND, "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"},
        {RQT_EXPECT, "ZRANGE"},
        {RQT_SEND, "*0\r\n"},
        {RQT_EXPECT, "SMEMBERS"},
        {RQT_SEND, "*0\r\n"},
        {RQT_EXPECT, "SMEMBERS"},
        {RQT_SEND, "*0\r\n"},
        {RQT_EXPECT, "SADD"},
        {RQT_SEND, ":1\r\n"},
        {RQT_EXPECT, "FCALL"},
        {RQT_SEND, "-ERR unknown command `FCALL`, with args beginning with: \r\n"},
        {RQT_DRAIN, NULL},
    };
    rqt_fake_start(RQT_FAKE_UNIX, script, N_OF(script));
    const rqt_result *r = RQT_REFQ("submit", "echo", "--redis", rqt_fake_url());
    expect(r, EX_UNAVAILABLE, "needs Redis 7.0");
}
END_TEST

START_TEST(an_old_server_is_told_by_every_program)
{
    static const rqt_step script[] = {
        {RQT_EXPECT, "SETNAME"},
        {RQT_SEND, "+OK\r\n"},
        {RQT_EXPECT, "FCALL"},
        {RQT_SEND, "-ERR unknown command 'FCALL', with args beginning with: 'x' \r\n"},
        {RQT_DRAIN, NULL},
    };
    static const struct call calls[] = {ROW("status", "docs:" HEX), EX_UNAVAILABLE,
                                        "needs Redis 7.0"},
                             ROW("show", "docs:" HEX), EX_UNAVAILABLE, "needs Redis 7.0"
}
, ROW("cancel", "docs:" HEX), EX_UNAVAILABLE, "needs Redis 7.0"
}
, ROW("list"), EX_UNAVAILABLE, "needs Redis 7.0"
}
,
}
;
rqt_fake_start(RQT_FAKE_UNIX, script, N_OF(script));
ck_assert_int_eq(setenv("REFQ_REDIS", rqt_fake_url(), 1), 0);
for (size_t i = 0; i < N_OF(calls); i++) {
    const char *argv[WORDS + 4] = {calls[i].args[0], "--redis", rqt_fake_url()};
    argv[3] = calls[i].args[1];
    expect(rqt_refq(argv), calls[i].status, calls[i].says);
}
const char *const options[] = {"--redis", rqt_fake_url(), NULL};
expect(run_worker(rqt_file("echo.yaml", echo_yaml, 0), options), EX_UNAVAILABLE, "needs Redis 7.0");
}
END_TEST

/* A real server whose FCALL was taken away. */
static pid_t start_without_functions(char url[128])
{
    char socket[100];
    (void)snprintf(socket, sizeof socket, "%s/old.sock", rqt_redis_dir());
    (void)snprintf(url, 128, "unix://%s", socket);
    const char *const argv[] = {
        "redis-server", "--port", "0",     "--unixsocket",  socket,
        "--save",       "",       "--dir", rqt_redis_dir(), "--rename-command",
        "FCALL",        "",       NULL};
    rqt_spawn_options options = {.argv = argv};
    pid_t pid = rqt_spawn(&options);
    ck_assert(RQT_UNTIL(access(socket, R_OK) == 0, 5000));
    return pid;
}

START_TEST(a_server_without_functions_is_told)
{
    char url[128];
    pid_t pid = start_without_functions(url);
    const char *const options[] = {"--redis", url, NULL};
    expect(RQT_REFQ("submit", "echo", "--redis", url), EX_UNAVAILABLE, "needs Redis 7.0");
    expect(RQT_REFQ("submit", "echo", "--force", "--redis", url), EX_UNAVAILABLE,
           "needs Redis 7.0");
    expect(RQT_REFQ("status", "docs:" HEX, "--redis", url), EX_UNAVAILABLE, "needs Redis 7.0");
    expect(RQT_REFQ("get", "docs:" HEX, "--redis", url), EX_UNAVAILABLE, "needs Redis 7.0");
    expect(run_worker(rqt_file("echo.yaml", echo_yaml, 0), options), EX_UNAVAILABLE,
           "needs Redis 7.0");
    (void)kill(pid, SIGKILL);
    (void)rqt_reap(pid, 5000);
}
END_TEST

/* --- A full server and a full queue ----------------------------------------------------------- */

static const char slow_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: echo, exec: [cat]}\n"
    "  - {name: slow, exec: [./slow.sh], input: none, kill_grace: 1s}\n"
    "  - {name: large, exec: [./large.sh], input: none}\n"
    "  - {name: fails, exec: [./fails.sh], input: none, max_retries: 0}\n";

static void start_slow(void)
{
    (void)rqt_file("slow.sh", "#!/bin/sh\nuntil [ -e go ]; do sleep 0.02; done\necho 1\n", 1);
    (void)rqt_file("large.sh",
                   "#!/bin/sh\nuntil [ -e go ]; do sleep 0.02; done\n"
                   "printf '\"'; head -c 300000 /dev/zero | tr '\\0' x; printf '\"'\n",
                   1);
    (void)rqt_file("fails.sh", "#!/bin/sh\nuntil [ -e go ]; do sleep 0.02; done\nexit 3\n", 1);
    (void)rqt_fleet_add(rqt_file("slow.yaml", slow_yaml, 0), quick);
}

/* A handler's file is in the fixture's folder, which tests share. */
static void hold_handlers(void)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/go", rqt_redis_dir());
    (void)unlink(path);
}

START_TEST(a_full_server_takes_no_more_but_lets_go)
{
    hold_handlers();
    start_slow();
    refq_ref slow = rqt_submit((refq_spec){.task = "slow"});
    refq_ref large = rqt_submit((refq_spec){.task = "large"});
    refq_ref fails = rqt_submit((refq_spec){.task = "fails"});
    refq_ref unwanted = rqt_submit((refq_spec){.task = "slow"});
    refq_ref waiting = rqt_submit((refq_spec){.task = "echo", .delay_ms = 3600000});
    rqt_expect(&slow, "processing", 10000);
    rqt_expect(&large, "processing", 10000);
    rqt_expect(&fails, "processing", 10000);
    rqt_expect(&unwanted, "processing", 10000);
    rqt_redis_do("CONFIG SET maxmemory 1");
    long long size = rqt_redis_int("DBSIZE");

    const rqt_result *r = RQT_REFQ("submit", "echo", "-q", "docs", "--key", "k1");
    expect(r, EX_TEMPFAIL, "Redis is out of memory (maxmemory)");
    expect_one_line(r, "refq");
    ck_assert_int_eq(rqt_redis_int("DBSIZE"), size);
    ck_assert_int_eq(rqt_meta("pending"), 1);
    expect(RQT_REFQ("list", "-q", "docs"), EX_OK, "");
    expect(RQT_REFQ("status", ref_text(&slow)), EX_OK, "");
    expect(RQT_REFQ("cancel", ref_text(&unwanted), ref_text(&waiting)), EX_OK, "");
    ck_assert(rqt_is(&unwanted, "cancelled") && rqt_is(&waiting, "cancelled"));

    (void)rqt_file("go", "", 0);
    rqt_expect(&slow, "complete", 10000);
    rqt_expect(&large, "complete", 10000);
    rqt_expect(&fails, "failed", 10000);
    r = RQT_REFQ("get", ref_text(&slow));
    expect(r, EX_OK, "");
    ck_assert_str_eq(r->out, "1\n");
    ck_assert_int_gt(rqt_redis_int("STRLEN mcp-refcache:entry:docs:%s", large.hex), 300000);
    expect(RQT_REFQ("submit", "echo", "-q", "docs"), EX_TEMPFAIL, "maxmemory");

    rqt_redis_do("CONFIG SET maxmemory 0");
    expect_queue_works();
    ck_assert_int_eq(rqt_meta("processing"), 0);
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:key:k1"), 0);
}
END_TEST

START_TEST(a_worker_can_start_on_a_full_server)
{
    refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
    rqt_redis_do("CONFIG SET maxmemory 1");
    (void)start_echo();
    rqt_expect(&ref, "complete", 10000);
    rqt_redis_do("CONFIG SET maxmemory 0");
    expect_queue_works();
}
END_TEST

START_TEST(a_full_queue_takes_no_more)
{
    rqt_redis_do("HSET refq:{docs}:meta max_pending 1");
    expect(RQT_REFQ("submit", "echo", "-q", "docs"), EX_OK, "no worker is alive");
    remember_data();
    const rqt_result *r = RQT_REFQ("submit", "echo", "-q", "docs", "--key", "k2", "--force");
    expect(r, EX_TEMPFAIL, "queue docs is full (max_pending)");
    expect_one_line(r, "refq");
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--delay", "1h", "--force"), EX_TEMPFAIL,
           "max_pending");
    const char *large = args_file("{\"a\":\"", 'x', 5000, "\"}");
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--args", large, "--force"), EX_TEMPFAIL,
           "max_pending");
    expect_same_data();
    ck_assert_int_eq(rqt_meta("pending"), 1);
    (void)start_echo();
    rqt_expect_idle(10000);
    expect_queue_works();
}
END_TEST

/* --- Tasks nobody knows ----------------------------------------------------------------------- */

START_TEST(an_unknown_task_is_refused_with_the_nearest_name)
{
    (void)start_echo();
    /* The worker has written all that it writes by itself. */
    ck_assert(RQT_UNTIL(rqt_redis_int("EXISTS refq:queues refq:{docs}:parked") == 2, 5000));
    long long size = rqt_redis_int("DBSIZE");
    const rqt_result *r = RQT_REFQ("submit", "ehco", "-q", "docs");
    expect(r, EX_UNAVAILABLE, "no worker of queue docs offers 'ehco'; did you mean 'echo'?");
    expect_one_line(r, "refq");
    r = RQT_REFQ("submit", "transmogrify", "-q", "docs");
    expect(r, EX_UNAVAILABLE,
           "no worker of queue docs offers 'transmogrify' (--force queues it anyway)");
    ck_assert_int_eq(rqt_redis_int("DBSIZE"), size);
    expect_queue_works();
}
END_TEST

START_TEST(a_forgotten_queue_is_named)
{
    (void)start_echo();
    const rqt_result *r = RQT_REFQ("submit", "echo", "-q", "letters");
    expect(r, EX_OK, "the task waits for one ('echo' is offered on queue docs: --queue docs, or");
    r = RQT_REFQ("submit", "ech", "-q", "letters");
    expect(r, EX_OK, "the task waits for one\n");
    expect_queue_works();
}
END_TEST

START_TEST(an_unknown_task_waits_for_its_worker)
{
    const rqt_result *r = RQT_REFQ("submit", "exotic", "-q", "docs");
    expect(r, EX_OK, "no worker is alive on queue docs yet; the task waits for one");
    pid_t echo = start_echo();
    r = RQT_REFQ("submit", "exotic", "-q", "docs", "--force");
    expect(r, EX_OK, "");
    ck_assert(RQT_UNTIL(strstr(rqt_worker_log(echo), "event=unknown_task") != NULL, 10000));
    ck_assert(RQT_UNTIL(rqt_redis_int("LLEN refq:{docs}:shelf:exotic:normal") == 2, 10000));
    ck_assert_int_eq(rqt_meta("pending") + rqt_meta("processing"), 2);
    ck_assert_int_eq(rqt_meta("failed"), 0);
    expect_queue_works();
    rqt_fleet_stop(echo);
    (void)rqt_fleet_add(
        rqt_file("exotic.yaml", "queue: docs\ntasks:\n  - {name: exotic, exec: [cat]}\n", 0),
        quick);
    rqt_expect_idle(15000);
    ck_assert_int_eq(rqt_meta("complete"), 3);
}
END_TEST

/* --- Handlers that do not do as they should --------------------------------------------------- */

static const char handlers_yaml[] =
    "queue: docs\n"
    "tasks:\n"
    "  - {name: echo, exec: [cat]}\n"
    "  - {name: not_json, exec: [./not_json.sh]}\n"
    "  - {name: two_values, exec: [./two_values.sh]}\n"
    "  - {name: nothing, exec: ['true']}\n"
    "  - {name: not_text, exec: [./not_text.sh], output: text}\n"
    "  - {name: endless, exec: [./endless.sh]}\n"
    "  - {name: temporary, exec: [./temporary.sh], max_retries: 2, backoff: {base: 1ms, cap: "
    "1ms}}\n"
    "  - {name: permanent, exec: [./permanent.sh], max_retries: 3}\n"
    "  - {name: broken, exec: [./broken.sh], max_retries: 1, backoff: {base: 1ms, cap: 1ms}}\n"
    "  - {name: killed, exec: [./killed.sh], max_retries: 0}\n"
    "  - {name: lacks, exec: [cat, '{path}']}\n"
    "  - {name: locked, exec: [./locked.sh]}\n"
    "  - {name: gone, exec: [./gone.sh]}\n"
    "  - {name: headless, exec: [./headless.sh]}\n"
    "  - {name: too_slow, exec: [./too_slow.sh], timeout: 100ms, max_retries: 0, kill_grace: "
    "100ms}\n";

static void start_handlers(void)
{
    (void)rqt_file("not_json.sh", "#!/bin/sh\necho this is not JSON\n", 1);
    (void)rqt_file("two_values.sh", "#!/bin/sh\necho '{} {}'\n", 1);
    (void)rqt_file("not_text.sh", "#!/bin/sh\nprintf '\\377\\376'\n", 1);
    (void)rqt_file("endless.sh", "#!/bin/sh\nexec head -c 1073741824 /dev/zero\n", 1);
    (void)rqt_file("temporary.sh", "#!/bin/sh\necho try later >&2\nexit 75\n", 1);
    (void)rqt_file("permanent.sh", "#!/bin/sh\necho no such page >&2\nexit 65\n", 1);
    (void)rqt_file("broken.sh", "#!/bin/sh\nprintf 'bad \\377\\033[31m bytes\\n' >&2\nexit 3\n", 1);
    (void)rqt_file("killed.sh", "#!/bin/sh\nkill -9 $$\n", 1);
    const char *locked = rqt_file("locked.sh", "#!/bin/sh\necho 1\n", 1);
    const char *gone = rqt_file("gone.sh", "#!/bin/sh\necho 1\n", 1);
    (void)rqt_file("headless.sh", "#!/no/such/interpreter\necho 1\n", 1);
    (void)rqt_file("too_slow.sh", "#!/bin/sh\nexec sleep 60\n", 1);
    (void)rqt_fleet_add(rqt_file("handlers.yaml", handlers_yaml, 0), quick);
    ck_assert_int_eq(chmod(locked, 0600), 0);
    ck_assert_int_eq(unlink(gone), 0);
}

static const struct bad_handler {
    const char *task;
    const char *says; /* in the full text of the last attempt's error */
    const char *reason;
    int attempts;
} bad_handlers[] = {
    {"not_json", "printed something that is not JSON", "permanent", 1},
    {"two_values", "printed something that is not JSON", "permanent", 1},
    {"nothing", "printed nothing where JSON was expected", "permanent", 1},
    {"not_text", "not UTF-8 text, the first at offset 0", "permanent", 1},
    {"endless", "output exceeds the limit of 16777216 bytes", "permanent", 1},
    {"temporary", "exit 75: try later", "exhausted", 3},
    {"permanent", "exit 65: no such page", "permanent", 1},
    {"broken", "exit 3: bad ", "exhausted", 2},
    {"killed", "killed by signal 9", "exhausted", 1},
    {"lacks", "needs the argument 'path'", "permanent", 1},
    {"locked", "cannot execute", "permanent", 1},
    {"gone", "cannot execute", "permanent", 1},
    {"headless", "the interpreter in its first line?", "permanent", 1},
    {"too_slow", "timed out after 100ms", "exhausted", 1},
};

static void expect_handler_fails(const struct bad_handler *c)
{
    const rqt_result *r = RQT_REFQ("submit", c->task, "-q", "docs", "--wait=20s", "-o", "json");
    expect(r, CLI_NO, "failed: ");
    refq_ref ref;
    const char *at = strstr(r->out, "docs:");
    ck_assert_ptr_nonnull(at);
    char text[REFQ_REF_MAX + 1] = "";
    (void)snprintf(text, sizeof text, "%.37s", at);
    ck_assert_int_eq(refq_ref_parse(text, &ref, NULL), REFQ_OK);
    const char *history = rqt_redis_str("LINDEX refq:{docs}:history:%s 0", ref.hex);
    ck_assert_msg(strstr(history, c->says) != NULL, "%s: wanted \"%s\" in %s", c->task, c->says,
                  history);
    ck_assert_str_eq(rqt_field(&ref, "reason"), c->reason);
    ck_assert_msg(rqt_number(&ref, "attempt") == c->attempts, "%s: attempt %lld", c->task,
                  rqt_number(&ref, "attempt"));
    ck_assert_uint_le(strlen(rqt_field(&ref, "error")), 64);
    expect(RQT_REFQ("get", text), CLI_NO, "failed: ");
    expect(RQT_REFQ("status", text), EX_OK, "");
}

START_TEST(handlers_that_misbehave_fail_their_task_only)
{
    start_handlers();
    for (size_t i = 0; i < N_OF(bad_handlers); i++) {
        expect_handler_fails(&bad_handlers[i]);
    }
    expect_queue_works();
    ck_assert_int_eq(rqt_meta("failed"), (int)N_OF(bad_handlers));
}
END_TEST

/* --- Data that something else has spoilt ------------------------------------------------------ */

START_TEST(a_record_of_another_format_spoils_no_other)
{
    static const char *const spoilt[][2] = {{"status", "banana"}, {"status", ""}};
    refq_ref refs[3];
    for (size_t i = 0; i < N_OF(refs); i++) {
        refs[i] = rqt_submit((refq_spec){.task = "echo"});
    }
    const char *bad = ref_text(&refs[1]);
    for (size_t i = 0; i < N_OF(spoilt); i++) {
        rqt_redis_do("HSET refq:{docs}:task:%s %s %s", refs[1].hex, spoilt[i][0], spoilt[i][1]);
        expect(RQT_REFQ("status", bad), EX_PROTOCOL, "is not one this version understands");
        expect(RQT_REFQ("get", bad), EX_PROTOCOL, "is not one this version understands");
        expect(RQT_REFQ("watch", bad), EX_PROTOCOL, "is not one this version understands");
        expect(RQT_REFQ("cancel", bad), EX_PROTOCOL, "is not one this version understands");
        expect(RQT_REFQ("status", ref_text(&refs[0])), EX_OK, "");
        const rqt_result *r = RQT_REFQ("list", "-q", "docs");
        ck_assert_int_eq(r->status, EX_OK);
        ck_assert_ptr_nonnull(strstr(r->out, refs[0].hex));
        ck_assert_ptr_nonnull(strstr(r->out, refs[2].hex));
        ck_assert_ptr_null(strstr(r->out, refs[1].hex));
    }
    rqt_redis_do("HSET refq:{docs}:task:%s status pending", refs[1].hex);
    (void)start_echo();
    rqt_expect_idle(10000);
    ck_assert_int_eq(rqt_meta("complete"), 3);
}
END_TEST

START_TEST(a_worker_passes_over_a_spoilt_record)
{
    refq_ref bad = rqt_submit((refq_spec){.task = "echo"});
    refq_ref good = rqt_submit((refq_spec){.task = "echo"});
    rqt_redis_do("HSET refq:{docs}:task:%s status banana", bad.hex);
    (void)start_echo();
    rqt_expect(&good, "complete", 10000);
    ck_assert(rqt_is(&bad, "banana"));
    expect_queue_works();
    rqt_redis_do("DEL refq:{docs}:task:%s", bad.hex);
    rqt_redis_do("HINCRBY refq:{docs}:meta pending -1");
}
END_TEST

/* Fields whose values make no sense, and what becomes of the task in the end; NULL = it waits on.
 */
static const struct spoilt_field {
    const char *name;
    const char *value; /* NULL = taken away */
    const char *status;
} spoilt_fields[] = {
    {"attempt", "banana", "complete"},
    {"attempt", NULL, "complete"},
    {"failures", "banana", "complete"},
    {"deaths", "-", "complete"},
    {"args_len", "banana", "complete"},
    {"timeout_ms", "banana", "complete"},
    {"max_retries", "banana", "complete"},
    {"created_at", "banana", "complete"},
    {"task", NULL, NULL},
};

START_TEST(a_worker_copes_with_spoilt_fields)
{
    enum { N = N_OF(spoilt_fields) };
    const char *args =
        "{\"a\":\"more than sixty-four bytes, so that they are stored under a key of "
        "their own\"}";
    static refq_ref refs[N];
    for (size_t i = 0; i < N; i++) {
        const struct spoilt_field *c = &spoilt_fields[i];
        refs[i] = rqt_submit((refq_spec){.task = "echo", .args = args, .max_retries = 2});
        if (c->value != NULL) {
            rqt_redis_do("HSET refq:{docs}:task:%s %s %s", refs[i].hex, c->name, c->value);
        } else {
            rqt_redis_do("HDEL refq:{docs}:task:%s %s", refs[i].hex, c->name);
        }
    }
    (void)start_echo();
    for (size_t i = 0; i < N; i++) {
        if (spoilt_fields[i].status != NULL) {
            rqt_expect(&refs[i], spoilt_fields[i].status, 10000);
        } else {
            ck_assert(RQT_UNTIL(rqt_number(&refs[i], "unknown_since") > 0, 10000));
            rqt_expect(&refs[i], "pending", 10000);
        }
        expect(RQT_REFQ("status", ref_text(&refs[i])), EX_OK, "");
    }
    expect(RQT_REFQ("list", "-q", "docs"), EX_OK, "");
    expect_queue_works();
    ck_assert_int_eq(rqt_fleet_said("bad_reply"), 0);
}
END_TEST

static const struct hostile {
    const char *name;
    const char *ptr;
    size_t len;
} hostiles[] = {
#define BYTES(s) s, sizeof(s) - 1
    {"nothing", BYTES("")},
    {"codec only", BYTES("m")},
    {"unknown codec", BYTES("z\x80")},
    {"unused byte", BYTES("m\xc1")},
    {"not a map", BYTES("m\x93\x01\x02\x03")},
    {"cut off", BYTES("m\x82\xa1k\x01")},
    {"something behind it", BYTES("m\x80\x80")},
    {"map of 4 billion", BYTES("m\xdf\xff\xff\xff\xff")},
    {"array of 4 billion", BYTES("m\x81\xa1k\xdd\xff\xff\xff\xff")},
    {"string of 4 GB", BYTES("m\x81\xa1k\xdb\xff\xff\xff\xff")},
    {"invalid UTF-8", BYTES("m\x81\xa1k\xa2\xff\xfe")},
    {"key no string", BYTES("m\x81\x01\x01")},
    {"key twice", BYTES("m\x82\xa1k\x01\xa1k\x02")},
    {"binary", BYTES("m\x81\xa1k\xc4\x01x")},
    {"extension", BYTES("m\x81\xa1k\xd4\x01x")},
    {"not a number", BYTES("m\x81\xa1k\xcb\x7f\xf8\0\0\0\0\0\0")},
#undef BYTES
};

/* 100,000 arrays inside each other. */
static void spoil_with_depth(const refq_ref *ref)
{
    enum { DEEP = 100000 };
    static char deep[DEEP + 4];
    memset(deep, '\x91', sizeof deep);
    memcpy(deep, "m\x81\xa1k", 4);
    rqt_redis_do("SET refq:{docs}:args:%s %b", ref->hex, deep, sizeof deep);
}

START_TEST(hostile_arguments_fail_their_task_only)
{
    enum { N = N_OF(hostiles) + 2 };
    static refq_ref refs[N];
    const char *args =
        "{\"a\":\"more than sixty-four bytes, so that they are stored under a key of their own\"}";
    for (size_t i = 0; i < N; i++) {
        refs[i] = rqt_submit((refq_spec){.task = "echo", .args = i == 0 ? "{}" : args});
    }
    rqt_redis_do("HSET refq:{docs}:task:%s args %b", refs[0].hex, "m\xdf\xff\xff\xff\xff",
                 (size_t)6);
    spoil_with_depth(&refs[1]);
    for (size_t i = 0; i < N_OF(hostiles); i++) {
        rqt_redis_do("SET refq:{docs}:args:%s %b", refs[i + 2].hex, hostiles[i].ptr,
                     hostiles[i].len);
    }
    pid_t pid = start_echo();
    for (size_t i = 0; i < N; i++) {
        ck_assert_msg(RQT_UNTIL(rqt_is(&refs[i], "failed"), 10000), "%s: %s",
                      i < 2 ? "first two" : hostiles[i - 2].name, rqt_field(&refs[i], "status"));
        ck_assert_ptr_nonnull(strstr(rqt_field(&refs[i], "error"), "undecodable arguments"));
        ck_assert_str_eq(rqt_field(&refs[i], "reason"), "permanent");
        ck_assert_int_eq(rqt_number(&refs[i], "attempt"), 1);
    }
    expect_queue_works();
    ck_assert_int_eq(kill(pid, 0), 0);
    ck_assert_int_eq(rqt_fleet_said("lease_lost"), 0);
}
END_TEST

START_TEST(arguments_that_are_no_string_fail_their_task_only)
{
    char args[5100];
    int n = snprintf(args, sizeof args, "{\"a\":\"");
    memset(args + n, 'x', 5000); /* so many that the worker fetches them itself */
    (void)snprintf(args + n + 5000, 8, "\"}");
    refq_ref gone = rqt_submit((refq_spec){.task = "echo", .args = args});
    refq_ref list =
        rqt_submit((refq_spec){.task = "echo", .args = args, .max_retries = REFQ_NO_RETRIES});
    refq_ref set = rqt_submit((refq_spec){
        .task = "echo",
        .args =
            "{\"a\":\"sixty-four bytes and some more, which the claim brings along at once\"}"});
    rqt_redis_do("DEL refq:{docs}:args:%s", set.hex);
    rqt_redis_do("SADD refq:{docs}:args:%s x", set.hex);
    rqt_redis_do("DEL refq:{docs}:args:%s", gone.hex);
    rqt_redis_do("DEL refq:{docs}:args:%s", list.hex);
    rqt_redis_do("RPUSH refq:{docs}:args:%s x", list.hex);
    (void)start_echo();
    rqt_expect(&gone, "failed", 10000);
    ck_assert_ptr_nonnull(strstr(rqt_field(&gone, "error"), "the arguments are gone"));
    rqt_expect(&list, "failed", 10000);
    ck_assert_ptr_nonnull(strstr(rqt_field(&list, "error"), "could not be fetched"));
    expect_queue_works();
    rqt_redis_do("SET refq:{docs}:args:%s x EX 60",
                 gone.hex); /* for the audit, which misses them */
}
END_TEST

/* Puts a string in a key's place, and the key aside; all in one step. */
static void displace(const char *key)
{
    rqt_redis_do("EVAL %s 0 %s",
                 "if redis.call('EXISTS', ARGV[1]) == 1 then "
                 "redis.call('RENAME', ARGV[1], 'refq:{aside}:meta') end "
                 "redis.call('SET', ARGV[1], 'foreign') return 1",
                 key);
}

static void put_back(const char *key)
{
    rqt_redis_do("EVAL %s 0 %s",
                 "redis.call('DEL', ARGV[1]) "
                 "if redis.call('EXISTS', 'refq:{aside}:meta') == 1 then "
                 "redis.call('RENAME', 'refq:{aside}:meta', ARGV[1]) end return 1",
                 key);
}

START_TEST(a_foreign_key_in_the_place_of_meta_is_told)
{
    const char *config = rqt_file("echo.yaml", echo_yaml, 0);
    refq_ref ref = rqt_submit((refq_spec){.task = "echo"});
    displace("refq:{docs}:meta");
    remember_data();
    expect(RQT_REFQ("submit", "echo", "-q", "docs"), EX_PROTOCOL, "of the wrong kind");
    expect(RQT_REFQ("status", ref_text(&ref)), EX_PROTOCOL, "of the wrong kind");
    expect(RQT_REFQ("cancel", ref_text(&ref)), EX_PROTOCOL, "of the wrong kind");
    expect(RQT_REFQ("list", "-q", "docs"), EX_PROTOCOL, "of the wrong kind");
    expect(run_worker(config, NULL), EX_UNAVAILABLE, "of the wrong kind");
    expect_same_data();
    put_back("refq:{docs}:meta");
    (void)start_echo();
    rqt_expect(&ref, "complete", 10000);
    expect_queue_works();
}
END_TEST

START_TEST(a_worker_survives_a_foreign_key_in_the_place_of_meta)
{
    pid_t pid = start_echo();
    expect_queue_works();
    displace("refq:{docs}:meta");
    ck_assert(RQT_UNTIL(strstr(rqt_worker_log(pid), "of the wrong kind") != NULL, 10000));
    put_back("refq:{docs}:meta");
    expect_queue_works();
    ck_assert_int_eq(kill(pid, 0), 0);
}
END_TEST

START_TEST(a_foreign_key_in_the_place_of_a_lane_is_told)
{
    const char *large = args_file("{\"a\":\"", 'x', 5000, "\"}");
    (void)rqt_submit((refq_spec){.task = "echo"});
    displace("refq:{docs}:lane:low");
    long long size = rqt_redis_int("DBSIZE");
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--lane", "low", "--key", "k3"), EX_PROTOCOL,
           "of the wrong kind");
    expect(RQT_REFQ("submit", "echo", "-q", "docs", "--lane", "low", "--args", large), EX_PROTOCOL,
           "of the wrong kind");
    ck_assert_int_eq(rqt_redis_int("DBSIZE"), size);
    put_back("refq:{docs}:lane:low");
    (void)start_echo();
    rqt_expect_idle(10000);
    expect_queue_works();
}
END_TEST

START_TEST(a_worker_survives_a_foreign_key_in_the_place_of_a_lane)
{
    hold_handlers();
    start_slow();
    refq_ref low = rqt_submit((refq_spec){.task = "echo", .lane = REFQ_LANE_LOW});
    rqt_expect(&low, "complete", 10000);
    refq_ref slow = rqt_submit((refq_spec){.task = "slow"});
    rqt_expect(&slow, "processing", 10000);
    displace("refq:{docs}:lane:low");
    (void)rqt_file("go", "", 0);
    rqt_expect(&slow, "complete", 10000); /* it is in another lane, so it is finished in full */
    expect_queue_works();
    put_back("refq:{docs}:lane:low");
    low = rqt_submit((refq_spec){.task = "echo", .lane = REFQ_LANE_LOW});
    rqt_expect(&low, "complete", 10000);
    expect_queue_works();
}
END_TEST

/* --- More than one of a kind ------------------------------------------------------------------ */

START_TEST(two_workers_may_share_a_task_file)
{
    enum { N = 60 };
    static refq_ref refs[N];
    const char *config = rqt_file("echo.yaml", echo_yaml, 0);
    (void)rqt_fleet_add(config, quick);
    (void)rqt_fleet_add(config, quick);
    rqt_wait_workers("docs", 2);
    for (int i = 0; i < N; i++) {
        refs[i] = rqt_submit((refq_spec){.task = i % 2 ? "echo" : "echo_all"});
    }
    rqt_expect_idle(20000);
    for (int i = 0; i < N; i++) {
        ck_assert(rqt_is(&refs[i], "complete"));
        ck_assert_int_eq(rqt_number(&refs[i], "attempt"), 1);
    }
    ck_assert_int_eq(rqt_meta("complete"), N);
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

static TCase *add_case(Suite *s, const char *name)
{
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    suite_add_tcase(s, c);
    return c;
}

static void add_calls(TCase *c)
{
    tcase_add_loop_test(c, a_wrong_call_is_refused_and_changes_nothing, 0, (int)N_OF(bad_calls));
    tcase_add_test(c, a_call_without_anything_is_told_what_to_do);
    tcase_add_test(c, one_bad_reference_cancels_none);
    tcase_add_test(c, large_and_deep_arguments_are_refused);
    tcase_add_loop_test(c, a_worker_called_wrongly_does_not_start, 0, (int)N_OF(bad_workers));
    tcase_add_loop_test(c, a_bad_task_file_does_not_start_a_worker, 0, (int)N_OF(bad_files));
    tcase_add_test(c, a_missing_task_file_is_told);
}

static void add_servers(TCase *c)
{
    tcase_add_test(c, a_server_that_is_down_is_told);
    tcase_add_test(c, a_server_that_hangs_is_told);
    tcase_add_test(c, a_server_that_is_no_redis_is_told);
    tcase_add_test(c, a_wrong_password_is_told);
    tcase_add_test(c, an_old_server_is_told);
    tcase_add_test(c, an_old_server_is_told_by_every_program);
    tcase_add_test(c, a_server_without_functions_is_told);
    tcase_add_test(c, a_full_server_takes_no_more_but_lets_go);
    tcase_add_test(c, a_worker_can_start_on_a_full_server);
    tcase_add_test(c, a_full_queue_takes_no_more);
}

static void add_tasks(TCase *c)
{
    tcase_add_test(c, an_unknown_task_is_refused_with_the_nearest_name);
    tcase_add_test(c, a_forgotten_queue_is_named);
    tcase_add_test(c, an_unknown_task_waits_for_its_worker);
    tcase_add_test(c, handlers_that_misbehave_fail_their_task_only);
    tcase_add_test(c, two_workers_may_share_a_task_file);
}

static void add_data(TCase *c)
{
    tcase_add_test(c, a_record_of_another_format_spoils_no_other);
    tcase_add_test(c, a_worker_passes_over_a_spoilt_record);
    tcase_add_test(c, a_worker_copes_with_spoilt_fields);
    tcase_add_test(c, hostile_arguments_fail_their_task_only);
    tcase_add_test(c, arguments_that_are_no_string_fail_their_task_only);
    tcase_add_test(c, a_foreign_key_in_the_place_of_meta_is_told);
    tcase_add_test(c, a_worker_survives_a_foreign_key_in_the_place_of_meta);
    tcase_add_test(c, a_foreign_key_in_the_place_of_a_lane_is_told);
    tcase_add_test(c, a_worker_survives_a_foreign_key_in_the_place_of_a_lane);
}

int main(void)
{
    Suite *s = suite_create("st_bad_input");
    add_calls(add_case(s, "calls"));
    add_servers(add_case(s, "servers"));
    add_tasks(add_case(s, "tasks"));
    add_data(add_case(s, "data"));
    return rqt_main_redis(s, NULL);
}
