/* SPDX-License-Identifier: MIT */
/* The keeper and external programs, with real processes. */
#include "base/clock.h"
#include "run/argv.h"
#include "run/exec.h"
#include "run/lines.h"
#include "run/progress.h"
#include "run/tail.h"
#include "run/text.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUDGET_MS 30000

/* --- Fixture ---------------------------------------------------------------------------------- */

static char dir[64];
static struct event_base *base;
static rqi_keeper *keeper;
static refq_error error;

static void pause_ms(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&ts, NULL);
}

static void path_in_dir(char *out, size_t size, const char *name)
{
    (void)snprintf(out, size, "%s/%s", dir, name);
}

static void start_keeper(void)
{
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
    ck_assert_int_eq(rqi_keeper_start(&keeper, &error), REFQ_OK);
    ck_assert_int_eq(rqi_keeper_attach(keeper, base, &error), REFQ_OK);
}

static void stop_keeper(void)
{
    rqi_keeper_stop(keeper);
    event_base_free(base);
}

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/ut_exec.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    start_keeper();
}

static void teardown(void)
{
    stop_keeper();
    DIR *d = opendir(dir);
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        (void)unlinkat(dirfd(d), entry->d_name, 0);
    }
    (void)closedir(d);
    ck_assert_int_eq(rmdir(dir), 0);
}

static void write_script(const char *name, const char *body, mode_t mode)
{
    char path[128];
    path_in_dir(path, sizeof path, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    (void)fprintf(f, "#!/bin/sh\n%s\n", body);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

/* --- Looking at processes --------------------------------------------------------------------- */

static size_t read_proc(const char *pid, const char *what, char *out, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%.20s/%.20s", pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    n = n > 0 ? n : 0;
    out[n] = '\0';
    return (size_t)n;
}

/* Living processes with `mark` as one of their arguments. */
static int count_marked(const char *mark)
{
    int n = 0;
    DIR *d = opendir("/proc");
    const struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        char text[1024];
        size_t len = read_proc(entry->d_name, "cmdline", text, sizeof text);
        n += strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
             memmem(text, len, mark, strlen(mark)) != NULL;
    }
    (void)closedir(d);
    return n;
}

/* A child of `parent` with this name; 0 when there is none. */
static pid_t find_child(pid_t parent, const char *name)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "(%s) ", name);
    pid_t found = 0;
    DIR *d = opendir("/proc");
    const struct dirent *entry;
    while (found == 0 && (entry = readdir(d)) != NULL) {
        char text[512];
        (void)read_proc(entry->d_name, "stat", text, sizeof text);
        const char *at = strstr(text, wanted);
        if (at != NULL && strtol(at + strlen(wanted) + 2, NULL, 10) == parent) {
            found = (pid_t)strtol(entry->d_name, NULL, 10);
        }
    }
    (void)closedir(d);
    return found;
}

static void wait_marked(const char *mark, int want)
{
    int64_t deadline = rqi_mono_ms() + BUDGET_MS;
    while (count_marked(mark) != want) {
        ck_assert_msg(rqi_mono_ms() < deadline, "%d processes with %s instead of %d",
                      count_marked(mark), mark, want);
        pause_ms(5);
    }
}

static int count_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n;
}

/* A number of seconds that no other sleep in the system has. */
static const char *new_mark(void)
{
    static char mark[32];
    (void)snprintf(mark, sizeof mark, "1000.%d%ld", (int)getpid(), random() % 1000);
    return mark;
}

/* --- Running ---------------------------------------------------------------------------------- */

struct run {
    rqi_exec *exec;
    int done;
    rqi_outcome_kind kind;
    char value[8192];
    size_t value_len;
    char error[RQI_ERROR_MAX];
    char tail[RQI_TAIL_MAX + 1];
    int marked; /* processes with `mark` when the end was reported */
    const char *mark;
    int n_progress;
    int64_t current, total;
    char message[80];
    int n_debug;
    bool cancel_on_progress;
};

static void on_progress(void *arg, int64_t current, int64_t total, const char *message)
{
    struct run *run = arg;
    run->n_progress++;
    run->current = current;
    run->total = total;
    (void)snprintf(run->message, sizeof run->message, "%s", message != NULL ? message : "(none)");
    if (run->cancel_on_progress) {
        rqi_exec_cancel(run->exec);
    }
}

static void on_done(void *arg, rqi_outcome *outcome)
{
    struct run *run = arg;
    run->done++;
    run->kind = outcome->kind;
    run->value_len = outcome->value.len;
    (void)snprintf(run->value, sizeof run->value, "%s", rqi_buf_str(&outcome->value));
    (void)snprintf(run->error, sizeof run->error, "%s", outcome->error);
    (void)snprintf(run->tail, sizeof run->tail, "%s", rqi_buf_str(&outcome->log_tail));
    run->marked = run->mark != NULL ? count_marked(run->mark) : 0;
}

static void on_log(void *arg, refq_log_level level, const char *line)
{
    struct run *run = arg;
    run->n_debug += level == REFQ_LOG_DEBUG && strstr(line, "control_line_ignored") != NULL;
}

