/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Alive and ready are different questions. /livez says no only when
 * nothing but a restart helps: a thread hangs. That Redis is away is no reason to
 * restart a worker, so only /readyz tells of it. A quiet worker is ready: it does
 * what it was told, and a roll-out that waits for it must not wait for ever.
 */
#include "pages.h"

#include <refq/version.h>

#include <string.h>
#include <unistd.h>

enum { GOOD = 200, NO_PAGE = 404, BAD = 503 };

static int say_bad(rqi_buf *body, const char *why, long long number, const char *unit)
{
    rqi_buf_addf(body, "%s %lld %s\n", why, number, unit);
    return BAD;
}

static int say_ok(rqi_buf *body)
{
    rqi_buf_adds(body, "ok\n");
    return GOOD;
}

static int livez(const refq_health *h, rqi_buf *body)
{
    if (h->loop_silent_ms >= RQI_HANGS_MS) {
        return say_bad(body, "the worker's loop has not answered for", h->loop_silent_ms, "ms");
    }
    if (h->lease_late_ms >= RQI_HANGS_MS) {
        return say_bad(body, "the thread of the leases is late by", h->lease_late_ms, "ms");
    }
    return say_ok(body);
}

static int queue_not_ready(const refq_health *h, const refq_health_queue *q, rqi_buf *body)
{
    if (!q->started) {
        rqi_buf_addf(body, "queue %s: not registered\n", q->queue);
        return BAD;
    }
    if (q->beat_age_ms < 0 || q->beat_age_ms > h->lease_ms) {
        rqi_buf_addf(body, "queue %s: no beat was answered for %lld ms\n", q->queue,
                     (long long)q->beat_age_ms);
        return BAD;
    }
    return GOOD;
}

static int readyz(const refq_health *h, rqi_buf *body)
{
    if (h->state != REFQ_STATE_RUNNING && h->state != REFQ_STATE_QUIET) {
        rqi_buf_addf(body, "the worker is %s\n", refq_worker_state_name(h->state));
        return BAD;
    }
    if (!h->connected) {
        rqi_buf_adds(body, "not connected to Redis\n");
        return BAD;
    }
    for (size_t i = 0; i < h->queues_n; i++) {
        if (queue_not_ready(h, &h->queues[i], body) != GOOD) {
            return BAD;
        }
    }
    return livez(h, body);
}

/* --- Status ----------------------------------------------------------------------------------- */

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static void add_counters(rqi_buf *out, const refq_worker_counters *n)
{
    rqi_buf_addf(out,
                 "\"counters\":{\"claimed\":%llu,\"done\":%llu,\"failed\":%llu,\"cancelled\":%llu,"
                 "\"released\":%llu,\"crashed\":%llu}",
                 (unsigned long long)n->claimed, (unsigned long long)n->done,
                 (unsigned long long)n->failed, (unsigned long long)n->cancelled,
                 (unsigned long long)n->released, (unsigned long long)n->crashed);
}

/* Names of queues and ids need no escapes. */
static void add_queue(rqi_buf *out, const refq_health_queue *q)
{
    rqi_buf_addf(out,
                 "{\"queue\":\"%s\",\"worker\":\"%s\",\"started\":%s,\"quiet\":%s,"
                 "\"beat_age_ms\":%lld,\"claiming\":%u,\"running\":%u,\"held\":%u,\"stuck\":%u,",
                 q->queue, q->worker, truth(q->started), truth(q->quiet), (long long)q->beat_age_ms,
                 q->claiming, q->running, q->held, q->stuck);
    add_counters(out, &q->counters);
    rqi_buf_addc(out, '}');
}

static int status(const refq_health *h, rqi_buf *body)
{
    rqi_buf_addf(body,
                 "{\"state\":\"%s\",\"version\":\"%s\",\"pid\":%d,\"connected\":%s,\"slots\":%u,"
                 "\"running\":%u,\"stuck\":%u,\"lease_ms\":%lld,\"loop_silent_ms\":%lld,"
                 "\"lease_late_ms\":%lld,",
                 refq_worker_state_name(h->state), REFQ_VERSION, (int)getpid(), truth(h->connected),
                 h->slots, h->running, h->stuck, (long long)h->lease_ms,
                 (long long)h->loop_silent_ms, (long long)h->lease_late_ms);
    add_counters(body, &h->counters);
    rqi_buf_adds(body, ",\"queues\":[");
    for (size_t i = 0; i < h->queues_n; i++) {
        rqi_buf_adds(body, i > 0 ? "," : "");
        add_queue(body, &h->queues[i]);
    }
    rqi_buf_adds(body, "]}\n");
    return GOOD;
}

static const struct {
    const char *path;
    int (*write)(const refq_health *health, rqi_buf *body);
    const char *type;
} rows[] = {
    {"/livez", livez, "text/plain"},
    {"/readyz", readyz, "text/plain"},
    {"/status", status, "application/json"},
};

int rqi_page(const refq_health *health, const char *path, rqi_buf *body, const char **ret_type)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].path, path) == 0) {
            *ret_type = rows[i].type;
            return rows[i].write(health, body);
        }
    }
    return NO_PAGE;
}
