/* SPDX-License-Identifier: MIT */
/*
 * What time does to tasks: delays end, waiting tasks expire, runs are overdue,
 * values and records go.
 *
 * DESIGN. One heap holds every task that something will happen to, under the
 * first time it does, and one timer of the loop is set for the earliest. What
 * there is to do is worked out from the task when the time has come, so nothing
 * has to be taken back when it changes.
 */
#include "backend/memory.h"

#include <event2/event.h>
#include <stdlib.h>

/* --- The heap --------------------------------------------------------------------------------- */

static void place(rqi_mem *m, size_t at, rqi_mem_task *t)
{
    m->heap[at] = t;
    t->heap_at = at + 1;
}

static void sift_up(rqi_mem *m, size_t at, rqi_mem_task *t)
{
    while (at > 0 && m->heap[(at - 1) / 2]->wake_at > t->wake_at) {
        place(m, at, m->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(m, at, t);
}

static void sift_down(rqi_mem *m, size_t at, rqi_mem_task *t)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < m->heap_n && m->heap[child + 1]->wake_at < m->heap[child]->wake_at) {
            child++;
        }
        if (child >= m->heap_n || m->heap[child]->wake_at >= t->wake_at) {
            break;
        }
        place(m, at, m->heap[child]);
        at = child;
    }
    place(m, at, t);
}

static void take_out(rqi_mem *m, rqi_mem_task *t)
{
    if (t->heap_at == 0) {
        return;
    }
    size_t at = t->heap_at - 1;
    rqi_mem_task *last = m->heap[--m->heap_n];
    t->heap_at = 0;
    if (last == t) {
        return;
    }
    if (at > 0 && m->heap[(at - 1) / 2]->wake_at > last->wake_at) {
        sift_up(m, at, last);
    } else {
        sift_down(m, at, last);
    }
}

/* Each task is in it at most once, so room for one more with each new task is enough for ever. */
refq_err rqi_mem_time_reserve(rqi_mem *m)
{
    if (m->refs.n < m->heap_cap) {
        return REFQ_OK;
    }
    size_t cap = m->heap_cap != 0 ? m->heap_cap * 2 : 64;
    rqi_mem_task **heap = realloc((void *)m->heap, cap * sizeof *heap);
    if (heap == NULL) {
        return REFQ_ERR_NOMEM;
    }
    m->heap = heap;
    m->heap_cap = cap;
    return REFQ_OK;
}

/* --- Times ------------------------------------------------------------------------------------ */

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* 0 = nothing will. */
static int64_t next_time(const rqi_mem_task *t)
{
    switch (t->where) {
    case RQI_MEM_DELAYED: return earlier(t->due_at, t->start_by);
    case RQI_MEM_READY:
    case RQI_MEM_HELD: return t->start_by;
    case RQI_MEM_RUNNING: return t->question == NULL ? t->deadline_at : 0;
    case RQI_MEM_OVER: return earlier(t->value.len > 0 ? t->expires_at : 0, t->gone_at);
    default: return 0;
    }
}

static void set_timer(rqi_mem *m)
{
    if (m->heap_n == 0) {
        (void)evtimer_del(m->timer);
        return;
    }
    int64_t left = m->heap[0]->wake_at - rqi_mem_now(m);
    left = left > 0 ? left : 0;
    struct timeval tv = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    (void)evtimer_add(m->timer, &tv);
}

void rqi_mem_schedule(rqi_mem_task *t)
{
    rqi_mem *m = t->queue->mem;
    int64_t when = next_time(t);
    const rqi_mem_task *first = m->heap_n > 0 ? m->heap[0] : NULL;
    int64_t first_at = first != NULL ? first->wake_at : 0;
    take_out(m, t);
    t->wake_at = when;
    if (when != 0) {
        sift_up(m, m->heap_n++, t);
    }
    if (m->heap_n == 0 || m->heap[0] != first || m->heap[0]->wake_at != first_at) {
        set_timer(m);
    }
}

static void happen(rqi_mem_task *t, int64_t now)
{
    if (t->where == RQI_MEM_OVER) {
        if (t->gone_at <= now) {
            rqi_mem_task_free(t);
            return;
        }
        rqi_buf_done(&t->value);
    } else if (t->where == RQI_MEM_RUNNING) {
        rqi_mem_overdue(t);
        return;
    } else if (t->start_by != 0 && t->start_by <= now) {
        rqi_mem_end(t, REFQ_FAILED, "expired", "no worker started it in time");
        return;
    } else if (t->where == RQI_MEM_DELAYED) {
        rqi_mem_after_enqueue(t, 0);
        return;
    }
    rqi_mem_schedule(t);
}

void rqi_mem_on_timer(evutil_socket_t fd, short what, void *arg)
{
    rqi_mem *m = arg;
    int64_t now = rqi_mem_now(m);
    (void)fd;
    (void)what;
    for (int i = 0; i < RQI_MEM_STEP && m->heap_n > 0 && m->heap[0]->wake_at <= now; i++) {
        happen(m->heap[0], now);
    }
    set_timer(m);
}
