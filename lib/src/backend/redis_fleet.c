/* SPDX-License-Identifier: MIT */
/* The workers of a queue or of all: plain reads of the records that beats keep. */
#include "backend/redis.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 4096

/* One round trip after the other: names of queues, their workers with leases and the server's time,
 * then each worker's record. */
struct fleet {
    rqi_redis *r;
    refq_workers_cb cb;
    void *arg;
    char (*queues)[REFQ_QUEUE_MAX + 1];
    size_t queues_n;
    size_t queue_at; /* the queue being read */
    int64_t now_ms;
    refq_worker_info *workers; /* owned until the end */
    size_t n;
    size_t record_at; /* the worker whose record is being read */
};

static void end(struct fleet *f, const refq_error *err)
{
    f->cb(f->arg, err, f->workers, err == NULL ? f->n : 0);
    for (size_t i = 0; i < f->n; i++) {
        free(f->workers[i].offers);
    }
    free(f->workers);
    free(f->queues);
    free(f);
}

static void end_with(struct fleet *f, refq_err code, const char *text)
{
    refq_error err;
    (void)rqi_fail(&err, code, "%s", text);
    end(f, &err);
}

static void copy_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%.*s", (int)size - 1, text);
}

struct column {
    const char *name;
    size_t offset;
    size_t size; /* 0 = a number */
};

#define TEXT(field, name)                                                               \
    {                                                                                   \
        name, offsetof(refq_worker_info, field), sizeof(((refq_worker_info *)0)->field) \
    }
#define NUMBER(field, name)                        \
    {                                              \
        name, offsetof(refq_worker_info, field), 0 \
    }

static const struct column columns[] = {TEXT(host, "host"),       TEXT(version, "version"),
                                        TEXT(state, "state"),     NUMBER(pid, "pid"),
                                        NUMBER(slots, "slots"),   NUMBER(running, "running"),
                                        NUMBER(rss_kb, "rss_kb"), NUMBER(started_at, "started_at")};

static void set_column(refq_worker_info *w, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        char *at = (char *)w + columns[i].offset;
        if (strcmp(columns[i].name, name) != 0) {
            continue;
        }
        if (columns[i].size > 0) {
            copy_text(at, columns[i].size, value);
        } else {
            *(int64_t *)(void *)at = strtoll(value, NULL, 10);
        }
    }
    if (strcmp(name, "offers") == 0) {
        free(w->offers);
        w->offers = strdup(value);
    }
}

static void read_records(struct fleet *f);

static void on_record(void *arg, const refq_error *err, const redisReply *reply)
{
    struct fleet *f = arg;
    if (err != NULL) {
        end(f, err);
        return;
    }
    refq_worker_info *w = &f->workers[f->record_at++];
    rqi_cursor cur = rqi_cursor_of(reply);
    while (rqi_cursor_more(&cur)) {
        const char *name = rqi_next_str(&cur);
        set_column(w, name, rqi_next_str(&cur));
    }
    if (w->lease_left_ms < 0) {
        copy_text(w->state, sizeof w->state, "lost");
    }
    read_records(f);
}

static void read_queue(struct fleet *f);

static void read_records(struct fleet *f)
{
    refq_error err;
    rqi_key key;
    if (f->record_at == f->n) {
        f->queue_at++;
        read_queue(f);
        return;
    }
    const refq_worker_info *w = &f->workers[f->record_at];
    rqi_queue *q = rqi_redis_queue(f->r, w->queue, &err);
    if (q == NULL) {
        end(f, &err);
        return;
    }
    rqi_cmd_clear(&f->r->cmd);
    rqi_cmd_adds(&f->r->cmd, "HGETALL");
    rqi_cmd_adds(&f->r->cmd, rqi_key_of(&q->keys, key, "worker:", w->id));
    rqi_conn_send(f->r->conn, &f->r->cmd, 0, on_record, f);
}

