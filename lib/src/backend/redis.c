/* SPDX-License-Identifier: MIT */
/*
 * The redis backend: tasks in Redis, run by a fleet of workers.
 *
 * DESIGN. Two connections: one for commands, shared and pipelined by all
 * callers, and, once somebody waits, one for pushes. A state change is always
 * one call of one function of the library; nothing here writes a task's keys.
 */
#include "backend/redis.h"

#include "base/error.h"
#include "base/rand.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void shutdown_backend(refq_backend *b)
{
    rqi_redis *r = (rqi_redis *)b;
    r->closing = true;
    rqi_redis_wait_shutdown(r);
    rqi_conn_free(r->sub);
    rqi_conn_free(r->conn);
    rqi_cmd_done(&r->cmd);
    while (!SLIST_EMPTY(&r->queues)) {
        rqi_queue *q = SLIST_FIRST(&r->queues);
        SLIST_REMOVE_HEAD(&r->queues, link);
        free(q);
    }
    free(r);
}

static const refq_backend_ops ops = {
    .struct_size = sizeof ops,
    .name = "redis",
    .capabilities = REFQ_CAP_DURABLE | REFQ_CAP_PROGRESS | REFQ_CAP_LIST | REFQ_CAP_PUSH |
                    REFQ_CAP_RETRY | REFQ_CAP_OPERATE | REFQ_CAP_HISTORY | REFQ_CAP_ASK |
                    REFQ_CAP_EVENTS | REFQ_CAP_FLEET | REFQ_CAP_CATALOG | REFQ_CAP_CALL,
    .submit = rqi_redis_submit,
    .get_status = rqi_redis_get_status,
    .get_result = rqi_redis_get_result,
    .cancel = rqi_redis_cancel,
    .is_cancelled = rqi_redis_get_status,
    .wait = rqi_redis_wait,
    .detach = rqi_redis_detach,
    .hand_out = rqi_redis_hand_out,
    .retry = rqi_redis_retry,
    .list = rqi_redis_list,
    .cleanup = rqi_redis_cleanup,
    .stats = rqi_redis_stats,
    .control = rqi_redis_control,
    .queues = rqi_redis_queues,
    .catalog = rqi_redis_catalog,
    .history = rqi_redis_history,
    .args = rqi_redis_args,
    .answer = rqi_redis_answer,
    .events = rqi_redis_events,
    .workers = rqi_redis_workers,
    .shutdown = shutdown_backend,
};

rqi_queue *rqi_redis_queue(rqi_redis *r, const char *name, refq_error *err)
{
    rqi_keys keys;
    if (rqi_keys_make(r->prefix, name, &keys, err) != REFQ_OK) {
        return NULL;
    }
    rqi_queue *q = NULL;
    SLIST_FOREACH(q, &r->queues, link)
    {
        if (strcmp(q->keys.base, keys.base) == 0) {
            return q;
        }
    }
    q = calloc(1, sizeof *q);
    if (q == NULL) {
        (void)rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
        return NULL;
    }
    q->keys = keys;
    q->owner = r;
    SLIST_INSERT_HEAD(&r->queues, q, link);
    return q;
}

struct later {
    refq_error err;
    refq_task_cb cb;
    void *arg;
};

static void fail_now(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct later *later = arg;
    later->cb(later->arg, &later->err, NULL);
    free(later);
}

void rqi_redis_fail_later(rqi_redis *r, const refq_error *err, refq_task_cb cb, void *arg)
{
    struct timeval now = {0};
    struct later *later = malloc(sizeof *later);
    if (later == NULL) {
        cb(arg, err, NULL);
        return;
    }
    *later = (struct later){*err, cb, arg};
    (void)event_base_once(r->base, -1, EV_TIMEOUT, fail_now, later, &now);
}

refq_err refq_backend_redis_new(struct event_base *base, const refq_redis_options *options,
                                refq_backend **ret_backend, refq_error *err)
{
    static const refq_redis_options defaults = {.struct_size = sizeof defaults};
    const refq_redis_options *o = options != NULL ? options : &defaults;
    rqi_keys probe;
    refq_err rc = rqi_rand_init(err);
    if (rc == REFQ_OK) {
        rc = rqi_keys_make(o->prefix, "probe", &probe, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_redis *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    r->pub.ops = &ops;
    r->base = base;
    r->timeout_ms = o->timeout_ms;
    r->log = o->log;
    SLIST_INIT(&r->queues);
    TAILQ_INIT(&r->waits);
    (void)snprintf(r->prefix, sizeof r->prefix, "%s", probe.prefix);
    rqi_rand_hex(r->client_id, REFQ_HEX_LEN / 2);
    rc = rqi_url_parse(o->url, &r->url, err);
    if (rc == REFQ_OK) {
        rqi_conn_options conn = {.base = base,
                                 .url = &r->url,
                                 .name = "refq-client",
                                 .timeout_ms = r->timeout_ms,
                                 .log = &r->log};
        rc = rqi_conn_new(&conn, &r->conn, err);
    }
    if (rc != REFQ_OK) {
        free(r);
        return rc;
    }
    *ret_backend = &r->pub;
    return REFQ_OK;
}
