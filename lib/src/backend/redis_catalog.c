/* SPDX-License-Identifier: MIT */
/* What the workers of a queue offer: the definitions that they put into the catalog. */
#include "backend/redis.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct catalog_op {
    rqi_redis *r;
    refq_texts_cb cb;
    void *arg;
    char queue[REFQ_QUEUE_MAX + 1];
    char task[REFQ_NAME_MAX + 1]; /* "" = all */
};

struct item {
    refq_bytes name;
    refq_bytes definition;
};

static void end(struct catalog_op *op, const refq_error *err, const refq_bytes *texts, size_t n)
{
    op->cb(op->arg, err, texts, err == NULL ? n : 0);
    free(op);
}

static void end_with(struct catalog_op *op, refq_err code, const char *text)
{
    refq_error err;
    (void)rqi_fail(&err, code, "%s", text);
    end(op, &err, NULL, 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->name.ptr, ((const struct item *)b)->name.ptr);
}

/* Fields that start with a colon tell since when nobody offers a task. */
static size_t read_items(const redisReply *reply, struct item *items)
{
    size_t n = 0;
    rqi_cursor cur = rqi_cursor_of(reply);
    while (rqi_cursor_more(&cur)) {
        struct item item = {.name = rqi_next_bytes(&cur)};
        item.definition = rqi_next_bytes(&cur);
        if (((const char *)item.name.ptr)[0] != ':') {
            items[n++] = item;
        }
    }
    qsort(items, n, sizeof *items, by_name);
    return n;
}

static void on_all(void *arg, const refq_error *err, const redisReply *reply)
{
    struct catalog_op *op = arg;
    if (err != NULL) {
        end(op, err, NULL, 0);
        return;
    }
    size_t room = reply->type == REDIS_REPLY_ARRAY ? reply->elements / 2 + 1 : 1;
    struct item *items = calloc(room, sizeof *items);
    refq_bytes *texts = calloc(room, sizeof *texts);
    if (items == NULL || texts == NULL) {
        end_with(op, REFQ_ERR_NOMEM, "out of memory");
    } else {
        size_t n = read_items(reply, items);
        for (size_t i = 0; i < n; i++) {
            texts[i] = items[i].definition;
        }
        end(op, NULL, texts, n);
    }
    free(items);
    free(texts);
}

static void on_one(void *arg, const refq_error *err, const redisReply *reply)
{
    struct catalog_op *op = arg;
    refq_error none;
    if (err != NULL) {
        end(op, err, NULL, 0);
    } else if (reply->type != REDIS_REPLY_STRING) {
        (void)rqi_fail(&none, REFQ_ERR_NOTFOUND, "no worker of queue %s offers the task '%s'",
                       op->queue, op->task);
        end(op, &none, NULL, 0);
    } else {
        refq_bytes text = {.ptr = reply->str, .len = (size_t)reply->len};
        end(op, NULL, &text, 1);
    }
}

static void refuse(void *arg, const refq_error *err, refq_task *task)
{
    (void)task;
    end(arg, err, NULL, 0);
}

static void send_question(struct catalog_op *op, const rqi_queue *q)
{
    rqi_key key;
    bool all = op->task[0] == '\0';
    rqi_cmd_clear(&op->r->cmd);
    rqi_cmd_adds(&op->r->cmd, all ? "HGETALL" : "HGET");
    rqi_cmd_adds(&op->r->cmd, rqi_key_of(&q->keys, key, "catalog", ""));
    if (!all) {
        rqi_cmd_adds(&op->r->cmd, op->task);
    }
    rqi_conn_send(op->r->conn, &op->r->cmd, 0, all ? on_all : on_one, op);
}

void rqi_redis_catalog(refq_backend *b, const char *queue, const char *task, refq_texts_cb cb,
                       void *arg)
{
    refq_error err;
    rqi_redis *r = (rqi_redis *)b;
    struct catalog_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL, 0);
        return;
    }
    *op = (struct catalog_op){.r = r, .cb = cb, .arg = arg};
    rqi_queue *q = rqi_redis_queue(r, queue, &err);
    if (q == NULL || (task != NULL && refq_name_check(task, &err) != REFQ_OK)) {
        rqi_redis_fail_later(r, &err, refuse, op);
        return;
    }
    memcpy(op->queue, queue, strlen(queue) + 1);
    if (task != NULL) {
        memcpy(op->task, task, strlen(task) + 1);
    }
    send_question(op, q);
}
