/* SPDX-License-Identifier: MIT */
/* Reading the event log: plain reads of a stream whose entries tell of several tasks each. */
#include "backend/redis.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_DEFAULT 100
#define EVENTS_MAX     1000
#define ID_MAX         48

struct events_op {
    rqi_redis *r;
    refq_events_cb cb;
    void *arg;
    char queue[REFQ_QUEUE_MAX + 1];
    char next[ID_MAX];
    refq_event *events; /* owned; their ids are borrowed from the reply */
    size_t n;
    size_t cap;
};

static void end(struct events_op *op, const refq_error *err)
{
    op->cb(op->arg, err, op->events, err == NULL ? op->n : 0, op->next);
    free(op->events);
    free(op);
}

static void refuse(void *arg, const refq_error *err, refq_task *task)
{
    (void)task;
    end(arg, err);
}

static refq_err add(struct events_op *op, const char *id, refq_status status, const char *hex)
{
    if (op->n == op->cap) {
        size_t cap = op->cap != 0 ? op->cap * 2 : 64;
        refq_event *grown = realloc(op->events, cap * sizeof *grown);
        if (grown == NULL) {
            return REFQ_ERR_NOMEM;
        }
        op->events = grown;
        op->cap = cap;
    }
    refq_event *e = &op->events[op->n++];
    *e = (refq_event){.id = id, .at_ms = strtoll(id, NULL, 10), .status = status};
    memcpy(e->ref.queue, op->queue, sizeof e->ref.queue);
    memcpy(e->ref.hex, hex, REFQ_HEX_LEN);
    return REFQ_OK;
}

/* "hex hex hex": what is no id is passed over, a foreign key may lie in the log's place. */
static refq_err add_ids(struct events_op *op, const char *id, refq_status status, const char *ids)
{
    refq_err rc = REFQ_OK;
    while (rc == REFQ_OK && *ids != '\0') {
        size_t len = strcspn(ids, " ");
        if (len == REFQ_HEX_LEN) {
            rc = add(op, id, status, ids);
        }
        ids += len;
        ids += strspn(ids, " ");
    }
    return rc;
}

static refq_err add_entry(struct events_op *op, const redisReply *entry)
{
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) {
        return REFQ_ERR_PROTO;
    }
    const char *id = entry->element[0]->str != NULL ? entry->element[0]->str : "";
    rqi_cursor fields = rqi_cursor_of(entry->element[1]);
    (void)snprintf(op->next, sizeof op->next, "%s", id);
    refq_err rc = REFQ_OK;
    while (rc == REFQ_OK && rqi_cursor_more(&fields)) {
        refq_status status = REFQ_PENDING;
        const char *name = rqi_next_str(&fields);
        const char *ids = rqi_next_str(&fields);
        if (refq_status_parse(name, &status) == REFQ_OK) {
            rc = add_ids(op, id, status, ids);
        }
    }
    return rc;
}

static void on_entries(void *arg, const refq_error *err, const redisReply *reply)
{
    struct events_op *op = arg;
    refq_error bad;
    refq_err rc = REFQ_OK;
    if (err != NULL) {
        end(op, err);
        return;
    }
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && rc == REFQ_OK && i < reply->elements;
         i++) {
        rc = add_entry(op, reply->element[i]);
    }
    if (rc == REFQ_ERR_NOMEM) {
        (void)rqi_fail(&bad, rc, "out of memory");
    } else if (rc != REFQ_OK) {
        (void)rqi_reply_unexpected(&bad, "XRANGE");
    }
    end(op, rc == REFQ_OK ? NULL : &bad);
}

/* The present end: the id of the last entry, and no events. */
static void on_last(void *arg, const refq_error *err, const redisReply *reply)
{
    struct events_op *op = arg;
    if (err == NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1) {
        (void)add_entry(op, reply->element[0]);
        op->n = 0;
    }
    end(op, err);
}

static refq_err check(const refq_events_query *query, refq_error *err)
{
    const char *after = query->after != NULL ? query->after : "";
    if (query->limit > EVENTS_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "at most %d events at a time", EVENTS_MAX);
    }
    if (strcmp(after, "$") != 0 &&
        (strlen(after) >= ID_MAX - 1 || strspn(after, "0123456789-") != strlen(after))) {
        return rqi_fail(err, REFQ_ERR_INVALID, "'%.60s' is not an event's id", after);
    }
    return REFQ_OK;
}

void rqi_redis_events(refq_backend *b, const refq_events_query *query, refq_events_cb cb, void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err;
    rqi_key key;
    char from[ID_MAX + 1];
    struct events_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL, 0, "0");
        return;
    }
    *op = (struct events_op){.r = r, .cb = cb, .arg = arg, .next = "0"};
    rqi_queue *q = rqi_redis_queue(r, query->queue != NULL ? query->queue : "", &err);
    if (q == NULL || check(query, &err) != REFQ_OK) {
        rqi_redis_fail_later(r, &err, refuse, op);
        return;
    }
    const char *after = query->after != NULL && query->after[0] != '\0' ? query->after : "0";
    bool last = strcmp(after, "$") == 0;
    (void)snprintf(op->queue, sizeof op->queue, "%s", query->queue);
    (void)snprintf(op->next, sizeof op->next, "%s", last ? "0" : after);
    (void)snprintf(from, sizeof from, "(%s", op->next);
    rqi_cmd_clear(&r->cmd);
    rqi_cmd_adds(&r->cmd, last ? "XREVRANGE" : "XRANGE");
    rqi_cmd_adds(&r->cmd, rqi_key_of(&q->keys, key, "events", ""));
    rqi_cmd_adds(&r->cmd, last ? "+" : from);
    rqi_cmd_adds(&r->cmd, last ? "-" : "+");
    rqi_cmd_adds(&r->cmd, "COUNT");
    rqi_cmd_addi(&r->cmd, last ? 1 : query->limit != 0 ? query->limit : EVENTS_DEFAULT);
    rqi_conn_send(r->conn, &r->cmd, 0, last ? on_last : on_entries, op);
}
