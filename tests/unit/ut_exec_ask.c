/* SPDX-License-Identifier: MIT */
/* Questions of a program and their answers, and everything hostile that fd 3 can bring. */
#include "support/exec_run.h"
#include "support/main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK   "echo '{\"ask\":\"Which page?\"}' >&3; "
#define READ  "read -r line <&3; "
#define PRINT "printf %s \"$line\""

static void begin(struct rqt_run *run, refq_exec_def *def, const char *body, int64_t timeout_ms)
{
    static const char *argv[] = {"./script", NULL};
    rqt_script("script", body, 0755);
    *def = (refq_exec_def){.argv = argv, .directory = rqt_dir};
    ck_assert_msg(rqt_run_start(run, def, "{}", timeout_ms) == REFQ_OK, "%s", rqt_error.text);
}

static struct rqt_run run_asking(const char *body, const char *answer)
{
    struct rqt_run run = {.askable = answer != NULL, .answer = answer};
    refq_exec_def def;
    begin(&run, &def, body, 0);
    rqt_run_wait(&run);
    return run;
}

/* --- Questions -------------------------------------------------------------------------------- */

START_TEST(test_answer)
{
    struct rqt_run run = run_asking(ASK READ PRINT, "{\"page\":\n 1.10}");
    rqt_run_expect(&run, RQI_DONE, "{\"answer\":{\"page\":  1.10}}");
    ck_assert_int_eq(run.answered, REFQ_OK);
    ck_assert_str_eq(run.asked, "{\"question\":\"Which page?\"}");
    run = run_asking("echo '{\"ask\":{\"question\":\"Sure?\",\"more\":1,\"schema\":{\"type\": "
                     "\"boolean\",\"x\":0.1}}}' >&3;" READ PRINT,
                     "true");
    rqt_run_expect(&run, RQI_DONE, "{\"answer\":true}");
    ck_assert_str_eq(run.asked,
                     "{\"question\":\"Sure?\",\"schema\":{\"type\":\"boolean\",\"x\":0.1}}");
}
END_TEST

START_TEST(test_one_after_the_other)
{
    struct rqt_run run = run_asking(ASK READ ASK READ ASK READ PRINT, "\"x\"");
    rqt_run_expect(&run, RQI_DONE, "{\"answer\":\"x\"}");
    ck_assert_int_eq(run.n_asks, 3);
    ck_assert_int_eq(run.n_debug, 0);
}
END_TEST

START_TEST(test_nobody_to_ask)
{
    struct rqt_run run = run_asking(ASK READ PRINT, NULL);
    rqt_run_expect(&run, RQI_DONE, "{\"error\":\"nobody can be asked\"}");
}
END_TEST

START_TEST(test_a_second_question_is_dropped)
{
    struct rqt_run run = {.askable = true};
    refq_exec_def def;
    begin(&run, &def, ASK ASK "echo '{\"progress\":{\"current\":1}}' >&3;" READ PRINT, 0);
    rqt_turn_until(&run.n_progress, 1);
    ck_assert_int_eq(run.n_asks, 1);
    ck_assert_int_eq(run.n_debug, 1);
    ck_assert_int_eq(rqi_exec_answer(run.exec, "1", 1), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "{\"answer\":1}");
}
END_TEST

START_TEST(test_what_is_no_question)
{
    static const char form[] =
        "{\"error\":\"an ask is a text, or an object with a text as its question\"}";
    struct rqt_run run = run_asking("echo '{\"ask\":1}' >&3;" READ PRINT, "1");
    rqt_run_expect(&run, RQI_DONE, form);
    run = run_asking("echo '{\"ask\":\"\"}' >&3;" READ PRINT, "1");
    rqt_run_expect(&run, RQI_DONE, form);
    run = run_asking("echo '{\"ask\":{\"question\":\"a\",\"schema\":true}}' >&3;" READ PRINT, "1");
    rqt_run_expect(&run, RQI_DONE, "{\"error\":\"the schema of a question is an object\"}");
    run = run_asking("printf '{\"ask\":\"%08200d\"}\\n' 1 >&3;" READ PRINT, "1");
    rqt_run_expect(&run, RQI_DONE, "{\"error\":\"a question has at most 8 KiB\"}");
    ck_assert_int_eq(run.n_asks, 0);
    run = run_asking("printf '{\"ask\":\"%08000d\"}\\n' 1 >&3;" READ PRINT, "1");
    rqt_run_expect(&run, RQI_DONE, "{\"answer\":1}");
}
END_TEST

