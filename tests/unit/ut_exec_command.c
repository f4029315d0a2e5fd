/* SPDX-License-Identifier: MIT */
/* Command line and environment of a program. */
#include "run/argv.h"
#include "run/exec_def.h"
#include "support/exec_run.h"
#include "support/main.h"

#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- Command line and environment ------------------------------------------------------------- */

static void expect_argv(const char *template, const char *args, bool dash, const char *want)
{
    const char *argv[] = {"prog", template, NULL};
    const rqi_template t = {.argv = argv, .output = "out/result", .allow_dash = dash};
    rqi_strv v = {0};
    refq_bytes bytes = {.ptr = args, .len = strlen(args)};
    ck_assert_msg(rqi_argv_expand(&t, bytes, &v, &rqt_error) == REFQ_OK, "%s: %s", template,
                  rqt_error.text);
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
    const rqi_template t = {.argv = argv};
    rqi_strv v = {0};
    refq_bytes bytes = {.ptr = args, .len = strlen(args)};
    ck_assert_int_eq(rqi_argv_expand(&t, bytes, &v, &rqt_error), REFQ_ERR_INVALID);
    ck_assert_msg(strstr(rqt_error.text, want) != NULL, "%s", rqt_error.text);
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
    expect_argv("--to={@output}{a}", "{\"a\":1}", false, "--to=out/result1");
    expect_no_argv("{@output}", "{}", "{@output} in the command needs output: file");
    expect_no_argv("{@input}", "{}", "unbalanced");
    expect_no_argv("{a}", "{\"a\":\"-x\"}", "'a' starts with '-'");
    expect_no_argv("{a}", "{\"a\":-5}", "'a' starts with '-'");
    expect_no_argv("{e}{a}", "{\"e\":\"\",\"a\":\"-x\"}", "'a' starts with '-'");
    expect_no_argv("{e}-x", "{\"e\":\"\"}", "'{e}-x' of the command starts with '-'");
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
        ck_assert_msg(rqi_argv_check(argv, &rqt_error) == REFQ_ERR_INVALID, "%s", bad[i]);
    }
    const char *good[] = {"./prog", "{a}", "--b={b}", "{{}}", "", NULL};
    ck_assert_int_eq(rqi_argv_check(good, &rqt_error), REFQ_OK);
    const char *none[] = {NULL};
    ck_assert_int_eq(rqi_argv_check(none, &rqt_error), REFQ_ERR_INVALID);
    ck_assert_int_eq(rqi_argv_check(NULL, &rqt_error), REFQ_ERR_INVALID);
    const char *chosen[] = {"{tool}", NULL};
    ck_assert_int_eq(rqi_argv_check(chosen, &rqt_error), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(rqt_error.text, "placeholder"));
    const char *output[] = {"{@output}", NULL};
    ck_assert_int_eq(rqi_argv_check(output, &rqt_error), REFQ_ERR_INVALID);
    const char *file[] = {"cp", "a", "{@output}", NULL};
    refq_exec_def def = {.argv = file};
    ck_assert_int_eq(rqi_exec_def_check(&def, &rqt_error), REFQ_ERR_INVALID);
    ck_assert_str_eq(rqt_error.text, "{@output} in the command needs output: file");
    def.output = REFQ_OUTPUT_FILE;
    ck_assert_int_eq(rqi_exec_def_check(&def, &rqt_error), REFQ_OK);
}
END_TEST

START_TEST(test_start_refuses)
{
    int fds = rqt_count_fds();
    const char *argv[] = {"echo", "{path}", NULL};
    refq_exec_def def = {.argv = argv};
    struct rqt_run run = {0};
    ck_assert_int_eq(rqt_run_start(&run, &def, "{}", 0), REFQ_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(rqt_error.text, "'path'"));
    char *args = malloc(200000);
    ck_assert_ptr_nonnull(args);
    (void)snprintf(args, 200000, "{\"path\":\"%0150000d\"}", 0);
    ck_assert_int_eq(rqt_run_start(&run, &def, args, 0), REFQ_ERR_LIMIT);
    free(args);
    const char *env[] = {"NONSENSE", NULL};
    def.env = env;
    ck_assert_int_eq(rqt_run_start(&run, &def, "{\"path\":\"a\"}", 0), REFQ_ERR_INVALID);
    ck_assert_int_eq(rqt_count_fds(), fds);
}
END_TEST

