/* SPDX-License-Identifier: MIT */
/* Listing by status, by name, dead letters, and in pages. */
#include "contract.h"

#include <string.h>

#define ALL  23
#define PAGE 5

static refq_list_query any(rqi_ct *ct)
{
    return (refq_list_query){
        .struct_size = sizeof(refq_list_query), .queue = ct->setup.queue, .status = -1};
}

/* One page; its tasks and its cursor are the test's. */
static refq_list page(rqi_ct *ct, const refq_list_query *query)
{
    refq_list list;
    CT_OK(ct, refq_client_list(ct->client, query, &list, &ct->err));
    (void)rqi_ct_own_text(ct, list.next);
    (void)rqi_ct_own_text(ct, (char *)list.tasks);
    for (size_t i = 0; i < list.n; i++) {
        (void)rqi_ct_own(ct, list.tasks[i]);
    }
    return list;
}

/* Whether a task is on any page. */
static bool lists(rqi_ct *ct, refq_list_query query, const refq_ref *ref)
{
    for (int pages = 0; pages < 1000; pages++) {
        refq_list list = page(ct, &query);
        for (size_t i = 0; i < list.n; i++) {
            if (strcmp(refq_task_ref(list.tasks[i])->hex, ref->hex) == 0) {
                return true;
            }
        }
        if (list.next[0] == '\0') {
            return false;
        }
        query.cursor = list.next;
    }
    CT_FAIL(ct, "a thousand pages and no end");
}

static void finds_tasks_by_status(rqi_ct *ct)
{
    refq_ref refs[RQI_CT_STATES];
    for (int i = 0; i < RQI_CT_STATES; i++) {
        refs[i] = rqi_ct_make(ct, (rqi_ct_state)i, NULL);
    }
    for (int status = -1; status <= REFQ_CANCELLED; status++) {
        refq_list_query query = any(ct);
        query.status = status;
        for (int i = 0; i < RQI_CT_STATES; i++) {
            bool want = status < 0 || rqi_ct_status_of((rqi_ct_state)i) == (refq_status)status;
            CT_CHECK(ct, lists(ct, query, &refs[i]) == want, "status %d: a task that is %s is %s",
                     status, rqi_ct_state_name((rqi_ct_state)i), want ? "missing" : "listed");
        }
    }
}

static void finds_ready_tasks(rqi_ct *ct)
{
    (void)rqi_ct_make(ct, RQI_CT_RUNNING, NULL); /* the only slot */
    refq_ref ref = CT_SUBMIT(ct, .lane = REFQ_LANE_LOW);
    refq_list_query query = any(ct);
    query.status = REFQ_PENDING;
    CT_CHECK(ct, lists(ct, query, &ref), "a ready task is missing");
}

static void finds_tasks_by_name(rqi_ct *ct)
{
    refq_ref play = CT_SUBMIT(ct, .task = "play");
    refq_ref once = CT_SUBMIT(ct, .task = "once");
    (void)rqi_ct_end_as(ct, &play, REFQ_COMPLETE);
    (void)rqi_ct_end_as(ct, &once, REFQ_COMPLETE);
    refq_list_query query = any(ct);
    query.task = "once";
    CT_CHECK(ct, lists(ct, query, &once), "it is missing");
    CT_CHECK(ct, !lists(ct, query, &play), "another name is listed");
    query.task = "nobody_knows_it";
    CT_CHECK(ct, page(ct, &query).n == 0, "something has a name that nothing has");
}

