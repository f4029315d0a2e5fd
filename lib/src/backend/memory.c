/* SPDX-License-Identifier: MIT */
/* The memory backend: its table, its queues, its beginning and end. memory.h has the design. */
#include "backend/memory.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/rand.h"
#include "inputs/resolver.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_TTL_MS ((int64_t)24 * 3600 * 1000)
#define THREADS_MAX   4096
#define EVENTS_KEPT   1000
#define DRAIN_MS      5000 /* refq_backend_memory_new() says so */

/* --- Small things ----------------------------------------------------------------------------- */

int64_t rqi_mem_now(const rqi_mem *m)
{
    return rqi_mono_ms() + m->wall_less_mono_ms;
}

/* A timer of no time instead of an event made active: the loop looks at everything else before. */
void rqi_mem_kick(rqi_mem *m)
{
    static const struct timeval now = {0};
    if (!m->closing && !evtimer_pending(m->turn, NULL)) {
        (void)evtimer_add(m->turn, &now);
    }
}

static int by_name(const void *name, const void *queue)
{
    return strcmp(name, ((const rqi_mem_queue *)queue)->name);
}

rqi_mem_queue *rqi_mem_queue_find(rqi_mem *m, const char *name, refq_error *err)
{
    const char *text = name != NULL ? name : "";
    if (refq_queue_check(text, err) != REFQ_OK) {
        return NULL;
    }
    rqi_mem_queue *q = bsearch(text, m->queues, m->queues_n, sizeof *m->queues, by_name);
    if (q == NULL) {
        (void)rqi_fail(err, REFQ_ERR_NOTFOUND,
                       "there is no queue %s in this process; it was not among those given to "
                       "refq_backend_memory_new()",
                       text);
    }
    return q;
}

rqi_mem_task *rqi_mem_find(rqi_mem *m, const refq_ref *ref, refq_error *err)
{
    char text[REFQ_REF_MAX + 1];
    uint64_t hash = rqi_mem_hash(&m->refs, ref->queue, ref->hex);
    rqi_mem_link *link = NULL;
    while ((link = rqi_mem_index_next(&m->refs, link, hash)) != NULL) {
        rqi_mem_task *t = link->item;
        if (strcmp(t->ref.hex, ref->hex) == 0 && strcmp(t->ref.queue, ref->queue) == 0) {
            return t;
        }
    }
    (void)rqi_fail(err, REFQ_ERR_NOTFOUND, "there is no task %s (or its record has expired)",
                   refq_ref_format(ref, text));
    return NULL;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    rqi_mem *m = arg;
    (void)fd;
    (void)what;
    rqi_mem_deliver(m, NULL);
    rqi_mem_tell(m);
    for (size_t i = 0; i < m->queues_n; i++) {
        if (rqi_mem_start_some(&m->queues[i])) {
            rqi_mem_kick(m);
        }
    }
}

static void on_broken(void *arg)
{
    rqi_mem *m = arg;
    m->programs_broken = true;
    rqi_log(&m->log, REFQ_LOG_ERROR, "event=no_more_programs");
}

/* --- Its end ---------------------------------------------------------------------------------- */

static void each_task(rqi_mem *m, void (*visit)(rqi_mem_task *t, const refq_error *err),
                      const refq_error *err)
{
    for (size_t i = 0; i < m->refs.cap; i++) {
        rqi_mem_link *next = NULL;
        for (rqi_mem_link *link = m->refs.chains[i]; link != NULL; link = next) {
            next = link->next;
            visit(link->item, err);
        }
    }
}

static void free_one(rqi_mem_task *t, const refq_error *err)
{
    (void)err;
    rqi_mem_task_free(t);
}

static void fail_outstanding(rqi_mem *m)
{
    refq_error closed;
    (void)rqi_fail(&closed, REFQ_ERR_CLOSED, "the backend was shut down");
    each_task(m, rqi_mem_end_waits, &closed);
    while (!TAILQ_EMPTY(&m->answers)) {
        rqi_mem_deliver(m, &closed);
    }
}

static void free_attempts(rqi_mem *m)
{
    while (!TAILQ_EMPTY(&m->attempts)) {
        rqi_mem_attempt *a = TAILQ_FIRST(&m->attempts);
        TAILQ_REMOVE(&m->attempts, a, link);
        rqi_run_clear(&a->run);
        rqi_resolver_free(a->inputs);
        free(a);
    }
}

