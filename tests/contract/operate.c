/* SPDX-License-Identifier: MIT */
/* Numbers, pausing, names of queues, the catalog, and the fleet. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS 25 /* a few milliseconds each, in which something forbidden could show */

static refq_err try_control(rqi_ct *ct, refq_control_action action, const char *worker, int64_t *n)
{
    refq_control c = {
        .struct_size = sizeof c, .queue = ct->setup.queue, .action = action, .worker = worker};
    return refq_client_control(ct->client, &c, n, &ct->err);
}

static refq_stats numbers(rqi_ct *ct)
{
    refq_stats s;
    CT_OK(ct, refq_client_stats(ct->client, ct->setup.queue, &s, &ct->err));
    return s;
}

#define EXPECT(ct, s, name, want)                                                     \
    CT_CHECK(ct, (s).name == (want), #name " is %lld, not %lld", (long long)(s).name, \
             (long long)(want))

static void an_empty_queue_has_zeros(rqi_ct *ct)
{
    refq_stats s = numbers(ct);
    CT_CHECK(ct, strcmp(s.queue, ct->setup.queue) == 0, "the queue is '%s'", s.queue);
    EXPECT(ct, s, pending, 0);
    EXPECT(ct, s, processing, 0);
    EXPECT(ct, s, submitted, 0);
    EXPECT(ct, s, complete, 0);
    EXPECT(ct, s, oldest_ms, 0);
    EXPECT(ct, s, max_pending, 0);
    CT_CHECK(ct, !s.paused, "it is paused");
}

static void tasks_are_counted_in_each_state(rqi_ct *ct)
{
    for (int i = 0; i < RQI_CT_STATES; i++) {
        for (int k = 0; k <= (i == RQI_CT_RUNNING ? 0 : i % 2); k++) {
            (void)rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        }
    }
    refq_stats s = numbers(ct);
    EXPECT(ct, s, pending, 3); /* one delayed, two between two attempts */
    EXPECT(ct, s, delayed, 3);
    EXPECT(ct, s, ready, 0);
    EXPECT(ct, s, held, 0);
    EXPECT(ct, s, processing, 1);
    EXPECT(ct, s, submitted, 9);
    EXPECT(ct, s, complete, 2);
    EXPECT(ct, s, failed, 1);
    EXPECT(ct, s, dead, 1);
    EXPECT(ct, s, cancelled, 2);
    EXPECT(ct, s, retries, 2);
    EXPECT(ct, s, deaths, 0);
    CT_CHECK(ct, s.now_ms > 0, "it has no clock");
}

static void ready_tasks_are_counted(rqi_ct *ct)
{
    (void)rqi_ct_make(ct, RQI_CT_RUNNING, NULL); /* the only slot */
    refq_ref ref = CT_SUBMIT(ct, .lane = REFQ_LANE_HIGH);
    (void)CT_SUBMIT(ct, .lane = REFQ_LANE_LOW);
    CT_UNTIL(ct, numbers(ct).oldest_ms > 0);
    refq_stats s = numbers(ct);
    EXPECT(ct, s, ready, 2);
    EXPECT(ct, s, pending, 2);
    (void)rqi_ct_cancel_task(ct, &ref);
    s = numbers(ct);
    EXPECT(ct, s, pending, 1);
    EXPECT(ct, s, cancelled, 1);
}

static void a_paused_queue_hands_nothing_out(rqi_ct *ct)
{
    refq_ref runs = rqi_ct_make(ct, RQI_CT_RUNNING, NULL);
    CT_OK(ct, try_control(ct, REFQ_PAUSE, NULL, NULL));
    CT_CHECK(ct, numbers(ct).paused, "it is not said to be paused");
    rqi_ct_open(ct->stage, 1);
    (void)rqi_ct_end_as(ct, &runs, REFQ_COMPLETE); /* what runs goes on */
    refq_ref ref = CT_SUBMIT(ct, .task = "play");
    refq_ref due = CT_SUBMIT(ct, .delay_ms = 5);
    for (int i = 0; i < LOOKS; i++) {
        CT_CHECK(ct, rqi_ct_is(ct, &ref, REFQ_PENDING), "it was handed out");
        CT_CHECK(ct, rqi_ct_is(ct, &due, REFQ_PENDING), "it was handed out when it was due");
        rqi_ct_nap();
    }
    CT_OK(ct, try_control(ct, REFQ_RESUME, NULL, NULL));
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    (void)rqi_ct_end_as(ct, &due, REFQ_COMPLETE);
    CT_CHECK(ct, !numbers(ct).paused, "it is still said to be paused");
}

