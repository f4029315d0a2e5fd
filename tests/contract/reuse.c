/* SPDX-License-Identifier: MIT */
/* Identical calls share a task; its last caller takes it along. */
#include "contract.h"

#include <string.h>

#define LONG_MS 3600000
#define ONE     "0123456789abcdef0123456789abcdef"
#define OTHER   "ffffffffffffffffffffffffffffffff"
#define GATED   "{\"gate\":1}"

/* What became of a call. */
typedef struct made {
    refq_ref caller;
    refq_submitted done;
} made;

static made call_with(rqi_ct *ct, refq_spec spec)
{
    made m = {.caller = rqi_ct_ref(ct)};
    spec.ref = m.caller;
    spec.call = spec.call != NULL ? spec.call : ONE;
    spec.reuse = spec.reuse != REFQ_REUSE_NONE ? spec.reuse : REFQ_REUSE_IN_FLIGHT;
    CT_OK(ct, rqi_ct_try(ct, spec, &m.done));
    CT_CHECK(ct, m.done.joined || strcmp(m.done.ref.hex, m.caller.hex) == 0,
             "a new task has another reference");
    CT_CHECK(ct, m.done.existed || !m.done.joined, "joined, but said to be new");
    return m;
}
#define CALL(ct, ...) call_with((ct), (refq_spec){__VA_ARGS__})

static bool joins(const made *m, const refq_ref *ref)
{
    return m->done.joined && strcmp(m->done.ref.hex, ref->hex) == 0;
}

static refq_task *detach(rqi_ct *ct, const refq_ref *ref, const refq_ref *caller)
{
    refq_task *task = NULL;
    CT_OK(ct, refq_client_detach(ct->client, ref, caller, &task, &ct->err));
    return rqi_ct_own(ct, task);
}

static void live_tasks_are_shared(rqi_ct *ct)
{
    made later = CALL(ct, .delay_ms = LONG_MS);
    made again = CALL(ct, .delay_ms = LONG_MS);
    CT_CHECK(ct, !later.done.joined, "the first one joins nothing");
    CT_CHECK(ct, joins(&again, &later.done.ref), "one that waits is not shared");
    CT_CHECK(ct, again.done.status == REFQ_PENDING, "it is said to be %s",
             refq_status_name(again.done.status));
    CT_CHECK(ct, rqi_ct_gone(ct, &again.caller), "a second task was queued");
    made runs = CALL(ct, .call = OTHER, .args = GATED);
    rqi_ct_until_arrived(ct, 1, 1);
    again = CALL(ct, .call = OTHER, .args = GATED);
    CT_CHECK(ct, joins(&again, &runs.done.ref) && again.done.status == REFQ_PROCESSING,
             "one that runs is not shared");
    rqi_ct_open(ct->stage, 1);
    (void)rqi_ct_end_as(ct, &runs.done.ref, REFQ_COMPLETE);
    CT_CHECK(ct, rqi_ct_arrived(ct->stage, 1) == 1, "it ran twice");
}

static void between_two_attempts_it_is_shared_too(rqi_ct *ct)
{
    made one = CALL(ct, .task = "slow", .args = "{\"fail\":1}");
    CT_UNTIL(ct, refq_task_number(rqi_ct_status(ct, &one.done.ref), "failures", 0) == 1);
    made two = CALL(ct, .task = "slow");
    CT_CHECK(ct, joins(&two, &one.done.ref), "it is not shared");
}

static void others_are_not_shared(rqi_ct *ct)
{
    made one = CALL(ct, .delay_ms = LONG_MS);
    made other = CALL(ct, .call = OTHER, .delay_ms = LONG_MS);
    refq_submitted done;
    CT_CHECK(ct, !other.done.existed, "another call joins it");
    CT_OK(ct, rqi_ct_try(ct, (refq_spec){.call = ONE, .delay_ms = LONG_MS}, &done));
    CT_CHECK(ct, !done.existed, "one that wants no reuse joins it");
    made two = CALL(ct, .delay_ms = LONG_MS);
    CT_CHECK(ct, joins(&two, &one.done.ref), "it is not found any more");
}