static refq_err start(struct run *run, const refq_exec_def *def, const char *args,
                      int64_t timeout_ms)
{
    rqi_exec_call call = {.def = def,
                          .args = {.ptr = args, .len = strlen(args)},
                          .ref_id = "docs:0123",
                          .fence = "7-1",
                          .attempt = 2,
                          .traceparent = "00-aa-bb-01",
                          .timeout_ms = timeout_ms,
                          .on_progress = on_progress,
                          .on_done = on_done,
                          .arg = run};
    return rqi_exec_start(keeper, &call, &run->exec, &error);
}

static void wait_done(const struct run *run)
{
    int64_t deadline = rqi_mono_ms() + BUDGET_MS;
    struct timeval tick = {.tv_usec = 100000};
    while (!run->done) {
        ck_assert_msg(rqi_mono_ms() < deadline, "the program did not end in time");
        (void)event_base_loopexit(base, &tick);
        (void)event_base_loop(base, EVLOOP_ONCE);
    }
}

static struct run run_def(const refq_exec_def *def, const char *args, int64_t timeout_ms)
{
    struct run run = {0};
    ck_assert_msg(start(&run, def, args, timeout_ms) == REFQ_OK, "%s", error.text);
    wait_done(&run);
    ck_assert_int_eq(run.done, 1);
    return run;
}

/* Runs a shell script. */
static struct run run_script(const char *body, refq_exec_output output)
{
    write_script("script", body, 0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = dir, .output = output};
    return run_def(&def, "{}", 0);
}

static void expect(const struct run *run, rqi_outcome_kind kind, const char *text)
{
    ck_assert_msg(run->kind == kind, "kind %d instead of %d: %s", (int)run->kind, (int)kind,
                  run->error);
    const char *got = kind == RQI_DONE ? run->value : run->error;
    ck_assert_msg(strcmp(got, text) == 0, "got      %s\nexpected %s", got, text);
}

/* --- Output ----------------------------------------------------------------------------------- */

START_TEST(test_json_in_json_out)
{
    const char *argv[] = {"cat", NULL};
    refq_exec_def def = {.argv = argv};
    struct run run = run_def(&def, "{\"path\": \"a.pdf\", \"n\":1.10}", 0);
    expect(&run, RQI_DONE, "{\"path\": \"a.pdf\", \"n\":1.10}");
}
END_TEST

START_TEST(test_large_args_read_and_unread)
{
    size_t len = (size_t)3 * 1024 * 1024;
    char *args = malloc(len + 1);
    ck_assert_ptr_nonnull(args);
    memset(args, ' ', len);
    args[0] = '{';
    args[len - 1] = '}';
    args[len] = '\0';
    const char *argv[] = {"sh", "-c", "wc -c", NULL};
    refq_exec_def def = {.argv = argv};
    struct run run = run_def(&def, args, 0);
    expect(&run, RQI_DONE, "3145728");
    const char *unread[] = {"sh", "-c", "exec <&-; echo 1", NULL};
    def.argv = unread;
    run = run_def(&def, args, 0);
    expect(&run, RQI_DONE, "1");
    free(args);
}
END_TEST

START_TEST(test_input_none)
{
    const char *argv[] = {"sh", "-c", "wc -c", NULL};
    refq_exec_def def = {.argv = argv, .input = REFQ_INPUT_NONE};
    struct run run = run_def(&def, "{\"a\":1}", 0);
    expect(&run, RQI_DONE, "0");
}
END_TEST

START_TEST(test_json_is_trimmed_and_verbatim)
{
    struct run run =
        run_script("printf ' \\n\\t{\"b\":1.50,  \"a\":\"\\\\u0000\"}\\r\\n\\n'", REFQ_OUTPUT_JSON);
    expect(&run, RQI_DONE, "{\"b\":1.50,  \"a\":\"\\u0000\"}");
}
END_TEST

START_TEST(test_no_output)
{
    const char *text = "printed nothing where JSON was expected; print null or set output: text";
    struct run run = run_script("exit 0", REFQ_OUTPUT_JSON);
    expect(&run, RQI_PERMANENT, text);
    run = run_script("echo", REFQ_OUTPUT_JSON);
    expect(&run, RQI_PERMANENT, text);
    run = run_script("exit 0", REFQ_OUTPUT_TEXT);
    expect(&run, RQI_DONE, "\"\"");
    run = run_script("exit 0", REFQ_OUTPUT_BASE64);
    expect(&run, RQI_DONE, "\"\"");
}
END_TEST

