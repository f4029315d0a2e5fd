/* SPDX-License-Identifier: MIT */
/* Removing finished tasks: by age, status, name, number, one by one. */
#include "contract.h"

#include <string.h>

static int64_t cleanup(rqi_ct *ct, refq_cleanup_query query)
{
    int64_t n = -1;
    query.struct_size = sizeof query;
    query.queue = ct->setup.queue;
    CT_OK(ct, refq_client_cleanup(ct->client, &query, &n, &ct->err));
    return n;
}

static void make_all(rqi_ct *ct, refq_ref refs[RQI_CT_STATES])
{
    for (int i = 0; i < RQI_CT_STATES; i++) {
        refs[i] = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
    }
}

/* Each bit: a state whose task must be gone. */
static void expect_gone(rqi_ct *ct, const refq_ref refs[RQI_CT_STATES], unsigned bits)
{
    for (int i = 0; i < RQI_CT_STATES; i++) {
        bool want = (bits >> i) & 1;
        CT_CHECK(ct, rqi_ct_gone(ct, &refs[i]) == want, "the one that was %s is %s",
                 rqi_ct_state_name((rqi_ct_state)i), want ? "still there" : "gone");
    }
}

#define BIT(state) (1U << (state))

static void takes_what_is_over_and_nothing_else(rqi_ct *ct)
{
    refq_ref refs[RQI_CT_STATES];
    make_all(ct, refs);
    int64_t n = cleanup(ct, (refq_cleanup_query){.status = -1});
    CT_CHECK(ct, n == 3, "%lld were removed", (long long)n);
    expect_gone(ct, refs, BIT(RQI_CT_COMPLETE) | BIT(RQI_CT_FAILED) | BIT(RQI_CT_CANCELLED));
}

static void takes_their_results_along(rqi_ct *ct)
{
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_ref ref = rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    (void)cleanup(ct, (refq_cleanup_query){.status = -1});
    CT_REFUSED(ct, refq_client_result(ct->client, &ref, &task, &entry, &len, &ct->err),
               REFQ_ERR_NOTFOUND);
}

static void goes_by_status(rqi_ct *ct)
{
    refq_ref refs[RQI_CT_STATES];
    make_all(ct, refs);
    int64_t n = cleanup(ct, (refq_cleanup_query){.status = REFQ_CANCELLED});
    CT_CHECK(ct, n == 1, "%lld were removed", (long long)n);
    expect_gone(ct, refs, BIT(RQI_CT_CANCELLED));
}

static void goes_by_death(rqi_ct *ct)
{
    refq_ref refs[RQI_CT_STATES];
    make_all(ct, refs);
    int64_t n = cleanup(ct, (refq_cleanup_query){.status = -1, .dead = true});
    CT_CHECK(ct, n == 1, "%lld were removed", (long long)n);
    expect_gone(ct, refs, BIT(RQI_CT_FAILED));
}

static void goes_by_name(rqi_ct *ct)
{
    refq_ref play = CT_SUBMIT(ct, .task = "play");
    refq_ref once = CT_SUBMIT(ct, .task = "once");
    (void)rqi_ct_end_as(ct, &play, REFQ_COMPLETE);
    (void)rqi_ct_end_as(ct, &once, REFQ_COMPLETE);
    int64_t n = cleanup(ct, (refq_cleanup_query){.status = -1, .task = "once"});
    CT_CHECK(ct, n == 1, "%lld were removed", (long long)n);
    CT_CHECK(ct, rqi_ct_gone(ct, &once) && !rqi_ct_gone(ct, &play), "the wrong one is gone");
}

static void goes_by_age(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    int64_t n = cleanup(ct, (refq_cleanup_query){.status = -1, .older_than_ms = 3600000});
    CT_CHECK(ct, n == 0 && !rqi_ct_gone(ct, &ref), "a fresh one was removed");
    CT_UNTIL(ct, cleanup(ct, (refq_cleanup_query){.status = -1, .older_than_ms = 20}) == 1);
    CT_CHECK(ct, rqi_ct_gone(ct, &ref), "it is still there");
}