static void what_is_over_is_not_joined(rqi_ct *ct)
{
    static const char *const args[] = {"{}", "{\"fail\":9,\"permanent\":1}", GATED};
    static const refq_status ends[] = {REFQ_COMPLETE, REFQ_FAILED, REFQ_CANCELLED};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        made one = CALL(ct, .args = args[i], .delay_ms = ends[i] == REFQ_CANCELLED ? LONG_MS : 0);
        CT_CHECK(ct, !one.done.existed, "it joins one that is over");
        if (ends[i] == REFQ_CANCELLED) {
            (void)rqi_ct_cancel_task(ct, &one.done.ref);
        }
        (void)rqi_ct_end_as(ct, &one.done.ref, ends[i]);
    }
    made result = CALL(ct, .reuse = REFQ_REUSE_RESULT, .args = "{\"fail\":9,\"permanent\":1}");
    CT_CHECK(ct, !result.done.existed, "it joins one that is over");
    (void)rqi_ct_end_as(ct, &result.done.ref, REFQ_FAILED);
    result = CALL(ct, .reuse = REFQ_REUSE_RESULT);
    CT_CHECK(ct, !result.done.existed, "a failure is no result");
    (void)rqi_ct_end_as(ct, &result.done.ref, REFQ_COMPLETE);
}

static void a_result_is_shared_when_wanted(rqi_ct *ct)
{
    made one = CALL(ct, .reuse = REFQ_REUSE_RESULT);
    (void)rqi_ct_end_as(ct, &one.done.ref, REFQ_COMPLETE);
    made two = CALL(ct, .reuse = REFQ_REUSE_RESULT);
    CT_CHECK(ct, joins(&two, &one.done.ref) && two.done.status == REFQ_COMPLETE,
             "the result is not found");
    (void)rqi_ct_result(ct, &two.done.ref);
    made three = CALL(ct, .delay_ms = LONG_MS);
    CT_CHECK(ct, !three.done.existed, "it was wanted only while it runs");
    made four = CALL(ct, .reuse = REFQ_REUSE_RESULT);
    CT_CHECK(ct, joins(&four, &three.done.ref), "the newest task is not found");
}

static bool runs_anew(rqi_ct *ct)
{
    made m = CALL(ct, .task = "brief", .reuse = REFQ_REUSE_RESULT);
    return !m.done.joined;
}

static void a_result_that_has_expired_is_not(rqi_ct *ct)
{
    made one = CALL(ct, .task = "brief", .reuse = REFQ_REUSE_RESULT);
    (void)rqi_ct_end_as(ct, &one.done.ref, REFQ_COMPLETE);
    CT_UNTIL(ct, runs_anew(ct));
}

static void a_result_that_was_removed_is_not(rqi_ct *ct)
{
    made one = CALL(ct, .reuse = REFQ_REUSE_RESULT);
    (void)rqi_ct_end_as(ct, &one.done.ref, REFQ_COMPLETE);
    refq_cleanup_query query = {
        .struct_size = sizeof query, .queue = ct->setup.queue, .status = -1, .only = &one.done.ref};
    CT_OK(ct, refq_client_cleanup(ct->client, &query, NULL, &ct->err));
    made two = CALL(ct, .reuse = REFQ_REUSE_RESULT);
    CT_CHECK(ct, !two.done.existed, "what was removed is joined");
}

static void a_retry_is_found_unless_another_one_is(rqi_ct *ct)
{
    refq_task *task = NULL;
    made one = CALL(ct, .delay_ms = LONG_MS, .args = GATED);
    (void)rqi_ct_cancel_task(ct, &one.done.ref);
    CT_OK(ct, refq_client_retry(ct->client, &one.done.ref, NULL, &task, &ct->err));
    refq_ref again = *refq_task_ref(rqi_ct_own(ct, task));
    made two = CALL(ct, .args = GATED);
    CT_CHECK(ct, joins(&two, &again), "what runs it again is not found");
    (void)rqi_ct_cancel_task(ct, &again);
    made three = CALL(ct, .delay_ms = LONG_MS);
    CT_CHECK(ct, !three.done.existed, "it joins a cancelled one");
    CT_OK(ct, refq_client_retry(ct->client, &again, NULL, &task, &ct->err));
    (void)rqi_ct_own(ct, task);
    made four = CALL(ct, .delay_ms = LONG_MS);
    CT_CHECK(ct, joins(&four, &three.done.ref), "a retry has taken the place of a newer task");
}