static void cancel_works_in_a_paused_queue(rqi_ct *ct)
{
    CT_OK(ct, try_control(ct, REFQ_PAUSE, NULL, NULL));
    refq_ref ref = CT_SUBMIT(ct, .task = "play");
    CT_CHECK(ct, refq_task_status(rqi_ct_cancel_task(ct, &ref)) == REFQ_CANCELLED,
             "it is not cancelled");
    CT_OK(ct, try_control(ct, REFQ_PAUSE, NULL, NULL)); /* twice is the same */
    CT_OK(ct, try_control(ct, REFQ_RESUME, NULL, NULL));
    CT_OK(ct, try_control(ct, REFQ_RESUME, NULL, NULL));
    rqi_ct_settle(ct);
}

static void limits_are_told_and_checked(rqi_ct *ct)
{
    refq_control c = {
        .struct_size = sizeof c, .queue = ct->setup.queue, .action = REFQ_MAX_PENDING, .value = 42};
    CT_OK(ct, refq_client_control(ct->client, &c, NULL, &ct->err));
    EXPECT(ct, numbers(ct), max_pending, 42);
    c.value = -1;
    refq_err rc = refq_client_control(ct->client, &c, NULL, &ct->err);
    CT_CHECK(ct, rc == REFQ_ERR_LIMIT || rc == REFQ_ERR_INVALID, "-1: %s", refq_strerror(rc));
    c.value = 0;
    c.action = (refq_control_action)99;
    rc = refq_client_control(ct->client, &c, NULL, &ct->err);
    CT_CHECK(ct, rc == REFQ_ERR_INVALID, "an action that is none: %s", refq_strerror(rc));
    EXPECT(ct, numbers(ct), max_pending, 42);
}

static void queues_are_listed_in_order(rqi_ct *ct)
{
    refq_texts texts;
    bool found = false;
    bool sorted = true;
    rqi_ct_settle(ct);
    CT_OK(ct, refq_client_queues(ct->client, &texts, &ct->err));
    for (size_t i = 0; i < texts.n; i++) {
        found = found || strcmp(texts.items[i], ct->setup.queue) == 0;
        sorted = sorted && (i == 0 || strcmp(texts.items[i - 1], texts.items[i]) < 0);
    }
    refq_texts_free(&texts);
    CT_CHECK(ct, found, "the queue is missing");
    CT_CHECK(ct, sorted, "they are not sorted");
}

/* --- The catalog ------------------------------------------------------------------------------ */

static bool names(const char *definition, const char *task)
{
    char member[REFQ_NAME_MAX + 16];
    (void)snprintf(member, sizeof member, "\"name\":\"%s\"", task);
    return definition[0] == '{' && strstr(definition, member) != NULL;
}

static bool offers_play(rqi_ct *ct)
{
    refq_texts texts;
    bool found = false;
    CT_OK(ct, refq_client_catalog(ct->client, ct->setup.queue, NULL, &texts, &ct->err));
    for (size_t i = 0; i < texts.n; i++) {
        found = found || names(texts.items[i], "play");
        CT_CHECK(ct, i == 0 || strcmp(texts.items[i - 1], texts.items[i]) < 0, "not sorted");
    }
    refq_texts_free(&texts);
    return found;
}

static void definitions_are_told(rqi_ct *ct)
{
    refq_texts texts;
    CT_UNTIL(ct, offers_play(ct));
    CT_OK(ct, refq_client_catalog(ct->client, ct->setup.queue, "play", &texts, &ct->err));
    bool right = texts.n == 1 && names(texts.items[0], "play") &&
                 rqi_ct_json_number(texts.items[0], "async_timeout_ms", -1) > 0;
    refq_texts_free(&texts);
    CT_CHECK(ct, right, "it is not the definition of play");
}

static void definitions_tell_how_calls_behave(rqi_ct *ct)
{
    refq_texts texts;
    CT_UNTIL(ct, offers_play(ct));
    CT_OK(ct, refq_client_catalog(ct->client, ct->setup.queue, "kept", &texts, &ct->err));
    bool right = texts.n == 1 && names(texts.items[0], "kept") &&
                 strstr(texts.items[0], "\"reuse\":\"result\",\"namespace\":\"user:{user_id}\","
                                        "\"policy\":\"read_only\"}") != NULL;
    refq_texts_free(&texts);
    CT_CHECK(ct, right, "it does not tell how calls of kept behave");
}

