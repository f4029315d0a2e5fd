/* SPDX-License-Identifier: MIT */
/* Programs, what they print and how they end, with real processes. */
#include "base/clock.h"
#include "run/exec_def.h"
#include "run/tail.h"
#include "support/exec_run.h"
#include "support/main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Output ----------------------------------------------------------------------------------- */

START_TEST(test_json_in_json_out)
{
    const char *argv[] = {"cat", NULL};
    refq_exec_def def = {.argv = argv};
    struct rqt_run run = rqt_run_def(&def, "{\"path\": \"a.pdf\", \"n\":1.10}", 0);
    rqt_run_expect(&run, RQI_DONE, "{\"path\": \"a.pdf\", \"n\":1.10}");
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
    struct rqt_run run = rqt_run_def(&def, args, 0);
    rqt_run_expect(&run, RQI_DONE, "3145728");
    const char *unread[] = {"sh", "-c", "exec <&-; echo 1", NULL};
    def.argv = unread;
    run = rqt_run_def(&def, args, 0);
    rqt_run_expect(&run, RQI_DONE, "1");
    free(args);
}
END_TEST

START_TEST(test_input_none)
{
    const char *argv[] = {"sh", "-c", "wc -c", NULL};
    refq_exec_def def = {.argv = argv, .input = REFQ_INPUT_NONE};
    struct rqt_run run = rqt_run_def(&def, "{\"a\":1}", 0);
    rqt_run_expect(&run, RQI_DONE, "0");
}
END_TEST

START_TEST(test_json_is_trimmed_and_verbatim)
{
    struct rqt_run run = rqt_run_script(
        "printf ' \\n\\t{\"b\":1.50,  \"a\":\"\\\\u0000\"}\\r\\n\\n'", REFQ_OUTPUT_JSON);
    rqt_run_expect(&run, RQI_DONE, "{\"b\":1.50,  \"a\":\"\\u0000\"}");
}
END_TEST

START_TEST(test_no_output)
{
    const char *text = "printed nothing where JSON was expected; print null or set output: text";
    struct rqt_run run = rqt_run_script("exit 0", REFQ_OUTPUT_JSON);
    rqt_run_expect(&run, RQI_PERMANENT, text);
    run = rqt_run_script("echo", REFQ_OUTPUT_JSON);
    rqt_run_expect(&run, RQI_PERMANENT, text);
    run = rqt_run_script("exit 0", REFQ_OUTPUT_TEXT);
    rqt_run_expect(&run, RQI_DONE, "\"\"");
    run = rqt_run_script("exit 0", REFQ_OUTPUT_BASE64);
    rqt_run_expect(&run, RQI_DONE, "\"\"");
}
END_TEST

START_TEST(test_not_json)
{
    struct rqt_run run =
        rqt_run_script("printf '{\"a\":1}\\n\\033[31mhello \\377 this is a long line of "
                       "text which is cut'",
                       REFQ_OUTPUT_JSON);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    ck_assert_ptr_nonnull(strstr(run.error, "not JSON"));
    ck_assert_ptr_nonnull(strstr(run.error, "at line 2, column "));
    ck_assert_ptr_nonnull(strstr(run.error, "it starts with: {\"a\":1}  [31mhello ? this is"));
    ck_assert_ptr_null(strstr(run.error, "which is cut"));
    run = rqt_run_script("echo '{\"a\":1,\"a\":2}'", REFQ_OUTPUT_JSON);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    run = rqt_run_script("echo NaN", REFQ_OUTPUT_JSON);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    run = rqt_run_script("echo 1 2", REFQ_OUTPUT_JSON);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
}
END_TEST

START_TEST(test_text)
{
    struct rqt_run run = rqt_run_script("printf 'a\\0\"b\\n\\303\\274'", REFQ_OUTPUT_TEXT);
    rqt_run_expect(&run, RQI_DONE, "\"a\\u0000\\\"b\\n\303\274\"");
    run = rqt_run_script("printf 'ab\\377'", REFQ_OUTPUT_TEXT);
    rqt_run_expect(
        &run, RQI_PERMANENT,
        "printed bytes that are not UTF-8 text, the first at offset 2; set output: base64");
}
END_TEST

START_TEST(test_base64)
{
    struct rqt_run run = rqt_run_script("printf '\\377\\376\\0?'", REFQ_OUTPUT_BASE64);
    rqt_run_expect(&run, RQI_DONE, "\"//4APw==\"");
}
END_TEST

START_TEST(test_flood_is_stopped_at_the_limit)
{
    const char *argv[] = {"head", "-c", "1000000000", "/dev/zero", NULL};
    refq_exec_def def = {.argv = argv, .max_output = 1000};
    int64_t before = rqi_mono_ms();
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_PERMANENT,
                   "output exceeds the limit of 1000 bytes; raise max_output or use fewer results");
    ck_assert_int_lt(rqi_mono_ms() - before, 5000);
    const char *exact[] = {"printf", "%05d", "12345", NULL};
    def = (refq_exec_def){.argv = exact, .max_output = 5};
    run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_DONE, "12345");
    def.max_output = 4;
    run = rqt_run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    const char *full[] = {"head", "-c", "16777216", "/dev/zero", NULL};
    def = (refq_exec_def){.argv = full, .output = REFQ_OUTPUT_BASE64};
    run = rqt_run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_DONE);
    ck_assert_uint_eq(run.value_len, (16777216 + 2) / 3 * 4 + 2);
}
END_TEST