START_TEST(test_largest_command_line)
{
    static char big[96 * 1024 - 2048];
    memset(big, 'x', sizeof big - 1);
    const char *argv[] = {"sh", "-c", "echo ${{#0}}", big, NULL};
    refq_exec_def def = {.argv = argv};
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
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
    const char *env[] = {"MINE=a=b",
                         "HOME=/mine",
                         "REFQ_REDIS=x",
                         "REFQ_FENCE=9",
                         "REFQ_REDIS_PASSWORD_FILE=x",
                         "REFQ_SENTINEL_PASSWORD=x",
                         NULL};
    refq_exec_def def = {.argv = argv, .env = env, .output = REFQ_OUTPUT_TEXT};
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
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
    ck_assert_ptr_null(strstr(run.value, "REFQ_SENTINEL"));
    ck_assert_ptr_null(strstr(run.value, "OTHER"));
    ck_assert_ptr_null(strstr(run.value, "/worker"));
}
END_TEST

/* What programs get of the worker's environment. None of these can be wrong in itself: the bad case
 * of each is that it is absent. */
static const struct {
    const char *name;
    const char *good;
    const char *bad;
    const char *then; /* what a program sees when it is absent; NULL = nothing */
} handed_on[] = {
    {"PATH", "/opt/bin:/usr/bin:/bin", NULL, "PATH=/usr/local/sbin:"},
    {"HOME", "/srv/of it", NULL, NULL},
    {"LANG", "de_DE.UTF-8", NULL, NULL},
    {"LC_ALL", "C.UTF-8", NULL, NULL},
    {"TZ", "Europe/Berlin", NULL, NULL},
    {"TMPDIR", "/var/tmp", NULL, NULL},
    {"USER", "ocr", NULL, NULL},
};

static struct rqt_run run_env(void)
{
    static const char *const argv[] = {"env", NULL};
    const refq_exec_def def = {.argv = argv, .output = REFQ_OUTPUT_TEXT};
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_DONE);
    return run;
}

/* Whether a line of what `env` printed, as JSON, begins so. */
static bool has_line(const struct rqt_run *run, const char *text)
{
    char line[64];
    (void)snprintf(line, sizeof line, "\\n%s", text);
    return strncmp(run->value + 1, text, strlen(text)) == 0 || strstr(run->value, line) != NULL;
}

START_TEST(test_what_is_handed_on)
{
    char line[64];
    const char *name = handed_on[_i].name;
    ck_assert_int_eq(setenv(name, handed_on[_i].good, 1), 0);
    struct rqt_run run = run_env();
    (void)snprintf(line, sizeof line, "%s=%s\\n", name, handed_on[_i].good);
    ck_assert_msg(has_line(&run, line), "%s not in %s", line, run.value);
    ck_assert_int_eq(unsetenv(name), 0);
    run = run_env();
    (void)snprintf(line, sizeof line, "%s=", name);
    const char *then = handed_on[_i].then;
    ck_assert_msg(then != NULL ? has_line(&run, then) : !has_line(&run, line), "%s: %s", name,
                  run.value);
}
END_TEST

#define SECRET_NAME "REFQ_REDIS_PASSWORD"
#define SECRET      "not-for-programs"

/* A program runs as the worker's user, so the kernel shows it the environment of the processes
 * above it, unless they forbid that. */
