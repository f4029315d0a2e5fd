/* SPDX-License-Identifier: MIT */
/* The event log: in order, resumable, bounded. */
#include "contract.h"

#include <stdlib.h>
#include <string.h>

#define MOST 256

struct log {
    refq_status statuses[MOST]; /* of one task */
    size_t n;
    char *next; /* the test's */
    size_t entries;
};

/* Reads on from `after` to the present end, `limit` entries a call; gathers what is about ref. */
static struct log read_on(rqi_ct *ct, const char *after, unsigned limit, const refq_ref *ref)
{
    struct log log = {.next = (char *)after};
    int64_t last = 0;
    for (bool more = true; more;) {
        refq_events got;
        refq_events_query q = {
            .struct_size = sizeof q, .queue = ct->setup.queue, .after = log.next, .limit = limit};
        CT_OK(ct, refq_client_events(ct->client, &q, &got, &ct->err));
        char *next = rqi_ct_own_text(ct, strdup(got.next));
        bool ordered = true;
        for (size_t i = 0; i < got.n; i++) {
            ordered = ordered && got.items[i].at_ms >= last;
            last = got.items[i].at_ms;
            if (ref != NULL && strcmp(got.items[i].ref.hex, ref->hex) == 0 && log.n < MOST) {
                log.statuses[log.n++] = got.items[i].status;
            }
        }
        log.entries += got.n;
        more = got.n > 0;
        refq_events_free(&got);
        CT_CHECK(ct, ordered, "the times go back");
        CT_CHECK(ct, next != NULL && next[0] != '\0', "there is no next id");
        log.next = next;
    }
    return log;
}

static void tells_what_happens_to_a_task(rqi_ct *ct)
{
    struct log before = read_on(ct, "$", 0, NULL);
    refq_ref ref = CT_SUBMIT(ct, .args = "{\"fail\":1}");
    (void)rqi_ct_end_as(ct, &ref, REFQ_COMPLETE);
    struct log log = read_on(ct, before.next, 0, &ref);
    CT_CHECK(ct, log.n >= 1, "nothing is told");
    CT_CHECK(ct, log.statuses[log.n - 1] == REFQ_COMPLETE, "the last one is %s",
             refq_status_name(log.statuses[log.n - 1]));
    for (size_t i = 1; i < log.n; i++) {
        CT_CHECK(ct,
                 refq_status_can_become(log.statuses[i - 1], log.statuses[i]) ||
                     log.statuses[i - 1] == log.statuses[i],
                 "%s after %s", refq_status_name(log.statuses[i]),
                 refq_status_name(log.statuses[i - 1]));
    }
}

static void ends_are_told_once(rqi_ct *ct)
{
    for (int i = RQI_CT_COMPLETE; i < RQI_CT_STATES; i++) {
        refq_ref ref = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
        struct log log = read_on(ct, NULL, 0, &ref);
        unsigned ends = 0;
        for (size_t k = 0; k < log.n; k++) {
            ends += refq_status_is_terminal(log.statuses[k]) != 0;
        }
        CT_CHECK(ct, ends == 1 && log.statuses[log.n - 1] == rqi_ct_status_of((rqi_ct_state)i),
                 "the end of the one that is %s is told %u times",
                 rqi_ct_state_name((rqi_ct_state)i), ends);
    }
}

static void goes_on_where_it_stopped(rqi_ct *ct)
{
    refq_ref ref = rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    for (int i = 0; i < 6; i++) {
        (void)rqi_ct_make(ct, RQI_CT_CANCELLED, NULL);
    }
    struct log at_once = read_on(ct, NULL, 1000, &ref);
    struct log in_steps = read_on(ct, NULL, 1, &ref);
    CT_CHECK(ct, at_once.entries == in_steps.entries && at_once.n == in_steps.n,
             "%zu events at once, %zu in steps", at_once.entries, in_steps.entries);
    CT_CHECK(ct, memcmp(at_once.statuses, in_steps.statuses, at_once.n * sizeof(refq_status)) == 0,
             "they are not the same");
    struct log rest = read_on(ct, at_once.next, 0, &ref);
    CT_CHECK(ct, rest.entries == 0, "%zu events behind the last", rest.entries);
}

static void can_be_switched_off(rqi_ct *ct)
{
    refq_control c = {
        .struct_size = sizeof c, .queue = ct->setup.queue, .action = REFQ_EVENTS_MAX, .value = 0};
    struct log before = read_on(ct, "$", 0, NULL);
    CT_OK(ct, refq_client_control(ct->client, &c, NULL, &ct->err));
    (void)rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    CT_CHECK(ct, read_on(ct, before.next, 0, NULL).entries == 0, "it goes on");
}

static void bad_queries_are_refused(rqi_ct *ct)
{
    refq_events got;
    refq_events_query q = {.struct_size = sizeof q, .queue = ct->setup.queue, .limit = 1001};
    refq_err rc = refq_client_events(ct->client, &q, &got, &ct->err);
    CT_CHECK(ct, rc == REFQ_ERR_LIMIT || rc == REFQ_ERR_INVALID, "a limit of 1001: %s",
             refq_strerror(rc));
    q.limit = 0;
    q.after = "no id of ours";
    CT_REFUSED(ct, refq_client_events(ct->client, &q, &got, &ct->err), REFQ_ERR_INVALID);
}

const rqi_ct_case rqi_ct_cases_events[] = {
    {"events.tells_what_happens_to_a_task", tells_what_happens_to_a_task, REFQ_CAP_EVENTS, 0},
    {"events.ends_are_told_once", ends_are_told_once, REFQ_CAP_EVENTS, 0},
    {"events.goes_on_where_it_stopped", goes_on_where_it_stopped, REFQ_CAP_EVENTS, 0},
    {"events.can_be_switched_off", can_be_switched_off, REFQ_CAP_EVENTS | REFQ_CAP_OPERATE, 0},
    {"events.bad_queries_are_refused", bad_queries_are_refused, REFQ_CAP_EVENTS, 0},
    {0},
};