static void finds_dead_letters_newest_first(rqi_ct *ct)
{
    refq_ref older = rqi_ct_make(ct, RQI_CT_FAILED, NULL);
    int64_t ended = refq_task_number(rqi_ct_status(ct, &older), "completed_at", 0);
    CT_UNTIL(ct, refq_task_seen_at_ms(rqi_ct_status(ct, &older)) > ended + 1);
    refq_ref newer = CT_SUBMIT(ct, .task = "once", .args = "{\"fail\":9}");
    (void)rqi_ct_end_as(ct, &newer, REFQ_FAILED);
    refq_ref complete = rqi_ct_make(ct, RQI_CT_COMPLETE, NULL);
    refq_ref cancelled = rqi_ct_make(ct, RQI_CT_CANCELLED, NULL);
    refq_list_query query = any(ct);
    query.dead = true;
    refq_list list = page(ct, &query);
    CT_CHECK(ct,
             list.n == 2 && strcmp(refq_task_ref(list.tasks[0])->hex, newer.hex) == 0 &&
                 strcmp(refq_task_ref(list.tasks[1])->hex, older.hex) == 0,
             "%zu dead letters, or in another order", list.n);
    CT_CHECK(ct, !lists(ct, query, &complete) && !lists(ct, query, &cancelled),
             "a task that did not fail is dead");
    query.task = "once";
    CT_CHECK(ct, lists(ct, query, &newer) && !lists(ct, query, &older), "names do not matter");
}

/* Of a queue at rest every task is on exactly one page, and no page is too long. */
static void pages_hold_everything_once(rqi_ct *ct)
{
    refq_ref refs[ALL];
    unsigned seen[ALL] = {0};
    unsigned pages = 0;
    refq_list_query query = any(ct);
    for (int i = 0; i < ALL; i++) {
        refs[i] = rqi_ct_make(ct, i % 2 ? RQI_CT_DELAYED : RQI_CT_CANCELLED, NULL);
    }
    query.limit = PAGE;
    for (bool more = true; more; pages++) {
        refq_list list = page(ct, &query);
        CT_CHECK(ct, list.n <= PAGE, "a page of %zu", list.n);
        CT_CHECK(ct, pages < 100, "a hundred pages and no end");
        for (size_t i = 0; i < list.n; i++) {
            for (int k = 0; k < ALL; k++) {
                seen[k] += strcmp(refq_task_ref(list.tasks[i])->hex, refs[k].hex) == 0;
            }
        }
        query.cursor = list.next;
        more = list.next[0] != '\0';
    }
    for (int k = 0; k < ALL; k++) {
        CT_CHECK(ct, seen[k] == 1, "task %d is there %u times", k, seen[k]);
    }
}

static void bad_queries_are_refused(rqi_ct *ct)
{
    refq_list list;
    refq_list_query query = any(ct);
    query.limit = 1001;
    refq_err rc = refq_client_list(ct->client, &query, &list, &ct->err);
    CT_CHECK(ct, rc == REFQ_ERR_LIMIT || rc == REFQ_ERR_INVALID, "a limit of 1001: %s",
             refq_strerror(rc));
    query = any(ct);
    query.cursor = "no cursor of ours";
    rc = refq_client_list(ct->client, &query, &list, &ct->err);
    CT_CHECK(ct, rc == REFQ_ERR_INVALID, "a cursor that is none: %s", refq_strerror(rc));
    query = any(ct);
    query.queue = "a b";
    CT_REFUSED(ct, refq_client_list(ct->client, &query, &list, &ct->err), REFQ_ERR_INVALID);
    query = any(ct);
    query.status = 17;
    rc = refq_client_list(ct->client, &query, &list, &ct->err);
    CT_CHECK(ct, rc == REFQ_ERR_INVALID, "a status that is none: %s", refq_strerror(rc));
}

const rqi_ct_case rqi_ct_cases_list[] = {
    {"list.finds_tasks_by_status", finds_tasks_by_status, REFQ_CAP_LIST, 0},
    {"list.finds_ready_tasks", finds_ready_tasks, REFQ_CAP_LIST, 1},
    {"list.finds_tasks_by_name", finds_tasks_by_name, REFQ_CAP_LIST, 0},
    {"list.finds_dead_letters_newest_first", finds_dead_letters_newest_first, REFQ_CAP_LIST, 0},
    {"list.pages_hold_everything_once", pages_hold_everything_once, REFQ_CAP_LIST, 0},
    {"list.bad_queries_are_refused", bad_queries_are_refused, REFQ_CAP_LIST, 0},
    {0},
};