static void what_nobody_offers_has_no_definition(rqi_ct *ct)
{
    refq_texts texts;
    const char *queue = ct->setup.queue;
    CT_REFUSED(ct, refq_client_catalog(ct->client, queue, "nobody", &texts, &ct->err),
               REFQ_ERR_NOTFOUND);
    CT_REFUSED(ct, refq_client_catalog(ct->client, queue, "no body", &texts, &ct->err),
               REFQ_ERR_INVALID);
}

/* --- The fleet -------------------------------------------------------------------------------- */

static bool one_worker_is(rqi_ct *ct, const char *state)
{
    refq_worker_info *workers = NULL;
    size_t n = 0;
    CT_OK(ct, refq_client_workers(ct->client, ct->setup.queue, &workers, &n, &ct->err));
    bool is = n == 1 && strcmp(workers[0].state, state) == 0 && workers[0].offers != NULL &&
              strstr(workers[0].offers, "play") != NULL &&
              workers[0].slots == (int64_t)ct->setup.slots;
    refq_workers_free(workers, n);
    return is;
}

static void workers_are_told(rqi_ct *ct)
{
    CT_UNTIL(ct, one_worker_is(ct, "running"));
    EXPECT(ct, numbers(ct), workers, 1);
}

static void a_quiet_worker_takes_nothing(rqi_ct *ct)
{
    int64_t told = 0;
    CT_UNTIL(ct, one_worker_is(ct, "running"));
    CT_OK(ct, try_control(ct, REFQ_WORKER_QUIET, NULL, &told));
    CT_CHECK(ct, told == 1, "%lld workers were told", (long long)told);
    CT_UNTIL(ct, one_worker_is(ct, "quiet"));
    refq_ref ref = CT_SUBMIT(ct, .task = "play");
    for (int i = 0; i < LOOKS; i++) {
        CT_CHECK(ct, rqi_ct_is(ct, &ref, REFQ_PENDING), "it was taken");
        rqi_ct_nap();
    }
    CT_OK(ct, try_control(ct, REFQ_WORKER_RESUME, NULL, &told));
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
}

static void a_worker_that_is_not_there_is_not_found(rqi_ct *ct)
{
    CT_REFUSED(ct, try_control(ct, REFQ_WORKER_QUIET, "ffffffffffffffffffffffffffffffff", NULL),
               REFQ_ERR_NOTFOUND);
}

const rqi_ct_case rqi_ct_cases_operate[] = {
    {"stats.an_empty_queue_has_zeros", an_empty_queue_has_zeros, REFQ_CAP_OPERATE, 0},
    {"stats.tasks_are_counted_in_each_state", tasks_are_counted_in_each_state, REFQ_CAP_OPERATE, 0},
    {"stats.ready_tasks_are_counted", ready_tasks_are_counted, REFQ_CAP_OPERATE, 1},
    {"control.a_paused_queue_hands_nothing_out", a_paused_queue_hands_nothing_out, REFQ_CAP_OPERATE,
     0},
    {"control.cancel_works_in_a_paused_queue", cancel_works_in_a_paused_queue, REFQ_CAP_OPERATE, 0},
    {"control.limits_are_told_and_checked", limits_are_told_and_checked, REFQ_CAP_OPERATE, 0},
    {"control.queues_are_listed_in_order", queues_are_listed_in_order, REFQ_CAP_OPERATE, 0},
    {"catalog.definitions_are_told", definitions_are_told, REFQ_CAP_CATALOG, 0},
    {"catalog.definitions_tell_how_calls_behave", definitions_tell_how_calls_behave,
     REFQ_CAP_CATALOG | REFQ_CAP_CALL, 0},
    {"catalog.what_nobody_offers_has_no_definition", what_nobody_offers_has_no_definition,
     REFQ_CAP_CATALOG, 0},
    {"fleet.workers_are_told", workers_are_told, REFQ_CAP_OPERATE | REFQ_CAP_FLEET, 0},
    {"fleet.a_quiet_worker_takes_nothing", a_quiet_worker_takes_nothing,
     REFQ_CAP_OPERATE | REFQ_CAP_FLEET, 0},
    {"fleet.a_worker_that_is_not_there_is_not_found", a_worker_that_is_not_there_is_not_found,
     REFQ_CAP_OPERATE | REFQ_CAP_FLEET, 0},
    {0},
};
