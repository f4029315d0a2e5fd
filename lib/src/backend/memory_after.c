/* SPDX-License-Identifier: MIT */
/*
 * Tasks that wait for others to be over.
 *
 * DESIGN. A task has a tie to each it waits for; while that one lives, the tie
 * is in the list of its followers. So the end of a task costs what waits for it
 * and nothing else. The waiting task is a delayed one, as in Redis, but it needs
 * no looking again: no wake-up gets lost in one thread.
 */
#include "backend/memory.h"

#include <stdlib.h>

static void unlink_all(rqi_mem_task *t)
{
    for (size_t i = 0; i < t->after_n; i++) {
        if (t->after[i].linked) {
            LIST_REMOVE(&t->after[i], link);
            t->after[i].linked = false;
        }
    }
}

void rqi_mem_after_done(rqi_mem_task *t)
{
    unlink_all(t);
    free(t->after);
    t->after = NULL;
    t->after_n = 0;
}

refq_err rqi_mem_after_set(rqi_mem_task *t, const refq_ref *refs, size_t n)
{
    rqi_mem_after_done(t);
    if (n == 0) {
        return REFQ_OK;
    }
    t->after = calloc(n, sizeof *t->after);
    if (t->after == NULL) {
        return REFQ_ERR_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        t->after[i].ref = refs[i];
        t->after[i].follower = t;
    }
    t->after_n = n;
    return REFQ_OK;
}

refq_err rqi_mem_after_copy(rqi_mem_task *t, const rqi_mem_task *from)
{
    refq_ref refs[REFQ_AFTER_MAX];
    for (size_t i = 0; i < from->after_n; i++) {
        refs[i] = from->after[i].ref;
    }
    return rqi_mem_after_set(t, refs, from->after_n);
}

/* True when some of them live. */
static bool follow(rqi_mem_task *t)
{
    bool live = false;
    unlink_all(t);
    for (size_t i = 0; i < t->after_n; i++) {
        rqi_mem_tie *tie = &t->after[i];
        rqi_mem_task *other = rqi_mem_find(t->queue->mem, &tie->ref, NULL);
        if (other != NULL && other != t && !rqi_mem_is_over(other)) {
            LIST_INSERT_HEAD(&other->followers, tie, link);
            tie->linked = true;
            live = true;
        }
    }
    return live;
}

void rqi_mem_after_enqueue(rqi_mem_task *t, int64_t delay_ms)
{
    bool parked = delay_ms <= 0 && follow(t);
    if (delay_ms <= 0 && !parked) {
        rqi_mem_after_done(t);
    }
    rqi_mem_enqueue(t, parked ? RQI_MEM_RECHECK_MS : delay_ms);
}

void rqi_mem_after_end(rqi_mem_task *t)
{
    unlink_all(t);
    while (!LIST_EMPTY(&t->followers)) {
        rqi_mem_tie *tie = LIST_FIRST(&t->followers);
        LIST_REMOVE(tie, link);
        tie->linked = false;
        rqi_mem_after_enqueue(tie->follower, 0);
    }
}