static void stops_at_its_limit(rqi_ct *ct)
{
    for (int i = 0; i < 5; i++) {
        (void)rqi_ct_make(ct, RQI_CT_CANCELLED, NULL);
    }
    int64_t first = cleanup(ct, (refq_cleanup_query){.status = -1, .limit = 2});
    int64_t rest = cleanup(ct, (refq_cleanup_query){.status = -1});
    CT_CHECK(ct, first == 2 && rest == 3, "%lld, then %lld were removed", (long long)first,
             (long long)rest);
}

static void takes_just_one(rqi_ct *ct)
{
    refq_ref one = rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    refq_ref other = rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    refq_ref lives = rqi_ct_make(ct, RQI_CT_DELAYED, NULL);
    int64_t n = cleanup(ct, (refq_cleanup_query){.status = -1, .only = &one});
    CT_CHECK(ct, n == 1 && rqi_ct_gone(ct, &one) && !rqi_ct_gone(ct, &other), "%lld were removed",
             (long long)n);
    n = cleanup(ct, (refq_cleanup_query){.status = -1, .only = &lives});
    CT_CHECK(ct, n == 0 && !rqi_ct_gone(ct, &lives), "a live one was removed");
    n = cleanup(ct, (refq_cleanup_query){.status = -1, .only = &one});
    CT_CHECK(ct, n == 0, "one that is gone was removed");
}

static void refuses_what_is_alive(rqi_ct *ct)
{
    refq_cleanup_query query = {.struct_size = sizeof query, .queue = ct->setup.queue};
    const int bad[] = {REFQ_PENDING, REFQ_PROCESSING, 17};
    for (int i = 0; i < 3; i++) {
        query.status = bad[i];
        refq_err rc = refq_client_cleanup(ct->client, &query, NULL, &ct->err);
        CT_CHECK(ct, rc == REFQ_ERR_INVALID, "status %d: %s", bad[i], refq_strerror(rc));
    }
    query.status = -1;
    query.older_than_ms = -1;
    refq_err rc = refq_client_cleanup(ct->client, &query, NULL, &ct->err);
    CT_CHECK(ct, rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT, "a negative age: %s",
             refq_strerror(rc));
}

static void a_key_of_a_removed_task_is_free(rqi_ct *ct)
{
    refq_submitted done;
    (void)rqi_ct_make(ct, RQI_CT_COMPLETE, "its key");
    (void)cleanup(ct, (refq_cleanup_query){.status = -1});
    CT_OK(ct, rqi_ct_try(ct, (refq_spec){.key = "its key"}, &done));
    CT_CHECK(ct, !done.existed, "the key names a task that is gone");
}

const rqi_ct_case rqi_ct_cases_cleanup[] = {
    {"cleanup.takes_what_is_over_and_nothing_else", takes_what_is_over_and_nothing_else,
     REFQ_CAP_OPERATE, 0},
    {"cleanup.takes_their_results_along", takes_their_results_along, REFQ_CAP_OPERATE, 0},
    {"cleanup.goes_by_status", goes_by_status, REFQ_CAP_OPERATE, 0},
    {"cleanup.goes_by_death", goes_by_death, REFQ_CAP_OPERATE, 0},
    {"cleanup.goes_by_name", goes_by_name, REFQ_CAP_OPERATE, 0},
    {"cleanup.goes_by_age", goes_by_age, REFQ_CAP_OPERATE, 0},
    {"cleanup.stops_at_its_limit", stops_at_its_limit, REFQ_CAP_OPERATE, 0},
    {"cleanup.takes_just_one", takes_just_one, REFQ_CAP_OPERATE, 0},
    {"cleanup.refuses_what_is_alive", refuses_what_is_alive, REFQ_CAP_OPERATE, 0},
    {"cleanup.a_key_of_a_removed_task_is_free", a_key_of_a_removed_task_is_free, REFQ_CAP_OPERATE,
     0},
    {0},
};
