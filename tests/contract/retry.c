/* SPDX-License-Identifier: MIT */
/* retry(): the same work again, as a new task. */
#include "contract.h"

#include <string.h>

static refq_task *retry(rqi_ct *ct, const refq_ref *ref, const refq_ref *as)
{
    refq_task *task = NULL;
    CT_OK(ct, refq_client_retry(ct->client, ref, as, &task, &ct->err));
    return rqi_ct_own(ct, task);
}

static void a_failed_task_runs_again_as_a_new_one(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":99,\"permanent\":1}", .lane = REFQ_LANE_HIGH,
                             .max_retries = 7);
    (void)rqi_ct_end_as(ct, &ref, REFQ_FAILED);
    refq_ref as = rqi_ct_ref(ct);
    refq_task *task = retry(ct, &ref, &as);
    CT_CHECK(ct, strcmp(refq_task_ref(task)->hex, as.hex) == 0, "it is another task");
    task = rqi_ct_end_as(ct, &as, REFQ_FAILED); /* with the same arguments it fails again */
    CT_CHECK(ct,
             strcmp(rqi_ct_field(task, "task"), "play") == 0 &&
                 strcmp(rqi_ct_field(task, "lane"), "high") == 0 &&
                 refq_task_number(task, "max_retries", 0) == 7,
             "it is not the same work");
    CT_CHECK(ct, refq_task_number(task, "attempt", 0) == 1, "its attempts do not begin anew");
}

static void the_old_one_says_what_replaced_it(rqi_ct *ct)
{
    for (int i = RQI_CT_FAILED; i <= RQI_CT_CANCELLED; i++) {
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        refq_ref as = rqi_ct_ref(ct);
        (void)retry(ct, &ref, &as);
        refq_task *old = rqi_ct_status(ct, &ref);
        CT_CHECK(ct, refq_task_status(old) == rqi_ct_status_of((rqi_ct_state)i), "it became %s",
                 refq_status_name(refq_task_status(old)));
        CT_CHECK(ct, strstr(rqi_ct_field(old, "replaced_by"), as.hex) != NULL,
                 "replaced_by is '%s'", rqi_ct_field(old, "replaced_by"));
        (void)rqi_ct_end(ct, &as);
    }
}

static void a_task_cancelled_while_it_ran_runs_again(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    (void)rqi_ct_cancel_task(ct, &ref);
    rqi_ct_open(ct->stage, 1);
    refq_ref as = rqi_ct_ref(ct);
    (void)retry(ct, &ref, &as);
    (void)rqi_ct_end_as(ct, &as, REFQ_COMPLETE);
}

static void a_large_argument_goes_along(rqi_ct *ct)
{
    static const char args[] =
        "{\"echo\":1,\"fail\":0,\"long\":\"0123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789\"}";
    refq_ref ref = CT_SUBMIT(ct, .args = args, .delay_ms = 3600000);
    (void)rqi_ct_cancel_task(ct, &ref);
    refq_ref as = rqi_ct_ref(ct);
    (void)retry(ct, &ref, &as);
    (void)rqi_ct_end_as(ct, &as, REFQ_COMPLETE);
    CT_CHECK(ct, strstr(rqi_ct_result(ct, &as), args) != NULL, "the arguments changed");
}

static void only_the_failed_and_cancelled_may(rqi_ct *ct)
{
    for (int i = RQI_CT_DELAYED; i <= RQI_CT_COMPLETE; i++) {
        refq_task *task = NULL;
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        refq_ref as = rqi_ct_ref(ct);
        refq_err rc = refq_client_retry(ct->client, &ref, &as, &task, &ct->err);
        CT_CHECK(ct, rc == REFQ_ERR_CONFLICT, "%s: %s", rqi_ct_state_name((rqi_ct_state)i),
                 refq_strerror(rc));
        CT_CHECK(ct, rqi_ct_gone(ct, &as), "a new task was made");
    }
}

static void a_repeat_is_harmless(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_make(ct, RQI_CT_CANCELLED, NULL);
    refq_ref as = rqi_ct_ref(ct);
    (void)retry(ct, &ref, &as);
    (void)rqi_ct_end_as(ct, &as, REFQ_COMPLETE);
    refq_task *task = retry(ct, &ref, &as);
    CT_CHECK(ct, strcmp(refq_task_ref(task)->hex, as.hex) == 0, "the repeat names another task");
    CT_CHECK(ct, refq_task_number(rqi_ct_status(ct, &as), "attempt", 0) == 1, "it ran twice");
}

static void the_second_one_gets_the_first(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_make(ct, RQI_CT_CANCELLED, NULL);
    refq_ref first = rqi_ct_ref(ct);
    refq_ref second = rqi_ct_ref(ct);
    (void)retry(ct, &ref, &first);
    refq_task *task = retry(ct, &ref, &second);
    CT_CHECK(ct, strcmp(refq_task_ref(task)->hex, first.hex) == 0, "it was replaced twice");
    CT_CHECK(ct, rqi_ct_gone(ct, &second), "a second task was made");
}

static void unknown_task_is_not_found(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_ref(ct);
    refq_task *task = NULL;
    CT_REFUSED(ct, refq_client_retry(ct->client, &ref, NULL, &task, &ct->err), REFQ_ERR_NOTFOUND);
}

const rqi_ct_case rqi_ct_cases_retry[] = {
    {"retry.a_failed_task_runs_again_as_a_new_one", a_failed_task_runs_again_as_a_new_one,
     REFQ_CAP_RETRY, 0},
    {"retry.the_old_one_says_what_replaced_it", the_old_one_says_what_replaced_it, REFQ_CAP_RETRY,
     0},
    {"retry.a_task_cancelled_while_it_ran_runs_again", a_task_cancelled_while_it_ran_runs_again,
     REFQ_CAP_RETRY, 0},
    {"retry.a_large_argument_goes_along", a_large_argument_goes_along, REFQ_CAP_RETRY, 0},
    {"retry.only_the_failed_and_cancelled_may", only_the_failed_and_cancelled_may, REFQ_CAP_RETRY,
     0},
    {"retry.a_repeat_is_harmless", a_repeat_is_harmless, REFQ_CAP_RETRY, 0},
    {"retry.the_second_one_gets_the_first", the_second_one_gets_the_first, REFQ_CAP_RETRY, 0},
    {"retry.unknown_task_is_not_found", unknown_task_is_not_found, REFQ_CAP_RETRY, 0},
    {0},
};
