/* SPDX-License-Identifier: MIT */
/* Tasks that wait for others to be over. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

#define LONG_MS   3600000
#define GATED     "{\"gate\":1}"
#define FOLLOWERS 100

static refq_ref follower_of(rqi_ct *ct, const refq_ref *refs, size_t n)
{
    return CT_SUBMIT(ct, .after = refs, .n_after = n);
}

/* A chance for it to start if it could. */
static void still_waits(rqi_ct *ct, const refq_ref *ref)
{
    rqi_ct_settle(ct);
    refq_task *task = rqi_ct_status(ct, ref);
    CT_CHECK(ct, refq_task_status(task) == REFQ_PENDING, "it is %s",
             refq_status_name(refq_task_status(task)));
    CT_CHECK(ct, refq_task_number(task, "attempt", -1) == 0, "it has begun");
    CT_CHECK(ct, refq_task_number(task, "due_at", 0) > 0, "it is not a delayed one");
}

static void it_starts_when_the_other_is_over(rqi_ct *ct)
{
    char want[REFQ_REF_MAX + 1];
    refq_ref first = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    refq_ref next = follower_of(ct, &first, 1);
    still_waits(ct, &next);
    CT_CHECK(
        ct,
        strcmp(rqi_ct_field(rqi_ct_status(ct, &next), "after"), refq_ref_format(&first, want)) == 0,
        "the record says it waits for '%s'", rqi_ct_field(rqi_ct_status(ct, &next), "after"));
    rqi_ct_open(ct->stage, 1);
    refq_task *done = rqi_ct_end_as(ct, &first, REFQ_COMPLETE);
    refq_task *task = rqi_ct_end_as(ct, &next, REFQ_COMPLETE);
    CT_CHECK(ct,
             refq_task_number(task, "started_at", 0) >= refq_task_number(done, "completed_at", 0),
             "it has begun before the other was over");
    CT_CHECK(ct, refq_task_field(task, "after") == NULL, "it still says it waits");
}

static void however_the_other_ends(rqi_ct *ct)
{
    refq_ref cancelled = CT_SUBMIT(ct, .delay_ms = LONG_MS);
    refq_ref after_cancel = follower_of(ct, &cancelled, 1);
    refq_ref failed = CT_SUBMIT(ct, .task = "once", .args = "{\"fail\":1}", .delay_ms = 50);
    refq_ref after_failure = follower_of(ct, &failed, 1);
    refq_ref late = CT_SUBMIT(ct, .delay_ms = LONG_MS);
    (void)rqi_ct_cancel_task(ct, &late);
    refq_ref after_all = follower_of(ct, &late, 1);
    still_waits(ct, &after_cancel);
    (void)rqi_ct_cancel_task(ct, &cancelled);
    (void)rqi_ct_end_as(ct, &after_cancel, REFQ_COMPLETE);
    (void)rqi_ct_end_as(ct, &failed, REFQ_FAILED);
    (void)rqi_ct_end_as(ct, &after_failure, REFQ_COMPLETE);
    (void)rqi_ct_end_as(ct, &after_all, REFQ_COMPLETE);
}

static void what_is_over_or_unknown_is_not_waited_for(rqi_ct *ct)
{
    refq_ref refs[] = {rqi_ct_make(ct, RQI_CT_COMPLETE, NULL), rqi_ct_make(ct, RQI_CT_FAILED, NULL),
                       rqi_ct_make(ct, RQI_CT_CANCELLED, NULL), rqi_ct_ref(ct), rqi_ct_ref(ct)};
    (void)snprintf(refs[4].queue, sizeof refs[4].queue, "no-such-queue");
    refq_ref ref = follower_of(ct, refs, sizeof refs / sizeof refs[0]);
    refq_task *task = rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    CT_CHECK(ct, refq_task_field(task, "after") == NULL, "the record says it waits");
}

static void it_waits_for_all_of_them(rqi_ct *ct)
{
    refq_ref refs[] = {CT_SUBMIT(ct, .args = GATED), CT_SUBMIT(ct, .args = "{\"gate\":2}"),
                       CT_SUBMIT(ct, .args = "{\"gate\":3}")};
    refq_ref next = follower_of(ct, refs, 3);
    for (unsigned i = 0; i < 3; i++) {
        still_waits(ct, &next);
        rqi_ct_open(ct->stage, i + 1);
        (void)rqi_ct_end_as(ct, &refs[i], REFQ_COMPLETE);
    }
    (void)rqi_ct_end_as(ct, &next, REFQ_COMPLETE);
}

static void many_may_wait_for_one(rqi_ct *ct)
{
    refq_ref all[FOLLOWERS];
    refq_ref first = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    for (int i = 0; i < FOLLOWERS; i++) {
        all[i] = follower_of(ct, &first, 1);
    }
    rqi_ct_open(ct->stage, 1);
    for (int i = 0; i < FOLLOWERS; i++) {
        (void)rqi_ct_end_as(ct, &all[i], REFQ_COMPLETE);
    }
}