START_TEST(test_not_json)
{
    struct run run = run_script("printf '{\"a\":1}\\n\\033[31mhello \\377 this is a long line of "
                                "text which is cut'",
                                REFQ_OUTPUT_JSON);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    ck_assert_ptr_nonnull(strstr(run.error, "not JSON"));
    ck_assert_ptr_nonnull(strstr(run.error, "at line 2, column "));
    ck_assert_ptr_nonnull(strstr(run.error, "it starts with: {\"a\":1}  [31mhello ? this is"));
    ck_assert_ptr_null(strstr(run.error, "which is cut"));
    run = run_script("echo '{\"a\":1,\"a\":2}'", REFQ_OUTPUT_JSON);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    run = run_script("echo NaN", REFQ_OUTPUT_JSON);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    run = run_script("echo 1 2", REFQ_OUTPUT_JSON);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
}
END_TEST

START_TEST(test_text)
{
    struct run run = run_script("printf 'a\\0\"b\\n\\303\\274'", REFQ_OUTPUT_TEXT);
    expect(&run, RQI_DONE, "\"a\\u0000\\\"b\\n\303\274\"");
    run = run_script("printf 'ab\\377'", REFQ_OUTPUT_TEXT);
    expect(&run, RQI_PERMANENT,
           "printed bytes that are not UTF-8 text, the first at offset 2; set output: base64");
}
END_TEST

START_TEST(test_base64)
{
    struct run run = run_script("printf '\\377\\376\\0?'", REFQ_OUTPUT_BASE64);
    expect(&run, RQI_DONE, "\"//4APw==\"");
}
END_TEST

START_TEST(test_flood_is_stopped_at_the_limit)
{
    const char *argv[] = {"head", "-c", "1000000000", "/dev/zero", NULL};
    refq_exec_def def = {.argv = argv, .max_output = 1000};
    int64_t before = rqi_mono_ms();
    struct run run = run_def(&def, "{}", 0);
    expect(&run, RQI_PERMANENT,
           "output exceeds the limit of 1000 bytes; raise max_output or use fewer results");
    ck_assert_int_lt(rqi_mono_ms() - before, 5000);
    const char *exact[] = {"printf", "%05d", "12345", NULL};
    def = (refq_exec_def){.argv = exact, .max_output = 5};
    run = run_def(&def, "{}", 0);
    expect(&run, RQI_DONE, "12345");
    def.max_output = 4;
    run = run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    const char *full[] = {"head", "-c", "16777216", "/dev/zero", NULL};
    def = (refq_exec_def){.argv = full, .output = REFQ_OUTPUT_BASE64};
    run = run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_DONE);
    ck_assert_uint_eq(run.value_len, (16777216 + 2) / 3 * 4 + 2);
}
END_TEST

/* --- Ends ------------------------------------------------------------------------------------- */

START_TEST(test_exit_codes)
{
    struct run run =
        run_script("echo first >&2; echo 'bad page' >&2; echo >&2; exit 1", REFQ_OUTPUT_JSON);
    expect(&run, RQI_RETRYABLE, "exit 1: bad page");
    ck_assert_str_eq(run.tail, "first\nbad page\n\n");
    run = run_script("exit 75", REFQ_OUTPUT_JSON);
    expect(&run, RQI_RETRYABLE, "exit 75");
    run = run_script("echo no >&2; exit 65", REFQ_OUTPUT_JSON);
    expect(&run, RQI_PERMANENT, "exit 65: no");
    run = run_script("kill -9 $$", REFQ_OUTPUT_JSON);
    expect(&run, RQI_RETRYABLE, "killed by signal 9 (Killed)");
    run = run_script("echo oops >&2; kill -SEGV $$", REFQ_OUTPUT_JSON);
    expect(&run, RQI_RETRYABLE, "killed by signal 11 (Segmentation fault): oops");
}
END_TEST

START_TEST(test_cannot_execute)
{
    write_script("plain", "exit 0", 0644);
    const char *argv[] = {"./plain", NULL};
    refq_exec_def def = {.argv = argv, .directory = dir};
    struct run run = run_def(&def, "{}", 0);
    expect(&run, RQI_PERMANENT, "cannot execute ./plain: Permission denied (is it executable?)");
    const char *missing[] = {"no-such-program-anywhere", NULL};
    def.argv = missing;
    run = run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    ck_assert_ptr_nonnull(
        strstr(run.error, "cannot execute no-such-program-anywhere: No such file or directory"));
    def.directory = "/no/such/directory";
    run = run_def(&def, "{}", 0);
    expect(&run, RQI_PERMANENT,
           "cannot change to the directory /no/such/directory: No such file or directory");
}
END_TEST

START_TEST(test_stderr_tail)
{
    struct run run = run_script("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); "
                                "done; printf 'x\\377y\\n' >&2; exit 1",
                                REFQ_OUTPUT_JSON);
    expect(&run, RQI_RETRYABLE, "exit 1: x?y");
    ck_assert_uint_le(strlen(run.tail), RQI_TAIL_MAX);
    ck_assert_uint_gt(strlen(run.tail), RQI_TAIL_MAX - 20);
    ck_assert_int_eq(strncmp(run.tail, "line ", 5), 0);
}
END_TEST