/* --- Callers ---------------------------------------------------------------------------------- */

static void the_only_caller_cancels(rqi_ct *ct)
{
    made one = CALL(ct, .args = GATED);
    rqi_ct_until_arrived(ct, 1, 1);
    refq_task *task = detach(ct, &one.done.ref, &one.caller);
    CT_CHECK(ct, refq_task_status(task) == REFQ_CANCELLED, "it is %s",
             refq_status_name(refq_task_status(task)));
    CT_UNTIL(ct, rqi_ct_left(ct->stage, 1) == 1);
    task = detach(ct, &one.done.ref, &one.caller);
    CT_CHECK(ct, refq_task_status(task) == REFQ_CANCELLED, "a repeat finds it %s",
             refq_status_name(refq_task_status(task)));
}

/* Who came by its key counts on it, too. */
static void who_came_by_a_key_keeps_it(rqi_ct *ct)
{
    refq_submitted done;
    made one = CALL(ct, .key = "mine", .delay_ms = LONG_MS);
    refq_spec again = {.key = "mine", .call = ONE, .reuse = REFQ_REUSE_IN_FLIGHT};
    CT_OK(ct, rqi_ct_try(ct, again, &done));
    CT_CHECK(ct, done.existed && strcmp(done.ref.hex, one.done.ref.hex) == 0,
             "the key does not find it");
    refq_task *task = detach(ct, &one.done.ref, &one.caller);
    CT_CHECK(ct, refq_task_status(task) == REFQ_PENDING, "it is %s",
             refq_status_name(refq_task_status(task)));
}

/* Also one whose submit and detach were repeated, and one that never joined. */
static void the_last_caller_cancels(rqi_ct *ct)
{
    refq_submitted done;
    refq_ref stranger = rqi_ct_ref(ct);
    made one = CALL(ct, .delay_ms = LONG_MS);
    made two = CALL(ct, .delay_ms = LONG_MS);
    made three = CALL(ct, .delay_ms = LONG_MS);
    refq_spec again = {.ref = two.caller, .call = ONE, .reuse = REFQ_REUSE_IN_FLIGHT};
    CT_OK(ct, rqi_ct_try(ct, again, &done));
    CT_CHECK(ct, done.joined, "a repeated submit does not join");
    const refq_ref *leave[] = {&stranger, &two.caller, &two.caller, &stranger, &one.caller};
    for (size_t i = 0; i < sizeof leave / sizeof leave[0]; i++) {
        refq_task *task = detach(ct, &one.done.ref, leave[i]);
        CT_CHECK(ct, refq_task_status(task) == REFQ_PENDING, "after %zu detaches it is %s", i + 1,
                 refq_status_name(refq_task_status(task)));
    }
    refq_task *task = detach(ct, &one.done.ref, &three.caller);
    CT_CHECK(ct, refq_task_status(task) == REFQ_CANCELLED, "the last one has gone, but it is %s",
             refq_status_name(refq_task_status(task)));
}

static void a_stranger_cancels_nothing(rqi_ct *ct)
{
    refq_ref stranger = rqi_ct_ref(ct);
    made one = CALL(ct, .delay_ms = LONG_MS);
    refq_task *task = detach(ct, &one.done.ref, &stranger);
    CT_CHECK(ct, refq_task_status(task) == REFQ_PENDING, "it is %s",
             refq_status_name(refq_task_status(task)));
}

static void what_was_handed_out_goes_on(rqi_ct *ct)
{
    refq_task *task = NULL;
    made one = CALL(ct, .delay_ms = LONG_MS);
    made two = CALL(ct, .delay_ms = LONG_MS);
    for (int i = 0; i < 2; i++) {
        CT_OK(ct, refq_client_hand_out(ct->client, &one.done.ref, &task, &ct->err));
        CT_CHECK(ct, refq_task_status(rqi_ct_own(ct, task)) == REFQ_PENDING, "it is over");
    }
    (void)detach(ct, &one.done.ref, &one.caller);
    (void)detach(ct, &one.done.ref, &two.caller);
    task = detach(ct, &one.done.ref, &one.caller);
    CT_CHECK(ct, refq_task_status(task) == REFQ_PENDING, "it is %s",
             refq_status_name(refq_task_status(task)));
}