START_TEST(test_what_is_no_answer)
{
    static char large[RQI_ANSWER_MAX + 1];
    memset(large, '1', sizeof large);
    struct rqt_run run = {.askable = true};
    refq_exec_def def;
    begin(&run, &def, ASK READ "printf '%s' ${#line}", 0);
    ck_assert_int_eq(rqi_exec_answer(run.exec, "1", 1), REFQ_ERR_CONFLICT);
    rqt_turn_until(&run.n_asks, 1);
    ck_assert_int_eq(rqi_exec_answer(run.exec, "{", 1), REFQ_ERR_INVALID);
    ck_assert_int_eq(rqi_exec_answer(run.exec, "1\n{\"answer\":2}", 14), REFQ_ERR_INVALID);
    ck_assert_int_eq(rqi_exec_answer(run.exec, large, sizeof large), REFQ_ERR_LIMIT);
    large[0] = large[sizeof large - 2] = '"';
    ck_assert_int_eq(rqi_exec_answer(run.exec, large, sizeof large - 1), REFQ_OK);
    ck_assert_int_eq(rqi_exec_answer(run.exec, "1", 1), REFQ_ERR_CONFLICT);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "65547"); /* {"answer":} and the text */
}
END_TEST

/* --- Time and ends ---------------------------------------------------------------------------- */

#define TIMEOUT_MS 2000

START_TEST(test_the_timeout_waits_for_the_answer)
{
    struct rqt_run run = {.askable = true};
    refq_exec_def def;
    begin(&run, &def, ASK READ "echo '{\"progress\":{\"current\":1}}' >&3; exec sleep 1000",
          TIMEOUT_MS);
    rqt_turn_until(&run.n_asks, 1);
    rqt_turn_for(TIMEOUT_MS + 200);
    ck_assert_int_eq(run.done, 0);
    ck_assert_int_eq(rqi_exec_answer(run.exec, "1", 1), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_RETRYABLE, "timed out after 2.0s");
    ck_assert_int_eq(run.n_progress, 1);
}
END_TEST

START_TEST(test_a_question_that_is_given_up)
{
    struct rqt_run run = {.askable = true};
    refq_exec_def def;
    begin(&run, &def, ASK "exec 3>&-; exec sleep 1000", TIMEOUT_MS);
    rqt_turn_until(&run.n_unasked, 1);
    ck_assert_int_eq(run.n_asks, 1);
    ck_assert_int_eq(rqi_exec_answer(run.exec, "1", 1), REFQ_ERR_CONFLICT);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_RETRYABLE, "timed out after 2.0s");
    ck_assert_int_eq(run.n_unasked, 1);
}
END_TEST

START_TEST(test_cancel_while_asking)
{
    struct rqt_run run = {.askable = true};
    refq_exec_def def;
    begin(&run, &def, "trap '' TERM;" ASK READ "echo \"$line\" >&2", 0);
    rqt_turn_until(&run.n_asks, 1);
    rqi_exec_cancel(run.exec);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_CANCELLED, "cancelled");
    ck_assert_str_eq(run.tail, "{\"cancel\":true}\n");
}
END_TEST

START_TEST(test_an_end_while_asking)
{
    struct rqt_run run = {.askable = true};
    refq_exec_def def;
    begin(&run, &def, ASK "echo 5", 0);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "5");
}
END_TEST

/* --- Hostile ---------------------------------------------------------------------------------- */