static void on_workers(void *arg, const refq_error *err, const redisReply *reply)
{
    struct fleet *f = arg;
    if (err != NULL) {
        end(f, err);
        return;
    }
    size_t more = reply->type == REDIS_REPLY_ARRAY ? reply->elements / 2 : 0;
    refq_worker_info *grown =
        f->n + more <= WORKERS_MAX ? realloc(f->workers, (f->n + more + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        end_with(f, REFQ_ERR_LIMIT, "too many workers to list at once");
        return;
    }
    f->workers = grown;
    rqi_cursor cur = rqi_cursor_of(reply);
    for (size_t i = 0; i < more; i++) {
        refq_worker_info *w = &f->workers[f->n++];
        memset(w, 0, sizeof *w);
        copy_text(w->queue, sizeof w->queue, f->queues[f->queue_at]);
        copy_text(w->id, sizeof w->id, rqi_next_str(&cur));
        w->lease_left_ms = strtoll(rqi_next_str(&cur), NULL, 10) - f->now_ms;
    }
    read_records(f);
}

static void on_time(void *arg, const refq_error *err, const redisReply *reply)
{
    struct fleet *f = arg;
    if (err == NULL) {
        rqi_cursor cur = rqi_cursor_of(reply);
        f->now_ms = rqi_next_int(&cur) * 1000;
        f->now_ms += rqi_next_int(&cur) / 1000;
    }
    /* A failure is reported by the command behind this one. */
}

static void read_queue(struct fleet *f)
{
    refq_error err;
    rqi_key key;
    if (f->queue_at == f->queues_n) {
        end(f, NULL);
        return;
    }
    rqi_queue *q = rqi_redis_queue(f->r, f->queues[f->queue_at], &err);
    if (q == NULL) {
        end(f, &err);
        return;
    }
    rqi_cmd_clear(&f->r->cmd);
    rqi_cmd_adds(&f->r->cmd, "TIME");
    rqi_conn_send(f->r->conn, &f->r->cmd, 0, on_time, f);
    rqi_cmd_clear(&f->r->cmd);
    rqi_cmd_adds(&f->r->cmd, "ZRANGE");
    rqi_cmd_adds(&f->r->cmd, rqi_key_of(&q->keys, key, "workers", ""));
    rqi_cmd_adds(&f->r->cmd, "0");
    rqi_cmd_adds(&f->r->cmd, "-1");
    rqi_cmd_adds(&f->r->cmd, "WITHSCORES");
    rqi_conn_send(f->r->conn, &f->r->cmd, 0, on_workers, f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Names that are no queue's (written by somebody else) are passed over. */
static void on_queues(void *arg, const refq_error *err, const redisReply *reply)
{
    struct fleet *f = arg;
    if (err != NULL) {
        end(f, err);
        return;
    }
    size_t n = reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
    f->queues = calloc(n + 1, sizeof *f->queues);
    if (f->queues == NULL) {
        end_with(f, REFQ_ERR_NOMEM, "out of memory");
        return;
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    while (rqi_cursor_more(&cur)) {
        const char *name = rqi_next_str(&cur);
        if (refq_queue_check(name, NULL) == REFQ_OK) {
            copy_text(f->queues[f->queues_n++], sizeof f->queues[0], name);
        }
    }
    qsort(f->queues, f->queues_n, sizeof f->queues[0], by_name);
    read_queue(f);
}

static void refuse(void *arg, const refq_error *err, refq_task *task)
{
    (void)task;
    end(arg, err);
}

void rqi_redis_workers(refq_backend *b, const char *queue, refq_workers_cb cb, void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    rqi_key key;
    refq_error err;
    struct fleet *f = calloc(1, sizeof *f);
    if (f == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL, 0);
        return;
    }
    *f = (struct fleet){.r = r, .cb = cb, .arg = arg};
    if (queue == NULL) {
        rqi_cmd_clear(&r->cmd);
        rqi_cmd_adds(&r->cmd, "SMEMBERS");
        rqi_cmd_adds(&r->cmd, rqi_key_queues(r->prefix, key));
        rqi_conn_send(r->conn, &r->cmd, 0, on_queues, f);
        return;
    }
    f->queues = calloc(1, sizeof *f->queues);
    if (f->queues == NULL || refq_queue_check(queue, &err) != REFQ_OK) {
        if (f->queues == NULL) {
            (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        }
        rqi_redis_fail_later(r, &err, refuse, f);
        return;
    }
    copy_text(f->queues[f->queues_n++], sizeof f->queues[0], queue);
    read_queue(f);
}