static void free_queues(rqi_mem *m)
{
    for (size_t i = 0; i < m->queues_n; i++) {
        free(m->queues[i].kinds);
        free(m->queues[i].log.items);
        refq_handlers_unref(m->queues[i].handlers);
    }
    free(m->queues);
}

static void free_events(rqi_mem *m)
{
    if (m->timer != NULL) {
        event_free(m->timer);
    }
    if (m->turn != NULL) {
        event_free(m->turn);
    }
    m->timer = NULL;
    m->turn = NULL;
}

/* Works on one that is half made, too. A handler that does not return keeps what it uses: the
 * executor, its attempt, the queues and this struct. */
static void destroy(rqi_mem *m)
{
    if (m->refs.chains != NULL) {
        each_task(m, free_one, NULL);
    }
    rqi_mem_index_done(&m->refs);
    rqi_mem_index_done(&m->keys);
    rqi_mem_index_done(&m->calls);
    free((void *)m->heap);
    m->heap = NULL;
    free_events(m);
    if (m->executor != NULL && rqi_executor_busy(m->executor) > 0) {
        rqi_log(&m->log, REFQ_LOG_ERROR, "event=stuck_handlers running=%u",
                rqi_executor_busy(m->executor));
        return;
    }
    free_attempts(m);
    rqi_executor_free(m->executor);
    free_queues(m);
    free(m);
}

static void shutdown_backend(refq_backend *b)
{
    rqi_mem *m = (rqi_mem *)b;
    m->closing = true;
    fail_outstanding(m);
    rqi_mem_attempt *a = NULL;
    TAILQ_FOREACH(a, &m->attempts, link)
    {
        rqi_run_stop(&a->run, RQI_STOP_DRAIN);
    }
    (void)rqi_executor_drain(m->executor, DRAIN_MS);
    rqi_executor_stop(m->executor);
    destroy(m);
}

/* --- Its beginning ---------------------------------------------------------------------------- */

static const refq_backend_ops ops = {
    .struct_size = sizeof ops,
    .name = "memory",
    .capabilities = REFQ_CAP_PROGRESS | REFQ_CAP_LIST | REFQ_CAP_PUSH | REFQ_CAP_RETRY |
                    REFQ_CAP_OPERATE | REFQ_CAP_HISTORY | REFQ_CAP_ASK | REFQ_CAP_EVENTS |
                    REFQ_CAP_CATALOG | REFQ_CAP_CALL,
    .submit = rqi_mem_submit,
    .get_status = rqi_mem_get_status,
    .get_result = rqi_mem_get_result,
    .cancel = rqi_mem_cancel,
    .is_cancelled = rqi_mem_get_status,
    .wait = rqi_mem_wait_for,
    .detach = rqi_mem_detach_caller,
    .hand_out = rqi_mem_hand_out,
    .retry = rqi_mem_retry,
    .list = rqi_mem_list,
    .cleanup = rqi_mem_cleanup,
    .stats = rqi_mem_stats,
    .control = rqi_mem_control,
    .queues = rqi_mem_queues,
    .catalog = rqi_mem_catalog,
    .history = rqi_mem_history,
    .args = rqi_mem_args,
    .answer = rqi_mem_give_answer,
    .events = rqi_mem_events,
    .shutdown = shutdown_backend,
};

static refq_err check_options(const refq_memory_options *o, refq_error *err)
{
    refq_err rc = refq_queue_check(o->queue != NULL ? o->queue : "", err);
    if (rc != REFQ_OK) {
        return rc;
    }
    if (o->handlers == NULL || rqi_handlers_count(o->handlers) == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "queue %s has no handlers", o->queue);
    }
    if (o->threads > THREADS_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "queue %s: threads must be 0 to %d", o->queue,
                        THREADS_MAX);
    }
    if (o->record_ttl_ms < 0 || o->record_ttl_ms > RQI_DURATION_MAX_MS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "queue %s: record_ttl must be 0 to 366 days",
                        o->queue);
    }
    return REFQ_OK;
}

