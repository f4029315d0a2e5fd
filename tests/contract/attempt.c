/* SPDX-License-Identifier: MIT */
/* Attempts: failures, retries and their delays, timeouts. */
#include "contract.h"

#include <string.h>

#define HOUR_MS 3600000

static void expect(rqi_ct *ct, const refq_ref *ref, refq_status status, int64_t attempt,
                   int64_t failures, const char *reason)
{
    refq_task *task = rqi_ct_end_as(ct, ref, status);
    CT_CHECK(ct, refq_task_number(task, "attempt", 0) == attempt, "%lld attempts, not %lld",
             (long long)refq_task_number(task, "attempt", 0), (long long)attempt);
    CT_CHECK(ct, refq_task_number(task, "failures", 0) == failures, "%lld failures, not %lld",
             (long long)refq_task_number(task, "failures", 0), (long long)failures);
    CT_CHECK(ct, strcmp(rqi_ct_field(task, "reason"), reason) == 0, "the reason is '%s', not '%s'",
             rqi_ct_field(task, "reason"), reason);
}

static void a_failure_is_tried_again(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":2}");
    expect(ct, &ref, REFQ_COMPLETE, 3, 2, "");
    CT_CHECK(ct, strstr(rqi_ct_result(ct, &ref), "{\"attempt\":3}") != NULL,
             "the result is not the third attempt's");
}

static void the_last_error_stays_visible(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":2}");
    refq_task *task = rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    CT_CHECK(ct, strcmp(rqi_ct_field(task, "error"), "attempt 2 fails") == 0, "the error is '%s'",
             rqi_ct_field(task, "error"));
}

static void retries_run_out(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":99}");
    expect(ct, &ref, REFQ_FAILED, 4, 4, "exhausted");
}

static void the_definition_says_how_many(rqi_ct *ct)
{
    refq_ref once = CT_SUBMIT(ct, .task = "once", .args = "{\"fail\":99}");
    refq_ref twice = CT_SUBMIT(ct, .task = "twice", .args = "{\"fail\":99}");
    expect(ct, &once, REFQ_FAILED, 1, 1, "exhausted");
    expect(ct, &twice, REFQ_FAILED, 2, 2, "exhausted");
}

static void the_submitter_may_say_otherwise(rqi_ct *ct)
{
    refq_ref more = CT_SUBMIT(ct, .task = "once", .args = "{\"fail\":2}", .max_retries = 2);
    refq_ref none = CT_SUBMIT(ct, .args = "{\"fail\":1}", .max_retries = REFQ_NO_RETRIES);
    refq_ref one = CT_SUBMIT(ct, .args = "{\"fail\":9}", .max_retries = 1);
    expect(ct, &more, REFQ_COMPLETE, 3, 2, "");
    expect(ct, &none, REFQ_FAILED, 1, 1, "exhausted");
    expect(ct, &one, REFQ_FAILED, 2, 2, "exhausted");
}

static void a_permanent_failure_is_the_end(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":99,\"permanent\":1}");
    expect(ct, &ref, REFQ_FAILED, 1, 1, "permanent");
}

static void a_result_that_is_no_json_fails(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"garbage\":1}");
    expect(ct, &ref, REFQ_FAILED, 1, 1, "permanent");
    CT_CHECK(ct, rqi_ct_field(rqi_ct_status(ct, &ref), "error")[0] != '\0', "no error is told");
}

static void inline_handlers_fail_and_retry_too(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .task = "inline", .args = "{\"fail\":2}");
    expect(ct, &ref, REFQ_COMPLETE, 3, 2, "");
}

static void backoff_puts_it_off(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_make(ct, RQI_CT_BETWEEN, NULL);
    refq_task *task = rqi_ct_status(ct, &ref);
    int64_t waits = refq_task_number(task, "due_at", 0) - refq_task_number(task, "started_at", 0);
    CT_CHECK(ct, waits >= HOUR_MS && waits < 2 * HOUR_MS, "it is due after %lld ms",
             (long long)waits);
    CT_CHECK(ct, refq_task_number(task, "attempt", 0) == 1, "the attempt is %s",
             rqi_ct_field(task, "attempt"));
    CT_CHECK(ct, strcmp(rqi_ct_field(task, "error"), "attempt 1 fails") == 0, "the error is '%s'",
             rqi_ct_field(task, "error"));
}