static void chains_run_in_their_order(rqi_ct *ct)
{
    char seen[RQI_CT_LOG + 1];
    refq_ref a = CT_SUBMIT(ct, .args = "{\"tag\":\"a\",\"gate\":1}");
    refq_ref b = CT_SUBMIT(ct, .args = "{\"tag\":\"b\"}", .after = &a, .n_after = 1);
    refq_ref c = CT_SUBMIT(ct, .args = "{\"tag\":\"c\"}", .after = &b, .n_after = 1);
    rqi_ct_open(ct->stage, 1);
    (void)rqi_ct_end_as(ct, &c, REFQ_COMPLETE);
    rqi_ct_order_seen(ct->stage, seen);
    CT_CHECK(ct, strcmp(seen, "abc") == 0, "they ran as %s", seen);
}

static bool is_parked(rqi_ct *ct, const refq_ref *ref)
{
    refq_task *task = rqi_ct_status(ct, ref);
    return refq_task_number(task, "due_at", 0) - refq_task_number(task, "created_at", 0) > 10000;
}

static void its_delay_counts_too(rqi_ct *ct)
{
    refq_ref first = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    refq_ref later = CT_SUBMIT(ct, .delay_ms = LONG_MS, .after = &first, .n_after = 1);
    refq_ref soon = CT_SUBMIT(ct, .delay_ms = 30, .after = &first, .n_after = 1);
    CT_UNTIL(ct, is_parked(ct, &soon));
    rqi_ct_open(ct->stage, 1);
    (void)rqi_ct_end_as(ct, &soon, REFQ_COMPLETE);
    still_waits(ct, &later);
}

static void a_cancelled_one_is_not_woken(rqi_ct *ct)
{
    refq_ref first = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    refq_ref next = follower_of(ct, &first, 1);
    (void)rqi_ct_cancel_task(ct, &next);
    rqi_ct_open(ct->stage, 1);
    (void)rqi_ct_end_as(ct, &first, REFQ_COMPLETE);
    rqi_ct_settle(ct);
    CT_CHECK(ct, rqi_ct_is(ct, &next, REFQ_CANCELLED), "it was cancelled");
}

static void what_runs_it_again_waits_too(rqi_ct *ct)
{
    refq_task *task = NULL;
    refq_ref as = rqi_ct_ref(ct);
    refq_ref first = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    refq_ref next = follower_of(ct, &first, 1);
    (void)rqi_ct_cancel_task(ct, &next);
    CT_OK(ct, refq_client_retry(ct->client, &next, &as, &task, &ct->err));
    (void)rqi_ct_own(ct, task);
    still_waits(ct, &as);
    rqi_ct_open(ct->stage, 1);
    (void)rqi_ct_end_as(ct, &as, REFQ_COMPLETE);
}

static void who_waits_too_long_expires(rqi_ct *ct)
{
    refq_ref first = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    refq_ref next = CT_SUBMIT(ct, .after = &first, .n_after = 1, .start_within_ms = 30);
    refq_task *task = rqi_ct_end_as(ct, &next, REFQ_FAILED);
    CT_CHECK(ct, strcmp(rqi_ct_field(task, "reason"), "expired") == 0, "it failed as %s",
             rqi_ct_field(task, "reason"));
}

static void what_cannot_be_waited_for_is_refused(rqi_ct *ct)
{
    refq_submitted done;
    refq_ref refs[REFQ_AFTER_MAX + 1];
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        refs[i] = rqi_ct_ref(ct);
    }
    refq_spec spec = {.after = refs, .n_after = REFQ_AFTER_MAX + 1};
    CT_REFUSED(ct, rqi_ct_try(ct, spec, &done), REFQ_ERR_LIMIT);
    spec.n_after = REFQ_AFTER_MAX;
    CT_OK(ct, rqi_ct_try(ct, spec, &done));
    spec.ref = refs[REFQ_AFTER_MAX - 1];
    CT_REFUSED(ct, rqi_ct_try(ct, spec, &done), REFQ_ERR_INVALID);
    spec.ref = rqi_ct_ref(ct);
    refs[0].hex[0] = '-';
    CT_REFUSED(ct, rqi_ct_try(ct, spec, &done), REFQ_ERR_INVALID);
}

const rqi_ct_case rqi_ct_cases_after[] = {
    {"after.it_starts_when_the_other_is_over", it_starts_when_the_other_is_over, REFQ_CAP_CALL, 0},
    {"after.however_the_other_ends", however_the_other_ends, REFQ_CAP_CALL, 0},
    {"after.what_is_over_or_unknown_is_not_waited_for", what_is_over_or_unknown_is_not_waited_for,
     REFQ_CAP_CALL, 0},
    {"after.it_waits_for_all_of_them", it_waits_for_all_of_them, REFQ_CAP_CALL, 0},
    {"after.many_may_wait_for_one", many_may_wait_for_one, REFQ_CAP_CALL, 0},
    {"after.chains_run_in_their_order", chains_run_in_their_order, REFQ_CAP_CALL, 0},
    {"after.its_delay_counts_too", its_delay_counts_too, REFQ_CAP_CALL, 0},
    {"after.a_cancelled_one_is_not_woken", a_cancelled_one_is_not_woken, REFQ_CAP_CALL, 0},
    {"after.what_runs_it_again_waits_too", what_runs_it_again_waits_too,
     REFQ_CAP_CALL | REFQ_CAP_RETRY, 0},
    {"after.who_waits_too_long_expires", who_waits_too_long_expires, REFQ_CAP_CALL, 0},
    {"after.what_cannot_be_waited_for_is_refused", what_cannot_be_waited_for_is_refused,
     REFQ_CAP_CALL, 0},
    {0},
};