/* --- Ends ------------------------------------------------------------------------------------- */

START_TEST(test_exit_codes)
{
    struct rqt_run run =
        rqt_run_script("echo first >&2; echo 'bad page' >&2; echo >&2; exit 1", REFQ_OUTPUT_JSON);
    rqt_run_expect(&run, RQI_RETRYABLE, "exit 1: bad page");
    ck_assert_str_eq(run.tail, "first\nbad page\n\n");
    run = rqt_run_script("exit 75", REFQ_OUTPUT_JSON);
    rqt_run_expect(&run, RQI_RETRYABLE, "exit 75");
    run = rqt_run_script("echo no >&2; exit 65", REFQ_OUTPUT_JSON);
    rqt_run_expect(&run, RQI_PERMANENT, "exit 65: no");
    run = rqt_run_script("kill -9 $$", REFQ_OUTPUT_JSON);
    rqt_run_expect(&run, RQI_RETRYABLE, "killed by signal 9 (Killed)");
    run = rqt_run_script("echo oops >&2; kill -SEGV $$", REFQ_OUTPUT_JSON);
    rqt_run_expect(&run, RQI_RETRYABLE, "killed by signal 11 (Segmentation fault): oops");
}
END_TEST

START_TEST(test_cannot_execute)
{
    rqt_script("plain", "exit 0", 0644);
    const char *argv[] = {"./plain", NULL};
    refq_exec_def def = {.argv = argv, .directory = rqt_dir};
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_PERMANENT,
                   "cannot execute ./plain: Permission denied (is it executable?)");
    const char *missing[] = {"no-such-program-anywhere", NULL};
    def.argv = missing;
    run = rqt_run_def(&def, "{}", 0);
    ck_assert_int_eq(run.kind, RQI_PERMANENT);
    ck_assert_ptr_nonnull(
        strstr(run.error, "cannot execute no-such-program-anywhere: No such file or directory"));
    def.directory = "/no/such/directory";
    run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_PERMANENT,
                   "cannot change to the directory /no/such/directory: No such file or directory");
}
END_TEST

START_TEST(test_stderr_tail)
{
    struct rqt_run run =
        rqt_run_script("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); "
                       "done; printf 'x\\377y\\n' >&2; exit 1",
                       REFQ_OUTPUT_JSON);
    rqt_run_expect(&run, RQI_RETRYABLE, "exit 1: x?y");
    ck_assert_uint_le(strlen(run.tail), RQI_TAIL_DEFAULT);
    ck_assert_uint_gt(strlen(run.tail), RQI_TAIL_DEFAULT - 20);
    ck_assert_int_eq(strncmp(run.tail, "line ", 5), 0);
}
END_TEST

START_TEST(test_stderr_tail_of_a_size)
{
    rqt_script("script", "head -c 200000 /dev/zero | tr '\\0' x >&2; echo end >&2; echo 1", 0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = rqt_dir, .log_tail = 65536};
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_DONE, "1"); /* the tail is kept on success too */
    ck_assert_uint_eq(strlen(run.tail), 65536);
    ck_assert_str_eq(run.tail + 65536 - 5, "xend\n");
    def.log_tail = 10;
    run = rqt_run_def(&def, "{}", 0);
    ck_assert_str_eq(run.tail, "xxxxxxend\n");
    def.log_tail = 65537;
    ck_assert_int_eq(rqi_exec_def_check(&def, &rqt_error), REFQ_ERR_LIMIT);
    ck_assert_str_eq(rqt_error.text, "log_tail is at most 64 KiB");
}
END_TEST

START_TEST(test_timeout)
{
    const char *argv[] = {"sleep", "1000", NULL};
    refq_exec_def def = {.argv = argv};
    struct rqt_run run = rqt_run_def(&def, "{}", 100);
    rqt_run_expect(&run, RQI_RETRYABLE, "timed out after 100ms");
    rqt_script("script", "trap '' TERM; echo up >&3; while :; do sleep 1; done", 0755);
    const char *deaf[] = {"./script", NULL};
    def = (refq_exec_def){.argv = deaf, .directory = rqt_dir, .kill_grace_ms = 100};
    run = rqt_run_def(&def, "{}", 300);
    rqt_run_expect(&run, RQI_RETRYABLE, "timed out after 300ms");
}
END_TEST

#define READY "echo '{\"progress\":{\"current\":1}}' >&3;"

static struct rqt_run run_cancelled(const char *body, int64_t grace_ms)
{
    rqt_script("script", body, 0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = rqt_dir, .kill_grace_ms = grace_ms};
    struct rqt_run run = {.cancel_on_progress = true};
    ck_assert_int_eq(rqt_run_start(&run, &def, "{}", 0), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_CANCELLED, "cancelled");
    return run;
}