static void retry_after_wins_over_backoff(rqi_ct *ct)
{
    refq_ref soon = CT_SUBMIT(ct, .task = "slow", .args = "{\"fail\":1,\"after\":10}");
    refq_ref at_once = CT_SUBMIT(ct, .task = "slow", .args = "{\"fail\":1,\"after\":0}");
    expect(ct, &soon, REFQ_COMPLETE, 2, 1, "");
    expect(ct, &at_once, REFQ_COMPLETE, 2, 1, "");
}

static void timeouts_are_failures(rqi_ct *ct)
{
    refq_ref defined = CT_SUBMIT(ct, .task = "limited", .args = "{\"gate\":1}", .max_retries = 1);
    refq_ref asked =
        CT_SUBMIT(ct, .args = "{\"gate\":1}", .timeout_ms = 30, .max_retries = REFQ_NO_RETRIES);
    expect(ct, &defined, REFQ_FAILED, 2, 2, "exhausted");
    expect(ct, &asked, REFQ_FAILED, 1, 1, "exhausted");
    CT_CHECK(ct, strstr(rqi_ct_field(rqi_ct_status(ct, &asked), "error"), "timed out") != NULL,
             "the error is '%s'", rqi_ct_field(rqi_ct_status(ct, &asked), "error"));
}

static void the_submitter_may_allow_more_time(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .task = "limited", .args = "{\"gate\":1}", .timeout_ms = HOUR_MS);
    rqi_ct_until_arrived(ct, 1, 1);
    refq_ref other =
        CT_SUBMIT(ct, .task = "limited", .args = "{\"gate\":2}", .max_retries = REFQ_NO_RETRIES);
    (void)rqi_ct_end_as(ct, &other, REFQ_FAILED); /* so the defined time has passed */
    rqi_ct_open(ct->stage, 1);
    expect(ct, &ref, REFQ_COMPLETE, 1, 0, "");
}

static void fields_of_an_attempt_go_with_it(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .task = "slow", .args = "{\"gate\":1,\"fail\":0}");
    rqi_ct_until_arrived(ct, 1, 1);
    refq_task *task = rqi_ct_status(ct, &ref);
    CT_CHECK(ct,
             refq_task_number(task, "started_at", 0) >=
                 refq_task_number(task, "created_at", INT64_MAX),
             "it started before it was created");
    CT_CHECK(ct, refq_task_field(task, "completed_at") == NULL, "it has an end already");
    rqi_ct_open(ct->stage, 1);
    task = rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    CT_CHECK(ct,
             refq_task_number(task, "completed_at", 0) >=
                 refq_task_number(task, "started_at", INT64_MAX),
             "it ended before it started");
    CT_CHECK(ct, refq_task_field(task, "due_at") == NULL, "it is still due");
}

const rqi_ct_case rqi_ct_cases_attempt[] = {
    {"attempt.a_failure_is_tried_again", a_failure_is_tried_again, 0, 0},
    {"attempt.the_last_error_stays_visible", the_last_error_stays_visible, 0, 0},
    {"attempt.retries_run_out", retries_run_out, 0, 0},
    {"attempt.the_definition_says_how_many", the_definition_says_how_many, 0, 0},
    {"attempt.the_submitter_may_say_otherwise", the_submitter_may_say_otherwise, 0, 0},
    {"attempt.a_permanent_failure_is_the_end", a_permanent_failure_is_the_end, 0, 0},
    {"attempt.a_result_that_is_no_json_fails", a_result_that_is_no_json_fails, 0, 0},
    {"attempt.inline_handlers_fail_and_retry_too", inline_handlers_fail_and_retry_too, 0, 0},
    {"attempt.backoff_puts_it_off", backoff_puts_it_off, 0, 0},
    {"attempt.retry_after_wins_over_backoff", retry_after_wins_over_backoff, 0, 0},
    {"attempt.timeouts_are_failures", timeouts_are_failures, 0, 0},
    {"attempt.the_submitter_may_allow_more_time", the_submitter_may_allow_more_time, 0, 0},
    {"attempt.fields_of_an_attempt_go_with_it", fields_of_an_attempt_go_with_it, 0, 0},
    {0},
};