START_TEST(test_the_environment_of_the_parents)
{
    struct rqt_run run =
        rqt_run_script("keeper=$(sed 's/.*) . //; s/ .*//' /proc/$PPID/stat)\n"
                       "for pid in $$ $PPID $keeper; do\n"
                       "  tr '\\0' '\\n' </proc/$pid/environ && echo read || echo refused\n"
                       "done 2>&1",
                       REFQ_OUTPUT_TEXT);
    ck_assert_int_eq(run.kind, RQI_DONE);
    ck_assert_ptr_nonnull(strstr(run.value, "read\\n"));
    ck_assert_msg(strstr(run.value, SECRET) == NULL, "%s", run.value);
}
END_TEST

START_TEST(test_path_of_the_definition)
{
    rqt_script("my-tool", "echo 42", 0755);
    char path[128];
    (void)snprintf(path, sizeof path, "PATH=%s:/bin:/usr/bin", rqt_dir);
    const char *argv[] = {"my-tool", NULL};
    const char *env[] = {path, NULL};
    refq_exec_def def = {.argv = argv, .env = env};
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_DONE, "42");
}
END_TEST

START_TEST(test_what_a_program_inherits)
{
    (void)signal(SIGPIPE, SIG_IGN);
    struct rqt_run run = rqt_run_script("ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' "
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

/* --- Limits ----------------------------------------------------------------------------------- */

static struct rqt_run run_limited(const char *body, refq_exec_limits limits)
{
    rqt_script("script", body, 0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {
        .argv = argv, .directory = rqt_dir, .output = REFQ_OUTPUT_TEXT, .limits = limits};
    return rqt_run_def(&def, "{}", 0);
}

#define SHOW \
    "awk '/^Max (cpu|file size|processes|open files|address)/' /proc/self/limits | tr -s ' '"

START_TEST(test_limits_are_set)
{
    refq_exec_limits limits = {.memory = (size_t)1 << 32,
                               .file_size = 123456,
                               .cpu_ms = 9001,
                               .open_files = 77,
                               .processes = 30000};
    struct rqt_run run = run_limited(SHOW, limits);
    static const char *const wanted[] = {"Max cpu time 10 15 ",
                                         "Max file size 123456 123456 ",
                                         "Max processes 30000 30000 ",
                                         "Max open files 77 77 ",
                                         "Max address space 4294967296 4294967296 ",
                                         NULL};
    for (size_t i = 0; wanted[i] != NULL; i++) {
        ck_assert_msg(strstr(run.value, wanted[i]) != NULL, "%s: %s", wanted[i], run.value);
    }
    struct rqt_run plain = run_limited(SHOW, (refq_exec_limits){0});
    ck_assert_ptr_null(strstr(plain.value, "Max open files 77"));
    ck_assert_ptr_null(strstr(plain.value, "Max file size 123456"));
}
END_TEST

/* What the worker itself is bound to stays, and is no failure. */
START_TEST(test_stricter_limits_stay)
{
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = 200};
    rqt_keeper_down();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    rqt_keeper_up();
    struct rqt_run run = run_limited(SHOW, (refq_exec_limits){.open_files = 1000});
    ck_assert_msg(strstr(run.value, "Max open files 100 200 ") != NULL, "%s", run.value);
    run = run_limited(SHOW, (refq_exec_limits){.open_files = 150});
    ck_assert_msg(strstr(run.value, "Max open files 100 150 ") != NULL, "%s", run.value);
}
END_TEST

START_TEST(test_limits_that_are_hit)
{
    struct rqt_run run = run_limited("while :; do :; done", (refq_exec_limits){.cpu_ms = 1000});
    rqt_run_expect(&run, RQI_RETRYABLE,
                   "used more CPU time than its limit of 1.0s; raise limits: cpu");
    static const char too_large[] =
        "wrote a file larger than its limit of 1000 bytes; raise limits: file_size";
    run = run_limited("exec head -c 2000 /dev/zero >large", (refq_exec_limits){.file_size = 1000});
    rqt_run_expect(&run, RQI_RETRYABLE, too_large);
    run = run_limited("head -c 2000 /dev/zero >large; exit $?",
                      (refq_exec_limits){.file_size = 1000});
    rqt_run_expect(&run, RQI_RETRYABLE, too_large);
    run = run_limited("kill -XCPU $$", (refq_exec_limits){0});
    rqt_run_expect(&run, RQI_RETRYABLE, "killed by signal 24 (CPU time limit exceeded)");
    run = run_limited("exec awk 'BEGIN { s = \"xxxxxxxx\"; while (length(s) < 1e9) s = s s }'",
                      (refq_exec_limits){.memory = (size_t)64 << 20});
    ck_assert_int_eq(run.kind, RQI_RETRYABLE);
}
END_TEST

START_TEST(test_limits_check)
{
    static const struct {
        refq_exec_limits limits;
        const char *says;
    } bad[] = {
        {{.memory = 1}, "limits: memory is out of range; allowed are 1 MiB to 1 PiB"},
        {{.memory = SIZE_MAX}, "limits: memory is out of range; allowed are 1 MiB to 1 PiB"},
        {{.file_size = SIZE_MAX}, "limits: file_size is out of range; allowed are 1 byte to 1 PiB"},
        {{.cpu_ms = -1}, "limits: cpu is out of range; allowed are 1 s to 366 days"},
        {{.open_files = 3}, "limits: open_files is out of range; allowed are 16 to 1048576"},
        {{.processes = UINT32_MAX}, "limits: processes is out of range; allowed are 1 to 4194304"},
    };
    const char *argv[] = {"true", NULL};
    refq_exec_def def = {.argv = argv};
    ck_assert_int_eq(rqi_exec_def_check(&def, &rqt_error), REFQ_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        def.limits = bad[i].limits;
        ck_assert_int_eq(rqi_exec_def_check(&def, &rqt_error), REFQ_ERR_LIMIT);
        ck_assert_str_eq(rqt_error.text, bad[i].says);
    }
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

/* Starts over with a secret in what the kernel shows as the environment, and without the rights of
 * root to see everything. */
static void begin_with_a_secret(char **argv)
{
    static const int rights[] = {CAP_SYS_PTRACE, CAP_PERFMON, CAP_SYS_ADMIN};
    const char *without = getenv("CK_EXCLUDE_TAGS");
    bool excluded = without != NULL && strstr(without, "native") != NULL;
    if (excluded || getenv(SECRET_NAME) != NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        (void)prctl(PR_CAPBSET_DROP, rights[i], 0, 0, 0); /* others have none to drop */
    }
    (void)setenv(SECRET_NAME, SECRET, 1);
    (void)execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    (void)argc;
    begin_with_a_secret(argv);
    Suite *suite = suite_create("exec_command");
    TCase *command = rqt_exec_case(suite, "command");
    tcase_add_test(command, test_argv);
    tcase_add_test(command, test_argv_check);
    tcase_add_test(command, test_start_refuses);
    tcase_add_test(command, test_largest_command_line);
    tcase_add_test(command, test_environment);
    tcase_add_loop_test(command, test_what_is_handed_on, 0,
                        (int)(sizeof handed_on / sizeof handed_on[0]));
    tcase_add_test(command, test_path_of_the_definition);
    tcase_add_test(command, test_what_a_program_inherits);
    TCase *secrets = rqt_exec_case(suite, "secrets");
    tcase_set_tags(secrets, "native"); /* the program starts over, which valgrind cannot */
    tcase_add_test(secrets, test_the_environment_of_the_parents);
    TCase *limits = rqt_exec_case(suite, "limits");
    tcase_set_tags(limits, "native"); /* valgrind has descriptors and memory of its own */
    tcase_add_test(limits, test_limits_are_set);
    tcase_add_test(limits, test_stricter_limits_stay);
    tcase_add_test(limits, test_limits_that_are_hit);
    tcase_add_test(limits, test_limits_check);
    return rqt_main(suite);
}