START_TEST(test_questions_without_end)
{
    struct rqt_run run =
        run_asking("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); " ASK "done; echo 1", NULL);
    rqt_run_expect(&run, RQI_DONE, "1");
}
END_TEST

START_TEST(test_hostile_lines)
{
    static const char *const bodies[] = {
        "head -c 60000 /dev/zero | tr '\\0' '[' >&3; echo >&3",
        "printf '{\"progress\":{\"current\":1},\"progress\":{\"current\":2}}\\n' >&3",
        "printf '{\"progress\":{\"current\":1e999}}\\n' >&3",
        "printf '{\"ask\":\"\\377\"}\\n' >&3",
        "printf '{\"ask\":\"a\\\\u0000b\"}\\n' >&3",
        "printf '{\"progress\":\\000{\"current\":1}}\\n' >&3",
        "printf '\\357\\273\\277{\"progress\":{\"current\":1}}\\n' >&3",
        "printf '[{\"progress\":{\"current\":1}}]\\n' >&3",
        "head -c 70000 /dev/zero >&3; printf '{\"progress\":{\"current\":1}}\\n' >&3",
    };
    char body[300];
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        (void)snprintf(body, sizeof body, "%s; echo '{\"progress\":{\"current\":7}}' >&3; echo 1",
                       bodies[i]);
        struct rqt_run run = run_asking(body, "1");
        rqt_run_expect(&run, RQI_DONE, "1");
        ck_assert_msg(run.n_debug == 1 && run.n_progress == 1 && run.n_asks == 0, "%s", bodies[i]);
        ck_assert_int_eq(run.current, 7);
    }
}
END_TEST

START_TEST(test_flood_of_fd_3_and_stderr)
{
    rqt_script("script",
               "head -c 20000000 /dev/zero >&3 & head -c 20000000 /dev/zero >&2; wait; exec 3>&-;"
               "echo 1",
               0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = rqt_dir, .progress = "([0-9]+)%"};
    struct rqt_run run = rqt_run_def(&def, "{}", 0);
    rqt_run_expect(&run, RQI_DONE, "1");
    ck_assert_int_eq(run.n_progress, 0);
    ck_assert_uint_eq(strlen(run.tail), 4096); /* of one endless line, made of NUL bytes */
}
END_TEST

START_TEST(test_fd_3_is_closed)
{
    struct rqt_run run = run_asking("exec 3>&-; echo 1", "1");
    rqt_run_expect(&run, RQI_DONE, "1");
    struct rqt_run cancelled = {.askable = true};
    refq_exec_def def;
    begin(&cancelled, &def, "exec 3>&-; exec sleep 1000", 0);
    rqt_turn_for(50);
    rqi_exec_cancel(cancelled.exec);
    rqt_run_wait(&cancelled);
    rqt_run_expect(&cancelled, RQI_CANCELLED, "cancelled");
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

int main(void)
{
    Suite *suite = suite_create("exec_ask");
    TCase *questions = rqt_exec_case(suite, "questions");
    tcase_add_test(questions, test_answer);
    tcase_add_test(questions, test_one_after_the_other);
    tcase_add_test(questions, test_nobody_to_ask);
    tcase_add_test(questions, test_a_second_question_is_dropped);
    tcase_add_test(questions, test_what_is_no_question);
    tcase_add_test(questions, test_what_is_no_answer);
    TCase *ends = rqt_exec_case(suite, "time and ends");
    tcase_add_test(ends, test_the_timeout_waits_for_the_answer);
    tcase_add_test(ends, test_a_question_that_is_given_up);
    tcase_add_test(ends, test_cancel_while_asking);
    tcase_add_test(ends, test_an_end_while_asking);
    TCase *hostile = rqt_exec_case(suite, "hostile");
    tcase_add_test(hostile, test_questions_without_end);
    tcase_add_test(hostile, test_hostile_lines);
    tcase_add_test(hostile, test_flood_of_fd_3_and_stderr);
    tcase_add_test(hostile, test_fd_3_is_closed);
    return rqt_main(suite);
}
