/* SPDX-License-Identifier: MIT */
/* Progress of running attempts. */
#include "contract.h"

#include <string.h>

static bool shows(rqi_ct *ct, const refq_ref *ref, int64_t current, int64_t total)
{
    refq_task *task = NULL;
    int64_t c = -1;
    int64_t t = -1;
    CT_OK(ct, refq_client_status(ct->client, ref, &task, &ct->err));
    bool has = refq_task_progress(task, &c, &t) && c == current && t == total &&
               strcmp(rqi_ct_field(task, "message"), "step") == 0;
    refq_task_free(task);
    return has;
}

/* The last report is not lost, however close it follows the one before. */
static void is_visible_while_it_runs(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"progress\":7,\"gate\":1}");
    CT_UNTIL(ct, shows(ct, &ref, 7, 7));
    CT_CHECK(ct, rqi_ct_is(ct, &ref, REFQ_PROCESSING), "it does not run any more");
}

struct seen {
    int64_t last;
    bool back;
};

static bool on_change(void *arg, const refq_task *task)
{
    struct seen *s = arg;
    int64_t current = 0;
    int64_t total = 0;
    if (refq_task_progress(task, &current, &total)) {
        s->back = s->back || current < s->last;
        s->last = current;
    }
    return !refq_status_is_terminal(refq_task_status(task)) && s->last < 500;
}

static void never_goes_back_within_an_attempt(rqi_ct *ct)
{
    struct seen seen = {0};
    refq_task *task = NULL;
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"progress\":500,\"gate\":1}");
    CT_OK(ct, refq_client_wait(ct->client, &ref, ct->budget_ms, on_change, &seen, &task, &ct->err));
    (void)rqi_ct_own(ct, task);
    CT_CHECK(ct, seen.last == 500, "the watch saw %lld of 500", (long long)seen.last);
    CT_CHECK(ct, !seen.back, "it went back");
}

/* At gate 1 of the first attempt; the second one waits for an hour. */
static void is_gone_when_the_attempt_is(rqi_ct *ct)
{
    refq_ref ref =
        CT_SUBMIT(ct, .task = "slow", .args = "{\"progress\":3,\"gate\":1}", .timeout_ms = 400);
    CT_UNTIL(ct, shows(ct, &ref, 3, 3) || refq_task_number(rqi_ct_status(ct, &ref), "failures", 0));
    CT_UNTIL(ct, refq_task_number(rqi_ct_status(ct, &ref), "failures", 0) == 1);
    refq_task *task = rqi_ct_status(ct, &ref);
    CT_CHECK(ct, refq_task_field(task, "progress") == NULL, "the progress is still %s",
             rqi_ct_field(task, "progress"));
}

/* What was told of one task must not make its worker deaf to the next. */
static void does_not_keep_others_waiting(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"progress\":1,\"gate\":1}");
    CT_UNTIL(ct, shows(ct, &ref, 1, 1));
    for (int i = 0; i < 3; i++) {
        rqi_ct_settle(ct);
        refq_ref soon = CT_SUBMIT(ct, .delay_ms = 4);
        (void)rqi_ct_end_as(ct, &soon, REFQ_COMPLETE);
    }
    CT_CHECK(ct, rqi_ct_is(ct, &ref, REFQ_PROCESSING), "it does not run any more");
}

const rqi_ct_case rqi_ct_cases_progress[] = {
    {"progress.is_visible_while_it_runs", is_visible_while_it_runs, REFQ_CAP_PROGRESS, 0},
    {"progress.never_goes_back_within_an_attempt", never_goes_back_within_an_attempt,
     REFQ_CAP_PROGRESS, 0},
    {"progress.is_gone_when_the_attempt_is", is_gone_when_the_attempt_is, REFQ_CAP_PROGRESS, 0},
    {"progress.does_not_keep_others_waiting", does_not_keep_others_waiting, REFQ_CAP_PROGRESS, 0},
    {0},
};