START_TEST(test_timeout)
{
    const char *argv[] = {"sleep", "1000", NULL};
    refq_exec_def def = {.argv = argv};
    struct run run = run_def(&def, "{}", 100);
    expect(&run, RQI_RETRYABLE, "timed out after 100ms");
    write_script("script", "trap '' TERM; echo up >&3; while :; do sleep 1; done", 0755);
    const char *deaf[] = {"./script", NULL};
    def = (refq_exec_def){.argv = deaf, .directory = dir, .kill_grace_ms = 100};
    run = run_def(&def, "{}", 300);
    expect(&run, RQI_RETRYABLE, "timed out after 300ms");
}
END_TEST

#define READY "echo '{\"progress\":{\"current\":1}}' >&3;"

static struct run run_cancelled(const char *body, int64_t grace_ms)
{
    write_script("script", body, 0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = dir, .kill_grace_ms = grace_ms};
    struct run run = {.cancel_on_progress = true};
    ck_assert_int_eq(start(&run, &def, "{}", 0), REFQ_OK);
    wait_done(&run);
    expect(&run, RQI_CANCELLED, "cancelled");
    return run;
}

START_TEST(test_cancel)
{
    (void)run_cancelled(READY "exec sleep 1000", 20000);
    int64_t before = rqi_mono_ms();
    (void)run_cancelled("trap '' TERM;" READY "while :; do sleep 1; done", 200);
    /* libevent reads the clock once a turn of the loop: a timer may be a little early. */
    ck_assert_int_ge(rqi_mono_ms() - before, 190);
    struct run run =
        run_cancelled("trap '' TERM;" READY "read line <&3; echo \"$line\" >&2; exit 0", 20000);
    ck_assert_str_eq(run.tail, "{\"cancel\":true}\n");
}
END_TEST

START_TEST(test_cancel_before_it_runs)
{
    const char *argv[] = {"sleep", "1000", NULL};
    refq_exec_def def = {.argv = argv};
    struct run run = {0};
    ck_assert_int_eq(start(&run, &def, "{}", 0), REFQ_OK);
    rqi_exec_cancel(run.exec);
    rqi_exec_cancel(run.exec);
    ck_assert_int_eq(run.done, 0);
    wait_done(&run);
    expect(&run, RQI_CANCELLED, "cancelled");
}
END_TEST

/* --- Progress --------------------------------------------------------------------------------- */

START_TEST(test_progress)
{
    write_script("script",
                 "echo '{\"progress\":{\"current\":3,\"total\":12,\"message\":\"page 3\"}}' >&3\n"
                 "echo '{\"ask\":\"what?\"}' >&3; echo nonsense >&3\n"
                 "echo '{\"progress\":{\"current\":-1}}' >&3\n"
                 "head -c 100000 /dev/zero >&3; echo >&3\n"
                 "printf '{\"progress\":{\"current\":4}}\\n{\"progress\":' >&3; exec 3>&-; echo 1",
                 0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = dir};
    struct run run = {0};
    refq_logger log = {.fn = on_log, .arg = &run};
    rqi_exec_call call = {.def = &def,
                          .args = {.ptr = "{}", .len = 2},
                          .log = &log,
                          .on_progress = on_progress,
                          .on_done = on_done,
                          .arg = &run};
    ck_assert_int_eq(rqi_exec_start(keeper, &call, &run.exec, &error), REFQ_OK);
    wait_done(&run);
    expect(&run, RQI_DONE, "1");
    ck_assert_int_eq(run.n_progress, 2);
    ck_assert_int_eq(run.current, 4);
    ck_assert_int_eq(run.total, 0);
    ck_assert_str_eq(run.message, "(none)");
    ck_assert_int_eq(run.n_debug, 4);
}
END_TEST

START_TEST(test_progress_lines)
{
    rqi_progress p;
    static const char good[] = "{\"progress\":{\"current\":3,\"total\":12,\"message\":\"page 3\"}}";
    ck_assert(rqi_progress_parse(good, strlen(good), &p));
    ck_assert_int_eq(p.current, 3);
    ck_assert_int_eq(p.total, 12);
    ck_assert_str_eq(p.message, "page 3");
    static const char *const bad[] = {"",
                                      "{}",
                                      "[]",
                                      "{\"progress\":3}",
                                      "{\"progress\":{}}",
                                      "{\"progress\":{\"current\":1.5}}",
                                      "{\"progress\":{\"current\":\"1\"}}",
                                      "{\"progress\":{\"current\":1,\"total\":-1}}",
                                      "{\"progress\":{\"current\":1,\"message\":1}}",
                                      "{\"progress\":{\"current\":1,\"current\":2}}",
                                      "{\"progress\":{\"current\":99999999999999999999}}",
                                      NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        ck_assert_msg(!rqi_progress_parse(bad[i], strlen(bad[i]), &p), "%s", bad[i]);
    }
    char line[256];
    (void)snprintf(line, sizeof line,
                   "{\"progress\":{\"current\":1,\"message\":\"%063d\303\274\"}}", 0);
    ck_assert(rqi_progress_parse(line, strlen(line), &p));
    ck_assert_uint_eq(strlen(p.message), 63);
}
END_TEST