static unsigned cpus(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

static refq_err init_queue(rqi_mem *m, rqi_mem_queue *q, const refq_memory_options *o,
                           refq_error *err)
{
    q->mem = m;
    q->slots = o->threads != 0 ? o->threads : cpus();
    q->record_ttl_ms = o->record_ttl_ms != 0 ? o->record_ttl_ms : RECORD_TTL_MS;
    q->max_pending = o->max_pending;
    q->access = o->access != NULL ? *o->access : (refq_access){0};
    q->log.cap = EVENTS_KEPT;
    for (int i = 0; i < RQI_MEM_PLACES; i++) {
        TAILQ_INIT(&q->places[i]);
    }
    for (int i = 0; i < RQI_MEM_LANES; i++) {
        TAILQ_INIT(&q->lanes[i]);
    }
    (void)snprintf(q->name, sizeof q->name, "%s", o->queue);
    q->handlers = refq_handlers_ref(o->handlers);
    rqi_handlers_seal(q->handlers);
    q->kinds_n = rqi_handlers_count(q->handlers);
    q->kinds = calloc(q->kinds_n, sizeof *q->kinds);
    for (size_t i = 0; q->kinds != NULL && i < q->kinds_n; i++) {
        q->kinds[i].handler = rqi_handlers_at(q->handlers, i);
    }
    return q->kinds != NULL ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
}

static int by_queue(const void *a, const void *b)
{
    return strcmp((*(const refq_memory_options *const *)a)->queue,
                  (*(const refq_memory_options *const *)b)->queue);
}

/* Sorted by name, as they are searched and told. */
static refq_err make_queues(rqi_mem *m, const refq_memory_options *queues, size_t n,
                            refq_error *err)
{
    const refq_memory_options *sorted[RQI_MEM_QUEUES];
    m->queues = calloc(n, sizeof *m->queues);
    if (m->queues == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &queues[i];
    }
    qsort((void *)sorted, n, sizeof sorted[0], by_queue);
    refq_err rc = REFQ_OK;
    for (size_t i = 0; i < n && rc == REFQ_OK; i++) {
        if (i > 0 && by_queue(&sorted[i - 1], &sorted[i]) == 0) {
            return rqi_fail(err, REFQ_ERR_CONFLICT, "queue %s is given twice", sorted[i]->queue);
        }
        m->queues_n++;
        rc = init_queue(m, &m->queues[i], sorted[i], err);
    }
    return rc;
}

static refq_err make_executor(rqi_mem *m, refq_error *err)
{
    rqi_executor_options x = {.base = m->base, .log = &m->log, .on_broken = on_broken, .arg = m};
    for (size_t i = 0; i < m->queues_n; i++) {
        x.threads += m->queues[i].slots;
        x.programs = x.programs || rqi_handlers_have_programs(m->queues[i].handlers);
    }
    return rqi_executor_new(&x, &m->executor, err);
}

static refq_err make_rest(rqi_mem *m, refq_error *err)
{
    m->timer = evtimer_new(m->base, rqi_mem_on_timer, m);
    m->turn = evtimer_new(m->base, on_turn, m);
    if (m->timer == NULL || m->turn == NULL || rqi_mem_index_init(&m->refs) != REFQ_OK ||
        rqi_mem_index_init(&m->keys) != REFQ_OK || rqi_mem_index_init(&m->calls) != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    return make_executor(m, err);
}

refq_err refq_backend_memory_new(struct event_base *base, const refq_memory_options *queues,
                                 size_t n, refq_backend **ret_backend, refq_error *err)
{
    refq_err rc = rqi_rand_init(err);
    if (rc == REFQ_OK && (n == 0 || n > RQI_MEM_QUEUES)) {
        rc = rqi_fail(err, REFQ_ERR_LIMIT, "1 to %d queues, not %zu", RQI_MEM_QUEUES, n);
    }
    for (size_t i = 0; i < n && rc == REFQ_OK; i++) {
        rc = check_options(&queues[i], err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_mem *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    m->pub.ops = &ops;
    m->base = base;
    m->log = queues[0].log;
    m->wall_less_mono_ms = rqi_wall_ms() - rqi_mono_ms();
    rqi_rand_hex(m->id, REFQ_HEX_LEN / 2);
    TAILQ_INIT(&m->answers);
    TAILQ_INIT(&m->attempts);
    TAILQ_INIT(&m->to_tell);
    rc = make_queues(m, queues, n, err);
    if (rc == REFQ_OK) {
        rc = make_rest(m, err);
    }
    if (rc != REFQ_OK) {
        destroy(m);
        return rc;
    }
    *ret_backend = &m->pub;
    return REFQ_OK;
}

refq_err refq_backend_memory_factory(struct event_base *base, void *arg, refq_backend **ret_backend,
                                     refq_error *err)
{
    const refq_memory *memory = arg;
    return refq_backend_memory_new(base, memory->queues, memory->n, ret_backend, err);
}
