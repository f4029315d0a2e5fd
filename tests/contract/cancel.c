/* SPDX-License-Identifier: MIT */
/* Cancelling in each state, and what comes too late. */
#include "contract.h"

#include <string.h>

#define LOOKS 25 /* a few milliseconds each, in which something forbidden could show */

static void whatever_waits_or_runs_is_cancelled_at_once(rqi_ct *ct)
{
    for (int i = RQI_CT_DELAYED; i <= RQI_CT_RUNNING; i++) {
        const char *name = rqi_ct_state_name((rqi_ct_state)i);
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        refq_task *task = rqi_ct_cancel_task(ct, &ref);
        CT_CHECK(ct, refq_task_status(task) == REFQ_CANCELLED, "%s: the cancel shows %s", name,
                 refq_status_name(refq_task_status(task)));
        task = rqi_ct_status(ct, &ref);
        CT_CHECK(ct, refq_task_status(task) == REFQ_CANCELLED, "%s: the next look shows %s", name,
                 refq_status_name(refq_task_status(task)));
        CT_CHECK(ct, refq_task_number(task, "completed_at", 0) > 0, "%s: it has no end", name);
        CT_CHECK(ct, refq_task_field(task, "due_at") == NULL, "%s: it is still due", name);
    }
}

static void a_ready_task_is_cancelled_and_never_runs(rqi_ct *ct)
{
    refq_ref busy = rqi_ct_make(ct, RQI_CT_RUNNING, NULL); /* the only slot */
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"tag\":\"x\"}");
    (void)rqi_ct_cancel_task(ct, &ref);
    rqi_ct_open(ct->stage, 1);
    (void)rqi_ct_end_as(ct, &busy, REFQ_COMPLETE);
    rqi_ct_settle(ct);
    char began[RQI_CT_LOG + 1];
    rqi_ct_order_seen(ct->stage, began);
    CT_CHECK(ct, strchr(began, 'x') == NULL, "it ran");
    CT_CHECK(ct, rqi_ct_is(ct, &ref, REFQ_CANCELLED), "it is not cancelled any more");
}

static void a_task_that_is_over_stays_what_it_is(rqi_ct *ct)
{
    for (int i = RQI_CT_COMPLETE; i < RQI_CT_STATES; i++) {
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        int64_t ended = refq_task_number(rqi_ct_status(ct, &ref), "completed_at", 0);
        refq_task *task = rqi_ct_cancel_task(ct, &ref);
        CT_CHECK(ct, refq_task_status(task) == rqi_ct_status_of((rqi_ct_state)i), "%s became %s",
                 rqi_ct_state_name((rqi_ct_state)i), refq_status_name(refq_task_status(task)));
        CT_CHECK(ct, refq_task_number(task, "completed_at", 0) == ended, "its end moved");
    }
}

static void unknown_task_is_not_found(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_ref(ct);
    refq_task *task = NULL;
    CT_REFUSED(ct, refq_client_cancel(ct->client, &ref, &task, &ct->err), REFQ_ERR_NOTFOUND);
}

static void the_handler_is_told(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    (void)rqi_ct_cancel_task(ct, &ref);
    CT_UNTIL(ct, rqi_ct_left(ct->stage, 1) == 1); /* nobody opened the gate */
}

/* A handler that does not listen finishes its work: too late. */
static void a_late_success_changes_nothing(rqi_ct *ct)
{
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"gate\":1,\"ignore\":1}");
    rqi_ct_until_arrived(ct, 1, 1);
    task = rqi_ct_cancel_task(ct, &ref);
    int64_t ended = refq_task_number(task, "completed_at", 0);
    rqi_ct_open(ct->stage, 1);
    CT_UNTIL(ct, rqi_ct_left(ct->stage, 1) == 1);
    rqi_ct_settle(ct);
    for (int i = 0; i < LOOKS; i++) {
        task = rqi_ct_status(ct, &ref);
        CT_CHECK(ct, refq_task_status(task) == REFQ_CANCELLED, "it became %s",
                 refq_status_name(refq_task_status(task)));
        rqi_ct_nap();
    }
    CT_CHECK(ct, refq_task_number(task, "completed_at", 0) == ended, "its end moved");
    refq_err rc = refq_client_result(ct->client, &ref, &task, &entry, &len, &ct->err);
    CT_CHECK(ct, rc == REFQ_ERR_CONFLICT, "a result can be read: %s", refq_strerror(rc));
    (void)rqi_ct_own(ct, task);
}

static void a_late_failure_changes_nothing(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .task = "once", .args = "{\"gate\":1}");
    rqi_ct_until_arrived(ct, 1, 1);
    (void)rqi_ct_cancel_task(ct, &ref);
    CT_UNTIL(ct, rqi_ct_left(ct->stage, 1) == 1);
    rqi_ct_settle(ct);
    refq_task *task = rqi_ct_status(ct, &ref);
    CT_CHECK(ct, refq_task_status(task) == REFQ_CANCELLED, "it became %s",
             refq_status_name(refq_task_status(task)));
    CT_CHECK(ct, refq_task_number(task, "failures", 0) == 0, "it counts as a failure");
}

/* Two slots, one of them with somebody who does not listen: one is left. */
static void the_slot_is_taken_until_it_really_ends(rqi_ct *ct)
{
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"gate\":1,\"ignore\":1}");
    rqi_ct_until_arrived(ct, 1, 1);
    (void)rqi_ct_cancel_task(ct, &ref);
    refq_ref one = CT_SUBMIT(ct, .args = "{\"gate\":2}");
    refq_ref two = CT_SUBMIT(ct, .args = "{\"gate\":2}");
    rqi_ct_until_arrived(ct, 2, 1);
    for (int i = 0; i < LOOKS; i++) {
        CT_CHECK(ct, rqi_ct_arrived(ct->stage, 2) == 1, "its slot was given away");
        rqi_ct_nap();
    }
    rqi_ct_open(ct->stage, 1);
    rqi_ct_until_arrived(ct, 2, 2);
    rqi_ct_open(ct->stage, 2);
    (void)rqi_ct_end_as(ct, &one, REFQ_COMPLETE);
    (void)rqi_ct_end_as(ct, &two, REFQ_COMPLETE);
}

const rqi_ct_case rqi_ct_cases_cancel[] = {
    {"cancel.whatever_waits_or_runs_is_cancelled_at_once",
     whatever_waits_or_runs_is_cancelled_at_once, 0, 0},
    {"cancel.a_ready_task_is_cancelled_and_never_runs", a_ready_task_is_cancelled_and_never_runs, 0,
     1},
    {"cancel.a_task_that_is_over_stays_what_it_is", a_task_that_is_over_stays_what_it_is, 0, 0},
    {"cancel.unknown_task_is_not_found", unknown_task_is_not_found, 0, 0},
    {"cancel.the_handler_is_told", the_handler_is_told, 0, 0},
    {"cancel.a_late_success_changes_nothing", a_late_success_changes_nothing, 0, 0},
    {"cancel.a_late_failure_changes_nothing", a_late_failure_changes_nothing, 0, 0},
    {"cancel.the_slot_is_taken_until_it_really_ends", the_slot_is_taken_until_it_really_ends, 0, 2},
    {0},
};
