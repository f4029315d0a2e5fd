/* SPDX-License-Identifier: MIT */
/* What a program says while it runs: fd 3 and stderr. */
#include "run/lines.h"
#include "run/progress.h"
#include "run/tail.h"
#include "run/text.h"
#include "support/exec_run.h"

#include <stdio.h>
#include <string.h>

/* --- Progress --------------------------------------------------------------------------------- */

START_TEST(test_progress)
{
    rqt_script("script",
               "echo '{\"progress\":{\"current\":3,\"total\":12,\"message\":\"page 3\"}}' >&3\n"
               "echo '{\"ask\":\"what?\"}' >&3; echo nonsense >&3\n"
               "echo '{\"progress\":{\"current\":-1}}' >&3\n"
               "head -c 100000 /dev/zero >&3; echo >&3\n"
               "printf '{\"progress\":{\"current\":4}}\\n{\"progress\":' >&3; exec 3>&-; echo 1",
               0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = rqt_dir};
    struct rqt_run run = {0};
    ck_assert_int_eq(rqt_run_start(&run, &def, "{}", 0), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "1");
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

/* --- Suite ------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("exec_progress");
    TCase *progress = rqt_exec_case(suite, "progress");
    tcase_add_test(progress, test_progress);
    tcase_add_test(progress, test_progress_lines);
    tcase_add_test(progress, test_lines);
    tcase_add_test(progress, test_tail_and_text);
    return rqt_suite_main(suite);
}
