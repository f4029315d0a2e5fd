/* SPDX-License-Identifier: MIT */
/* Questions of running tasks and their answers. */
#include "contract.h"

#include <string.h>

static bool asks(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = NULL;
    CT_OK(ct, refq_client_status(ct->client, ref, &task, &ct->err));
    bool is = refq_task_status(task) == REFQ_PROCESSING &&
              strcmp(rqi_ct_field(task, "waiting"), "input") == 0;
    refq_task_free(task);
    return is;
}

static void the_question_is_visible_and_the_answer_arrives(rqi_ct *ct)
{
    refq_task *task = NULL;
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"ask\":1}");
    CT_UNTIL(ct, asks(ct, &ref));
    CT_CHECK(ct, strstr(rqi_ct_field(rqi_ct_status(ct, &ref), "question"), "which colour?") != NULL,
             "the question is '%s'", rqi_ct_field(rqi_ct_status(ct, &ref), "question"));
    CT_OK(ct, refq_client_answer(ct->client, &ref, "{\"colour\":\"blue\"}", &task, &ct->err));
    (void)rqi_ct_own(ct, task);
    task = rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    CT_CHECK(ct, strstr(rqi_ct_result(ct, &ref), "\"blue\"") != NULL, "the answer did not arrive");
    CT_CHECK(ct, refq_task_field(task, "waiting") == NULL, "it still waits");
}

static void who_does_not_ask_gets_no_answer(rqi_ct *ct)
{
    for (int i = 0; i < RQI_CT_STATES; i++) {
        refq_task *task = NULL;
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        refq_err rc = refq_client_answer(ct->client, &ref, "1", &task, &ct->err);
        CT_CHECK(ct, rc == REFQ_ERR_CONFLICT, "%s: %s", rqi_ct_state_name((rqi_ct_state)i),
                 refq_strerror(rc));
    }
    refq_task *task = NULL;
    refq_ref ref = rqi_ct_ref(ct);
    CT_REFUSED(ct, refq_client_answer(ct->client, &ref, "1", &task, &ct->err), REFQ_ERR_NOTFOUND);
}

static void an_answer_is_json(rqi_ct *ct)
{
    refq_task *task = NULL;
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"ask\":1}");
    CT_UNTIL(ct, asks(ct, &ref));
    CT_REFUSED(ct, refq_client_answer(ct->client, &ref, "{", &task, &ct->err), REFQ_ERR_INVALID);
    CT_CHECK(ct, asks(ct, &ref), "it does not ask any more");
    (void)rqi_ct_cancel_task(ct, &ref); /* so that nobody waits for it to end */
}

static void who_asks_can_be_cancelled(rqi_ct *ct)
{
    refq_task *task = NULL;
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"ask\":1}");
    CT_UNTIL(ct, asks(ct, &ref));
    CT_CHECK(ct, refq_task_status(rqi_ct_cancel_task(ct, &ref)) == REFQ_CANCELLED,
             "it is not cancelled");
    CT_REFUSED(ct, refq_client_answer(ct->client, &ref, "1", &task, &ct->err), REFQ_ERR_CONFLICT);
}

const rqi_ct_case rqi_ct_cases_ask[] = {
    {"ask.the_question_is_visible_and_the_answer_arrives",
     the_question_is_visible_and_the_answer_arrives, REFQ_CAP_ASK, 0},
    {"ask.who_does_not_ask_gets_no_answer", who_does_not_ask_gets_no_answer, REFQ_CAP_ASK, 0},
    {"ask.an_answer_is_json", an_answer_is_json, REFQ_CAP_ASK, 0},
    {"ask.who_asks_can_be_cancelled", who_asks_can_be_cancelled, REFQ_CAP_ASK, 0},
    {0},
};