static void collect_line(void *arg, const char *line, size_t len)
{
    (void)len;
    rqi_buf_addf(arg, "<%s>", line != NULL ? line : "long");
}

START_TEST(test_lines)
{
    rqi_lines lines = {0};
    rqi_buf seen = {0};
    static char many[RQI_LINE_MAX + 1];
    memset(many, 'x', sizeof many);
    rqi_lines_add(&lines, "ab", 2, collect_line, &seen);
    rqi_lines_add(&lines, "c\n\nd", 4, collect_line, &seen);
    rqi_lines_add(&lines, many, sizeof many, collect_line, &seen);
    rqi_lines_add(&lines, "x\ne\n", 4, collect_line, &seen);
    ck_assert_str_eq(rqi_buf_str(&seen), "<abc><><long><e>");
    rqi_lines_done(&lines);
    rqi_buf_done(&seen);
}
END_TEST

START_TEST(test_tail_and_text)
{
    rqi_tail tail = {0};
    char text[] = "\303\274\303\274";
    for (int i = 0; i < RQI_TAIL_MAX; i++) {
        rqi_tail_add(&tail, text + 1, 2);
    }
    rqi_buf out = rqi_tail_take(&tail);
    ck_assert_uint_gt(out.len, RQI_TAIL_MAX - 4);
    ck_assert_int_ne(out.ptr[0], '?');
    rqi_buf_done(&out);
    out = rqi_tail_take(&tail);
    ck_assert_uint_eq(out.len, 0);
    char mixed[] = "a\377\0b\303";
    rqi_text_clean(mixed, sizeof mixed - 1);
    ck_assert_str_eq(mixed, "a??b?");
    rqi_text_clean(mixed, 0);
    rqi_outcome outcome = {0};
    rqi_outcome_fail(&outcome, RQI_PERMANENT, "%0*d\303\274\303\274", RQI_ERROR_MAX - 2, 1);
    ck_assert_uint_eq(strlen(outcome.error), RQI_ERROR_MAX - 2);
    rqi_outcome_done(&outcome);
}
END_TEST

/* --- Command line and environment ------------------------------------------------------------- */

static void expect_argv(const char *template, const char *args, bool dash, const char *want)
{
    const char *argv[] = {"prog", template, NULL};
    rqi_strv v = {0};
    refq_bytes bytes = {.ptr = args, .len = strlen(args)};
    ck_assert_msg(rqi_argv_expand(argv, bytes, dash, &v, &error) == REFQ_OK, "%s: %s", template,
                  error.text);
    char **got = rqi_strv_make(&v);
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(v.n, 2);
    ck_assert_str_eq(got[1], want);
    ck_assert_ptr_null(got[2]);
    rqi_strv_done(&v);
}

static void expect_no_argv(const char *template, const char *args, const char *want)
{
    const char *argv[] = {"prog", template, NULL};
    rqi_strv v = {0};
    refq_bytes bytes = {.ptr = args, .len = strlen(args)};
    ck_assert_int_eq(rqi_argv_expand(argv, bytes, false, &v, &error), REFQ_ERR_INVALID);
    ck_assert_msg(strstr(error.text, want) != NULL, "%s", error.text);
    rqi_strv_done(&v);
}

START_TEST(test_argv)
{
    expect_argv("{path}", "{\"path\":\"a b;$(x)\"}", false, "a b;$(x)");
    expect_argv("--in={path}!", "{\"path\":\"-x\"}", false, "--in=-x!");
    expect_argv("{a}{b}", "{\"a\":1,\"b\":true}", false, "1true");
    expect_argv("{a}", "{\"a\":0.1}", false, "0.1");
    expect_argv("{a}", "{\"a\":[1, {\"b\": null}]}", false, "[1,{\"b\":null}]");
    expect_argv("{{{a}}}", "{\"a\":\"{b}\"}", false, "{{b}}");
    expect_argv("{{a}}", "not even JSON is looked at", false, "{a}");
    expect_argv("plain", "", false, "plain");
    expect_argv("", "{}", false, "");
    expect_argv("{a}", "{\"a\":\"-x\"}", true, "-x");
    expect_no_argv("{a}", "{\"a\":\"-x\"}", "'a' starts with '-'");
    expect_no_argv("{a}", "{\"a\":-5}", "'a' starts with '-'");
    expect_no_argv("{e}{a}", "{\"e\":\"\",\"a\":\"-x\"}", "'a' starts with '-'");
    expect_no_argv("{a}", "{}", "{a} in the command needs the argument 'a', which is missing");
    expect_no_argv("{a}", "{\"a\":null}", "which is null");
    expect_no_argv("{a}", "{\"a\":\"x\\u0000y\"}", "NUL");
    expect_no_argv("{a}", "[1]", "not a JSON object");
    expect_no_argv("{a", "{}", "unbalanced");
}
END_TEST