START_TEST(test_cancel)
{
    (void)run_cancelled(READY "exec sleep 1000", 20000);
    int64_t before = rqi_mono_ms();
    (void)run_cancelled("trap '' TERM;" READY "while :; do sleep 1; done", 200);
    /* libevent reads the clock once a turn of the loop: a timer may be a little early. */
    ck_assert_int_ge(rqi_mono_ms() - before, 190);
    struct rqt_run run =
        run_cancelled("trap '' TERM;" READY "read line <&3; echo \"$line\" >&2; exit 0", 20000);
    ck_assert_str_eq(run.tail, "{\"cancel\":true}\n");
}
END_TEST

START_TEST(test_cancel_before_it_runs)
{
    const char *argv[] = {"sleep", "1000", NULL};
    refq_exec_def def = {.argv = argv};
    struct rqt_run run = {0};
    ck_assert_int_eq(rqt_run_start(&run, &def, "{}", 0), REFQ_OK);
    rqi_exec_cancel(run.exec);
    rqi_exec_cancel(run.exec);
    ck_assert_int_eq(run.done, 0);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_CANCELLED, "cancelled");
}
END_TEST

/* --- Many ------------------------------------------------------------------------------------- */

#define MANY 200

START_TEST(test_many_at_once)
{
    static struct rqt_run runs[MANY];
    int fds = rqt_count_fds();
    const char *argv[] = {"sh", "-c", "cat; echo {n} >&2; sleep 0.2", NULL};
    refq_exec_def def = {.argv = argv};
    for (int i = 0; i < MANY; i++) {
        char args[64];
        (void)snprintf(args, sizeof args, "{\"n\":%d}", i);
        ck_assert_msg(rqt_run_start(&runs[i], &def, args, 0) == REFQ_OK, "%s", rqt_error.text);
    }
    for (int i = 0; i < MANY; i++) {
        char want[64];
        rqt_run_wait(&runs[i]);
        (void)snprintf(want, sizeof want, "{\"n\":%d}", i);
        rqt_run_expect(&runs[i], RQI_DONE, want);
        (void)snprintf(want, sizeof want, "%d\n", i);
        ck_assert_str_eq(runs[i].tail, want);
    }
    ck_assert_int_eq(rqt_count_fds(), fds);
}
END_TEST

START_TEST(test_many_cancelled_while_queued)
{
    static struct rqt_run runs[MANY];
    static char padding[16 * 1024];
    memset(padding, 'x', sizeof padding - 1);
    int fds = rqt_count_fds();
    const char *argv[] = {"sleep", "1000", padding, NULL};
    refq_exec_def def = {.argv = argv};
    for (int i = 0; i < MANY; i++) {
        ck_assert_msg(rqt_run_start(&runs[i], &def, "{}", 0) == REFQ_OK, "%s", rqt_error.text);
        rqi_exec_cancel(runs[i].exec);
    }
    for (int i = 0; i < MANY; i++) {
        rqt_run_wait(&runs[i]);
        rqt_run_expect(&runs[i], RQI_CANCELLED, "cancelled");
    }
    ck_assert_int_eq(rqt_count_fds(), fds);
}
END_TEST

START_TEST(test_many_one_after_the_other)
{
    const char *argv[] = {"true", NULL};
    refq_exec_def def = {.argv = argv, .output = REFQ_OUTPUT_TEXT};
    (void)rqt_run_def(&def, "{}", 0);
    int fds = rqt_count_fds();
    for (int i = 0; i < 100; i++) {
        struct rqt_run run = rqt_run_def(&def, "{}", 1000000);
        rqt_run_expect(&run, RQI_DONE, "\"\"");
    }
    ck_assert_int_eq(rqt_count_fds(), fds);
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("exec");
    TCase *output = rqt_exec_case(suite, "output");
    tcase_add_test(output, test_json_in_json_out);
    tcase_add_test(output, test_large_args_read_and_unread);
    tcase_add_test(output, test_input_none);
    tcase_add_test(output, test_json_is_trimmed_and_verbatim);
    tcase_add_test(output, test_no_output);
    tcase_add_test(output, test_not_json);
    tcase_add_test(output, test_text);
    tcase_add_test(output, test_base64);
    tcase_add_test(output, test_flood_is_stopped_at_the_limit);
    TCase *ends = rqt_exec_case(suite, "ends");
    tcase_add_test(ends, test_exit_codes);
    tcase_add_test(ends, test_cannot_execute);
    tcase_add_test(ends, test_stderr_tail);
    tcase_add_test(ends, test_stderr_tail_of_a_size);
    tcase_add_test(ends, test_timeout);
    tcase_add_test(ends, test_cancel);
    tcase_add_test(ends, test_cancel_before_it_runs);
    TCase *many = rqt_exec_case(suite, "many");
    tcase_set_tags(many, "bulk"); /* minutes */
    tcase_add_test(many, test_many_at_once);
    tcase_add_test(many, test_many_cancelled_while_queued);
    tcase_add_test(many, test_many_one_after_the_other);
    return rqt_main(suite);
}
