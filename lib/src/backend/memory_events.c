/* SPDX-License-Identifier: MIT */
/* The event log: a ring of the newest events of a queue, made when there is a first one. */
#include "backend/memory.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_DEFAULT 100
#define EVENTS_MAX     1000
#define ID_SIZE        48

static rqi_mem_event *at(const rqi_mem_log *log, size_t i)
{
    return &log->items[(log->first + i) % log->cap];
}

void rqi_mem_log_event(const rqi_mem_task *t)
{
    rqi_mem_log *log = &t->queue->log;
    if (log->cap == 0) {
        return;
    }
    if (log->items == NULL) {
        log->items = calloc(log->cap, sizeof *log->items);
    }
    if (log->items == NULL) {
        return; /* a log is no reason to fail */
    }
    rqi_mem_event *e = NULL;
    if (log->n < log->cap) {
        e = at(log, log->n++);
    } else {
        e = at(log, 0);
        log->first = (log->first + 1) % log->cap;
    }
    *e = (rqi_mem_event){
        .number = ++log->last, .at_ms = rqi_mem_now(t->queue->mem), .status = t->status};
    memcpy(e->hex, t->ref.hex, sizeof e->hex);
}

refq_err rqi_mem_log_resize(rqi_mem_queue *q, size_t max, refq_error *err)
{
    rqi_mem_log *log = &q->log;
    rqi_mem_event *items = max > 0 ? calloc(max, sizeof *items) : NULL;
    if (max > 0 && items == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for %zu events", max);
    }
    size_t keep = log->items == NULL ? 0 : log->n < max ? log->n : max;
    for (size_t i = 0; i < keep; i++) {
        items[i] = *at(log, log->n - keep + i);
    }
    free(log->items);
    *log = (rqi_mem_log){.items = items, .cap = max, .n = keep, .last = log->last};
    return REFQ_OK;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* "<ms>-<number>": the number is what counts. */
static refq_err read_place(const rqi_mem_log *log, const char *after, uint64_t *ret,
                           refq_error *err)
{
    unsigned long long number = 0;
    int end = 0;
    if (after == NULL) {
        *ret = 0;
        return REFQ_OK;
    }
    if (strcmp(after, "$") == 0) {
        *ret = log->last;
        return REFQ_OK;
    }
    if (strspn(after, "0123456789-") != strlen(after) || strlen(after) >= ID_SIZE ||
        sscanf(after, "%*20[0-9]-%20llu%n", &number, &end) != 1 || after[end] != '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.40s' is no id of an event: use the `next` of a "
                        "call, or $ for the present end",
                        after);
    }
    *ret = number;
    return REFQ_OK;
}

static void add_event(rqi_mem_answer *a, const rqi_mem_queue *q, const rqi_mem_event *from)
{
    refq_event *e = &a->events[a->n++];
    char id[ID_SIZE];
    (void)snprintf(id, sizeof id, "%lld-%llu", (long long)from->at_ms,
                   (unsigned long long)from->number);
    *e = (refq_event){.at_ms = from->at_ms, .status = from->status};
    memcpy(e->ref.queue, q->name, sizeof e->ref.queue);
    memcpy(e->ref.hex, from->hex, sizeof e->ref.hex);
    rqi_buf_add(&a->text, id, strlen(id) + 1);
    memcpy(a->next, id, sizeof id);
}

/* Ids are found by walking through the text, as it may have moved while it grew. */
static void point_to_ids(rqi_mem_answer *a)
{
    const char *id = rqi_buf_str(&a->text);
    for (size_t i = 0; i < a->n; i++) {
        a->events[i].id = id;
        id += strlen(id) + 1;
    }
}

static void gather(rqi_mem_answer *a, const rqi_mem_queue *q, uint64_t after, size_t limit)
{
    const rqi_mem_log *log = &q->log;
    uint64_t oldest = log->last - log->n + 1;
    size_t i = after >= oldest ? (size_t)(after - oldest + 1) : 0;
    (void)snprintf(a->next, sizeof a->next, "%lld-%llu", (long long)rqi_mem_now(q->mem),
                   (unsigned long long)after);
    for (; log->items != NULL && i < log->n && a->n < limit; i++) {
        add_event(a, q, at(log, i));
    }
    if (a->text.err != REFQ_OK) {
        (void)rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory");
        return;
    }
    point_to_ids(a);
}

void rqi_mem_events(refq_backend *b, const refq_events_query *query, refq_events_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    uint64_t after = 0;
    size_t limit = query->limit != 0 ? query->limit : EVENTS_DEFAULT;
    rqi_mem_answer *a = rqi_mem_answer_events(m, cb, arg);
    rqi_mem_queue *q = a != NULL ? rqi_mem_queue_find(m, query->queue, &a->err) : NULL;
    if (q == NULL || read_place(&q->log, query->after, &after, &a->err) != REFQ_OK) {
        return;
    }
    if (limit > EVENTS_MAX) {
        (void)rqi_fail(&a->err, REFQ_ERR_LIMIT, "at most %d entries at a time", EVENTS_MAX);
        return;
    }
    a->events = calloc(limit, sizeof *a->events);
    if (a->events == NULL) {
        (void)rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory");
        return;
    }
    gather(a, q, after, limit);
}