START_TEST(test_argv_check)
{
    static const char *const bad[] = {"{",      "}",    "{}",    "a{b",       "a}b",
                                      "{a{b}}", "{a}}", "{a b}", "{\"a\":1}", NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        const char *argv[] = {"prog", bad[i], NULL};
        ck_assert_msg(rqi_argv_check(argv, &error) == REFQ_ERR_INVALID, "%s", bad[i]);
    }
    const char *good[] = {"./prog", "{a}", "--b={b}", "{{}}", "", NULL};
    ck_assert_int_eq(rqi_argv_check(good, &error), REFQ_OK);
    const char *none[] = {NULL};
    ck_assert_int_eq(rqi_argv_check(none, &error), REFQ_ERR_INVALID);
    ck_assert_int_eq(rqi_argv_check(NULL, &error), REFQ_ERR_INVALID);
    const char *chosen[] = {"{tool}", NULL};
    ck_assert_int_eq(rqi_argv_check(chosen, &error), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "placeholder"));
}
END_TEST

START_TEST(test_start_refuses)
{
    int fds = count_fds();
    const char *argv[] = {"echo", "{path}", NULL};
    refq_exec_def def = {.argv = argv};
    struct run run = {0};
    ck_assert_int_eq(start(&run, &def, "{}", 0), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "'path'"));
    char *args = malloc(200000);
    ck_assert_ptr_nonnull(args);
    (void)snprintf(args, 200000, "{\"path\":\"%0150000d\"}", 0);
    ck_assert_int_eq(start(&run, &def, args, 0), REFQ_ERR_LIMIT);
    free(args);
    const char *env[] = {"NONSENSE", NULL};
    def.env = env;
    ck_assert_int_eq(start(&run, &def, "{\"path\":\"a\"}", 0), REFQ_ERR_INVALID);
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

START_TEST(test_largest_command_line)
{
    static char big[96 * 1024 - 2048];
    memset(big, 'x', sizeof big - 1);
    const char *argv[] = {"sh", "-c", "echo ${{#0}}", big, NULL};
    refq_exec_def def = {.argv = argv};
    struct run run = run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_DONE);
    ck_assert_int_eq(strtol(run.value, NULL, 10), (long)sizeof big - 1);
}
END_TEST

START_TEST(test_environment)
{
    ck_assert_int_eq(setenv("REFQ_REDIS", "redis://secret", 1), 0);
    ck_assert_int_eq(setenv("REFQ_REDIS_PASSWORD", "secret", 1), 0);
    ck_assert_int_eq(setenv("HOME", "/worker", 1), 0);
    ck_assert_int_eq(setenv("OTHER", "1", 1), 0);
    ck_assert_int_eq(unsetenv("PATH"), 0);
    const char *argv[] = {"env", NULL};
    const char *env[] = {"MINE=a=b", "HOME=/mine", "REFQ_REDIS=x", "REFQ_FENCE=9", NULL};
    refq_exec_def def = {.argv = argv, .env = env, .output = REFQ_OUTPUT_TEXT};
    struct run run = run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_DONE);
    static const char *const wanted[] = {"REFQ_REF_ID=docs:0123\\n",
                                         "REFQ_ATTEMPT=2\\n",
                                         "REFQ_FENCE=7-1\\n",
                                         "TRACEPARENT=00-aa-bb-01\\n",
                                         "MINE=a=b\\n",
                                         "HOME=/mine\\n",
                                         "PATH=/usr/local/sbin:/usr/local/bin:",
                                         NULL};
    for (size_t i = 0; wanted[i] != NULL; i++) {
        ck_assert_msg(strstr(run.value, wanted[i]) != NULL, "%s not in %s", wanted[i], run.value);
    }
    ck_assert_ptr_null(strstr(run.value, "REFQ_REDIS"));
    ck_assert_ptr_null(strstr(run.value, "OTHER"));
    ck_assert_ptr_null(strstr(run.value, "/worker"));
}
END_TEST

START_TEST(test_path_of_the_definition)
{
    write_script("my-tool", "echo 42", 0755);
    char path[128];
    (void)snprintf(path, sizeof path, "PATH=%s:/bin:/usr/bin", dir);
    const char *argv[] = {"my-tool", NULL};
    const char *env[] = {path, NULL};
    refq_exec_def def = {.argv = argv, .env = env};
    struct run run = run_def(&def, "{}", 0);
    expect(&run, RQI_DONE, "42");
}
END_TEST

START_TEST(test_what_a_program_inherits)
{
    (void)signal(SIGPIPE, SIG_IGN);
    struct run run = run_script("ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' "
                                "/proc/self/status | tr -d '\\n\\t'; "
                                "ps -o pgid= -p $$ | tr -d ' ' | sed \"s/^$$\\$/leader/\"",
                                REFQ_OUTPUT_TEXT);
    /* ls has one more, the directory it reads. */
    ck_assert_msg(strstr(run.value, "\"0 1 2 3 4 Sig") != NULL, "%s", run.value);
    ck_assert_ptr_nonnull(strstr(run.value, "SigBlk:0000000000000000"));
    ck_assert_ptr_nonnull(strstr(run.value, "SigIgn:0000000000000000"));
    ck_assert_ptr_nonnull(strstr(run.value, "leader"));
}
END_TEST