static void what_is_over_stays_so(rqi_ct *ct)
{
    for (int i = RQI_CT_COMPLETE; i < RQI_CT_STATES; i++) {
        refq_task *task = NULL;
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        refq_status want = rqi_ct_status_of((rqi_ct_state)i);
        CT_CHECK(ct, refq_task_status(detach(ct, &ref, &ref)) == want, "detach changed it");
        CT_OK(ct, refq_client_hand_out(ct->client, &ref, &task, &ct->err));
        CT_CHECK(ct, refq_task_status(rqi_ct_own(ct, task)) == want, "hand_out changed it");
    }
}

static void a_task_that_is_not_there_is_not_found(rqi_ct *ct)
{
    refq_task *task = NULL;
    refq_ref ref = rqi_ct_ref(ct);
    CT_REFUSED(ct, refq_client_detach(ct->client, &ref, &ref, &task, &ct->err), REFQ_ERR_NOTFOUND);
    CT_REFUSED(ct, refq_client_hand_out(ct->client, &ref, &task, &ct->err), REFQ_ERR_NOTFOUND);
}

static void what_is_no_digest_is_refused(rqi_ct *ct)
{
    static const struct {
        const char *call;
        refq_reuse reuse;
    } bad[] = {
        {NULL, REFQ_REUSE_RESULT},
        {"", REFQ_REUSE_IN_FLIGHT},
        {"0123", REFQ_REUSE_IN_FLIGHT},
        {ONE "0", REFQ_REUSE_IN_FLIGHT},
        {"0123456789ABCDEF0123456789ABCDEF", REFQ_REUSE_RESULT},
        {ONE, (refq_reuse)3},
        {ONE, (refq_reuse)-1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refq_submitted done;
        refq_spec spec = {.call = bad[i].call, .reuse = bad[i].reuse};
        CT_REFUSED(ct, rqi_ct_try(ct, spec, &done), REFQ_ERR_INVALID);
    }
}

const rqi_ct_case rqi_ct_cases_reuse[] = {
    {"reuse.live_tasks_are_shared", live_tasks_are_shared, REFQ_CAP_CALL, 0},
    {"reuse.between_two_attempts_it_is_shared_too", between_two_attempts_it_is_shared_too,
     REFQ_CAP_CALL, 0},
    {"reuse.others_are_not_shared", others_are_not_shared, REFQ_CAP_CALL, 0},
    {"reuse.what_is_over_is_not_joined", what_is_over_is_not_joined, REFQ_CAP_CALL, 0},
    {"reuse.a_result_is_shared_when_wanted", a_result_is_shared_when_wanted, REFQ_CAP_CALL, 0},
    {"reuse.a_result_that_has_expired_is_not", a_result_that_has_expired_is_not, REFQ_CAP_CALL, 0},
    {"reuse.a_result_that_was_removed_is_not", a_result_that_was_removed_is_not,
     REFQ_CAP_CALL | REFQ_CAP_OPERATE, 0},
    {"reuse.a_retry_is_found_unless_another_one_is", a_retry_is_found_unless_another_one_is,
     REFQ_CAP_CALL | REFQ_CAP_RETRY, 0},
    {"reuse.the_only_caller_cancels", the_only_caller_cancels, REFQ_CAP_CALL, 0},
    {"reuse.the_last_caller_cancels", the_last_caller_cancels, REFQ_CAP_CALL, 0},
    {"reuse.who_came_by_a_key_keeps_it", who_came_by_a_key_keeps_it, REFQ_CAP_CALL, 0},
    {"reuse.a_stranger_cancels_nothing", a_stranger_cancels_nothing, REFQ_CAP_CALL, 0},
    {"reuse.what_was_handed_out_goes_on", what_was_handed_out_goes_on, REFQ_CAP_CALL, 0},
    {"reuse.what_is_over_stays_so", what_is_over_stays_so, REFQ_CAP_CALL, 0},
    {"reuse.a_task_that_is_not_there_is_not_found", a_task_that_is_not_there_is_not_found,
     REFQ_CAP_CALL, 0},
    {"reuse.what_is_no_digest_is_refused", what_is_no_digest_is_refused, REFQ_CAP_CALL, 0},
    {0},
};
