/* SPDX-License-Identifier: MIT */
/*
 * Lists.
 *
 * A list goes through the places in order: running, ready by lane, held,
 * delayed, and what is over, newest first. Within a place tasks have rising
 * positions, so a cursor is "<section>|<position>", and what comes and goes
 * between two pages disturbs nothing else.
 */
#include "backend/memory.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 50
#define LIST_MAX     1000

static const struct section {
    rqi_mem_place where;
    refq_lane lane; /* READY only */
    bool down;      /* the last one first */
} sections[] = {
    {RQI_MEM_RUNNING, 0, false},
    {RQI_MEM_READY, REFQ_LANE_HIGH, false},
    {RQI_MEM_READY, REFQ_LANE_NORMAL, false},
    {RQI_MEM_READY, REFQ_LANE_LOW, false},
    {RQI_MEM_HELD, 0, false},
    {RQI_MEM_DELAYED, 0, false},
    {RQI_MEM_OVER, 0, true},
};

#define SECTIONS (sizeof sections / sizeof sections[0])

static refq_err read_cursor(const char *text, size_t *ret_section, uint64_t *ret_position,
                            refq_error *err)
{
    unsigned section = 0;
    unsigned long long position = 0;
    int end = 0;
    *ret_section = 0;
    *ret_position = 0;
    if (text == NULL || text[0] == '\0') {
        return REFQ_OK;
    }
    if (strspn(text, "0123456789|") != strlen(text) ||
        sscanf(text, "%2u|%20llu%n", &section, &position, &end) != 2 || text[end] != '\0' ||
        section >= SECTIONS) {
        return rqi_fail(err, REFQ_ERR_INVALID, "this cursor was not made by a list");
    }
    *ret_section = section;
    *ret_position = position;
    return REFQ_OK;
}

static rqi_mem_task *first_of(rqi_mem_queue *q, const struct section *s)
{
    struct rqi_mem_tasks *list =
        s->where == RQI_MEM_READY ? &q->lanes[s->lane] : &q->places[s->where];
    return s->down ? TAILQ_LAST(list, rqi_mem_tasks) : TAILQ_FIRST(list);
}

static rqi_mem_task *next_of(rqi_mem_task *t, const struct section *s)
{
    return s->down ? TAILQ_PREV(t, rqi_mem_tasks, link) : TAILQ_NEXT(t, link);
}

static bool is_wanted(const rqi_mem_task *t, const refq_list_query *query)
{
    if (query->dead && (t->status != REFQ_FAILED || t->replaced_by[0] != '\0')) {
        return false;
    }
    return (query->status < 0 || t->status == (refq_status)query->status) &&
           (query->task == NULL || strcmp(query->task, t->name) == 0);
}

/* Adds a task to the page. */
static refq_err add(rqi_mem_answer *a, const rqi_mem_task *t)
{
    refq_task *task = rqi_mem_snapshot(t);
    if (task == NULL) {
        return rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory");
    }
    a->tasks[a->n++] = task;
    return REFQ_OK;
}

/* Adds what a section holds behind `position`; false when the page is full or there is no memory.
 */
static bool add_section(rqi_mem_answer *a, rqi_mem_queue *q, const refq_list_query *query,
                        size_t section, uint64_t position)
{
    const struct section *s = &sections[section];
    size_t limit = query->limit != 0 ? query->limit : LIST_DEFAULT;
    for (rqi_mem_task *t = first_of(q, s); t != NULL; t = next_of(t, s)) {
        bool seen = position != 0 && (s->down ? t->position >= position : t->position <= position);
        if (seen || !is_wanted(t, query)) {
            continue;
        }
        if (a->n == limit) {
            (void)snprintf(a->next, sizeof a->next, "%zu|%llu", section,
                           (unsigned long long)(s->down ? t->position + 1 : t->position - 1));
            return false;
        }
        if (add(a, t) != REFQ_OK) {
            return false;
        }
    }
    return true;
}

static refq_err check_query(const refq_list_query *query, refq_error *err)
{
    if (query->limit > LIST_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a list holds at most %d tasks", LIST_MAX);
    }
    if (query->status > REFQ_CANCELLED) {
        return rqi_fail(err, REFQ_ERR_INVALID, "no such status: %d", query->status);
    }
    return query->task != NULL ? refq_name_check(query->task, err) : REFQ_OK;
}

void rqi_mem_list(refq_backend *b, const refq_list_query *query, refq_list_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    size_t section = 0;
    uint64_t position = 0;
    rqi_mem_answer *a = rqi_mem_answer_list(m, cb, arg);
    if (a == NULL || check_query(query, &a->err) != REFQ_OK ||
        read_cursor(query->cursor, &section, &position, &a->err) != REFQ_OK) {
        return;
    }
    rqi_mem_queue *q = rqi_mem_queue_find(m, query->queue, &a->err);
    if (q == NULL) {
        return;
    }
    a->tasks = calloc(query->limit != 0 ? query->limit : LIST_DEFAULT, sizeof *a->tasks);
    if (a->tasks == NULL) {
        (void)rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory");
        return;
    }
    while (section < SECTIONS && add_section(a, q, query, section, position)) {
        section++;
        position = 0;
    }
}