/* --- Nothing is left behind ------------------------------------------------------------------- */

static void begin_marked(struct run *run, refq_exec_def *def, const char *body)
{
    static const char *argv[] = {"./script", "{mark}", NULL};
    write_script("script", body, 0755);
    *def = (refq_exec_def){.argv = argv, .directory = dir};
    char args[80];
    (void)snprintf(args, sizeof args, "{\"mark\":\"%s\"}", run->mark);
    ck_assert_msg(start(run, def, args, 0) == REFQ_OK, "%s", error.text);
}

/* Background children in the group, out of it, and orphaned by a double fork. */
#define LITTER                                                                \
    "sleep $1 & setsid sleep $1 & (setsid sh -c \"sleep $1 & sleep $1\" &)\n" \
    "setsid sh -c \"trap '' TERM HUP; sleep $1\" &\n"

START_TEST(test_background_children_end_with_the_program)
{
    struct run run = {.mark = new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    wait_marked(run.mark, 8);
    rqi_exec_cancel(run.exec);
    wait_done(&run);
    ck_assert_int_eq(run.marked, 0);

    run = (struct run){.mark = new_mark()};
    begin_marked(&run, &def, LITTER "echo 1");
    wait_done(&run);
    expect(&run, RQI_DONE, "1");
    ck_assert_int_eq(run.marked, 0);
}
END_TEST

START_TEST(test_a_neighbour_keeps_its_daemons)
{
    struct run run = {.mark = new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, "(setsid sleep $1 &)\nexec sleep 1000");
    wait_marked(run.mark, 1);
    const char *argv[] = {"sh", "-c", "(setsid sleep 1000 &); echo 1", NULL};
    refq_exec_def other = {.argv = argv};
    for (int i = 0; i < 3; i++) {
        struct run neighbour = run_def(&other, "{}", 0);
        expect(&neighbour, RQI_DONE, "1");
    }
    ck_assert_int_eq(count_marked(run.mark), 1);
    rqi_exec_cancel(run.exec);
    wait_done(&run);
    ck_assert_int_eq(run.marked, 0);
}
END_TEST

START_TEST(test_stop_ends_everything)
{
    struct run run = {.mark = new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    wait_marked(run.mark, 8);
    rqi_keeper_stop(keeper);
    ck_assert_int_eq(count_marked(run.mark), 0);
    ck_assert_int_eq(run.done, 0);
    rqi_exec_drop(run.exec);
    event_base_free(base);
    start_keeper();
}
END_TEST

/* A worker of its own, to be killed. Its stderr is a pipe that the keeper and minders inherit and
 * programs do not, so its end shows that they are gone. */
static _Noreturn void be_worker(const char *mark, int err_fd)
{
    (void)dup2(err_fd, 2);
    (void)close(err_fd);
    start_keeper();
    struct run run = {.mark = mark};
    struct run second = {.mark = mark};
    refq_exec_def def;
    refq_exec_def def2;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    begin_marked(&second, &def2, LITTER "exec sleep $1");
    (void)event_base_dispatch(base);
    _exit(3);
}

START_TEST(test_kill_9_of_the_worker)
{
    const char *mark = new_mark();
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid_t worker = fork();
    if (worker == 0) {
        be_worker(mark, fds[1]);
    }
    (void)close(fds[1]);
    wait_marked(mark, 16);
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    char c;
    ck_assert_int_eq(read(fds[0], &c, 1), 0);
    ck_assert_int_eq(count_marked(mark), 0);
    (void)close(fds[0]);
}
END_TEST

START_TEST(test_keeper_dies)
{
    struct run run = {.mark = new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    wait_marked(run.mark, 8);
    pid_t pid = find_child(getpid(), "refq-keeper");
    ck_assert_int_gt(pid, 0);
    /* Not for the keeper: the worker decides. */
    (void)kill(pid, SIGINT);
    (void)kill(pid, SIGTERM);
    (void)kill(pid, SIGHUP);
    const char *argv[] = {"echo", "1", NULL};
    refq_exec_def other = {.argv = argv};
    struct run again = run_def(&other, "{}", 0);
    expect(&again, RQI_DONE, "1");

    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    wait_done(&run);
    ck_assert_int_eq(run.kind, RQI_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(run.error, "looks after programs"));
    ck_assert_int_eq(run.marked, 0);
    int64_t deadline = rqi_mono_ms() + BUDGET_MS;
    int fds = count_fds();
    while (start(&again, &other, "{}", 0) == REFQ_OK) {
        again.done = 0;
        wait_done(&again);
        ck_assert_int_lt(rqi_mono_ms(), deadline);
    }
    ck_assert_int_eq(error.code, REFQ_ERR_CLOSED);
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

START_TEST(test_minder_dies)
{
    struct run run = {.mark = new_mark()};
    refq_exec_def def;
    begin_marked(&run, &def, LITTER "exec sleep $1");
    wait_marked(run.mark, 8);
    pid_t minder = find_child(find_child(getpid(), "refq-keeper"), "refq-minder");
    ck_assert_int_gt(minder, 0);
    ck_assert_int_eq(kill(minder, SIGKILL), 0);
    wait_done(&run);
    ck_assert_int_eq(run.kind, RQI_RETRYABLE);
    ck_assert_int_eq(run.marked, 0);
    const char *argv[] = {"echo", "1", NULL};
    refq_exec_def other = {.argv = argv};
    struct run again = run_def(&other, "{}", 0);
    expect(&again, RQI_DONE, "1");
}
END_TEST

/* --- Many ------------------------------------------------------------------------------------- */

#define MANY 200

START_TEST(test_many_at_once)
{
    static struct run runs[MANY];
    int fds = count_fds();
    const char *argv[] = {"sh", "-c", "cat; echo {n} >&2; sleep 0.2", NULL};
    refq_exec_def def = {.argv = argv};
    for (int i = 0; i < MANY; i++) {
        char args[64];
        (void)snprintf(args, sizeof args, "{\"n\":%d}", i);
        ck_assert_msg(start(&runs[i], &def, args, 0) == REFQ_OK, "%s", error.text);
    }
    for (int i = 0; i < MANY; i++) {
        char want[64];
        wait_done(&runs[i]);
        (void)snprintf(want, sizeof want, "{\"n\":%d}", i);
        expect(&runs[i], RQI_DONE, want);
        (void)snprintf(want, sizeof want, "%d\n", i);
        ck_assert_str_eq(runs[i].tail, want);
    }
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

START_TEST(test_many_cancelled_while_queued)
{
    static struct run runs[MANY];
    static char padding[16 * 1024];
    memset(padding, 'x', sizeof padding - 1);
    int fds = count_fds();
    const char *argv[] = {"sleep", "1000", padding, NULL};
    refq_exec_def def = {.argv = argv};
    for (int i = 0; i < MANY; i++) {
        ck_assert_msg(start(&runs[i], &def, "{}", 0) == REFQ_OK, "%s", error.text);
        rqi_exec_cancel(runs[i].exec);
    }
    for (int i = 0; i < MANY; i++) {
        wait_done(&runs[i]);
        expect(&runs[i], RQI_CANCELLED, "cancelled");
    }
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

START_TEST(test_many_one_after_the_other)
{
    const char *argv[] = {"true", NULL};
    refq_exec_def def = {.argv = argv, .output = REFQ_OUTPUT_TEXT};
    (void)run_def(&def, "{}", 0);
    int fds = count_fds();
    for (int i = 0; i < 100; i++) {
        struct run run = run_def(&def, "{}", 1000000);
        expect(&run, RQI_DONE, "\"\"");
    }
    ck_assert_int_eq(count_fds(), fds);
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return tc;
}

static Suite *exec_suite(void)
{
    Suite *suite = suite_create("exec");
    TCase *output = add_case(suite, "output");
    tcase_add_test(output, test_json_in_json_out);
    tcase_add_test(output, test_large_args_read_and_unread);
    tcase_add_test(output, test_input_none);
    tcase_add_test(output, test_json_is_trimmed_and_verbatim);
    tcase_add_test(output, test_no_output);
    tcase_add_test(output, test_not_json);
    tcase_add_test(output, test_text);
    tcase_add_test(output, test_base64);
    tcase_add_test(output, test_flood_is_stopped_at_the_limit);
    TCase *ends = add_case(suite, "ends");
    tcase_add_test(ends, test_exit_codes);
    tcase_add_test(ends, test_cannot_execute);
    tcase_add_test(ends, test_stderr_tail);
    tcase_add_test(ends, test_timeout);
    tcase_add_test(ends, test_cancel);
    tcase_add_test(ends, test_cancel_before_it_runs);
    TCase *progress = add_case(suite, "progress");
    tcase_add_test(progress, test_progress);
    tcase_add_test(progress, test_progress_lines);
    tcase_add_test(progress, test_lines);
    tcase_add_test(progress, test_tail_and_text);
    TCase *command = add_case(suite, "command");
    tcase_add_test(command, test_argv);
    tcase_add_test(command, test_argv_check);
    tcase_add_test(command, test_start_refuses);
    tcase_add_test(command, test_largest_command_line);
    tcase_add_test(command, test_environment);
    tcase_add_test(command, test_path_of_the_definition);
    tcase_add_test(command, test_what_a_program_inherits);
    TCase *left = add_case(suite, "left behind");
    tcase_add_test(left, test_background_children_end_with_the_program);
    tcase_add_test(left, test_a_neighbour_keeps_its_daemons);
    tcase_add_test(left, test_stop_ends_everything);
    tcase_add_test(left, test_kill_9_of_the_worker);
    tcase_add_test(left, test_keeper_dies);
    tcase_add_test(left, test_minder_dies);
    TCase *many = add_case(suite, "many");
    tcase_add_test(many, test_many_at_once);
    tcase_add_test(many, test_many_cancelled_while_queued);
    tcase_add_test(many, test_many_one_after_the_other);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(exec_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
