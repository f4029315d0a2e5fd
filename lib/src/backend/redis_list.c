/* SPDX-License-Identifier: MIT */
/* Listing: one call for a page of ids, then their records in chunks. */
#include "backend/redis.h"

#include "base/error.h"
#include "base/log.h"
#include "task/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 50
#define LIST_MAX     1000
#define CURSOR_MAX   128
#define GET_CHUNK    100

struct list_op {
    rqi_redis *r;
    rqi_queue *q;
    refq_list_cb cb;
    void *arg;
    char queue[REFQ_QUEUE_MAX + 1];
    refq_ref *refs; /* owned */
    size_t n;       /* references */
    size_t asked;   /* of them, asked for in calls so far */
    size_t read;    /* of them, answered */
    refq_task **tasks;
    size_t tasks_n;
    char next[CURSOR_MAX]; /* cursor of the next page */
};

static void end_list(struct list_op *op, const refq_error *err)
{
    if (err != NULL) {
        for (size_t i = 0; i < op->tasks_n; i++) {
            refq_task_free(op->tasks[i]);
        }
        op->tasks_n = 0;
    }
    refq_page page = {.tasks = op->tasks, .n = op->tasks_n, .next = op->next};
    op->cb(op->arg, err, err == NULL ? &page : NULL);
    free(op->refs);
    free(op->tasks);
    free(op);
}

static void ask_records(struct list_op *op);

static void say_unreadable(const struct list_op *op, const refq_error *err)
{
    char quoted[300];
    rqi_log(&op->r->log, REFQ_LOG_WARN, "event=bad_record error=%s",
            rqi_log_quote(quoted, sizeof quoted, err->text));
}

static void on_records(void *arg, const refq_error *err, const redisReply *reply)
{
    struct list_op *op = arg;
    refq_error bad;
    if (err != NULL) {
        end_list(op, err);
        return;
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    int64_t now = rqi_next_int(&cur);
    for (; op->read < op->asked; op->read++) {
        refq_err rc =
            rqi_record_read(&cur, &op->refs[op->read], now, &op->tasks[op->tasks_n], &bad);
        if (rc == REFQ_OK) {
            op->tasks_n++;
        } else if (rc == REFQ_ERR_PROTO && !cur.bad) {
            say_unreadable(op, &bad);         /* one spoilt record must not hide the others */
        } else if (rc != REFQ_ERR_NOTFOUND) { /* expired since the ids were listed: fine */
            end_list(op, &bad);
            return;
        }
    }
    ask_records(op);
}

static void ask_records(struct list_op *op)
{
    if (op->asked == op->n) {
        end_list(op, NULL);
        return;
    }
    rqi_cmd *cmd = &op->r->cmd;
    rqi_fcall_begin(cmd, &op->q->keys, RQI_FN("look"));
    for (size_t k = 0; k < GET_CHUNK && op->asked < op->n; k++) {
        rqi_cmd_adds(cmd, op->refs[op->asked++].hex);
    }
    rqi_fcall_send(op->r->conn, cmd, RQI_REPEAT, on_records, op);
}

static void on_ids(void *arg, const refq_error *err, const redisReply *reply)
{
    struct list_op *op = arg;
    refq_error bad;
    if (err != NULL) {
        end_list(op, err);
        return;
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    size_t n = cur.bad ? 0 : reply->elements;
    (void)snprintf(op->next, sizeof op->next, "%s", rqi_next_str(&cur));
    op->refs = calloc(n + 1, sizeof *op->refs);
    op->tasks = calloc(n + 1, sizeof *op->tasks);
    if (op->refs == NULL || op->tasks == NULL) {
        (void)rqi_fail(&bad, REFQ_ERR_NOMEM, "out of memory");
        end_list(op, &bad);
        return;
    }
    while (rqi_cursor_more(&cur)) {
        refq_ref *ref = &op->refs[op->n++];
        memcpy(ref->queue, op->queue, sizeof ref->queue);
        (void)snprintf(ref->hex, sizeof ref->hex, "%s", rqi_next_str(&cur));
    }
    ask_records(op);
}

static void on_list_refused(void *arg, const refq_error *err, refq_task *task)
{
    (void)task;
    end_list(arg, err);
}

/* "<section>|<place in it>" */
static bool is_cursor(const char *text)
{
    size_t section = strspn(text, "abcdefghijklmnopqrstuvwxyz-");
    size_t place = text[section] == '|' ? strspn(text + section + 1, "0123456789:-") : 0;
    return section > 0 && place > 0 && text[section + 1 + place] == '\0' &&
           section + 1 + place < CURSOR_MAX;
}

static refq_err check_query(const refq_list_query *query, refq_error *err)
{
    if (query->limit > LIST_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a list holds at most %d tasks", LIST_MAX);
    }
    if (query->status > REFQ_CANCELLED) {
        return rqi_fail(err, REFQ_ERR_INVALID, "no such status: %d", query->status);
    }
    if (query->cursor != NULL && query->cursor[0] != '\0' && !is_cursor(query->cursor)) {
        return rqi_fail(err, REFQ_ERR_INVALID, "this cursor was not made by a list");
    }
    return query->task != NULL ? refq_name_check(query->task, err) : REFQ_OK;
}

void rqi_redis_list(refq_backend *b, const refq_list_query *query, refq_list_cb cb, void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err;
    struct list_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL);
        return;
    }
    *op = (struct list_op){.r = r, .cb = cb, .arg = arg};
    if (check_query(query, &err) == REFQ_OK) {
        op->q = rqi_redis_queue(r, query->queue != NULL ? query->queue : "", &err);
    }
    if (op->q == NULL) {
        rqi_redis_fail_later(r, &err, on_list_refused, op);
        return;
    }
    (void)snprintf(op->queue, sizeof op->queue, "%s", query->queue);
    rqi_fcall_begin(&r->cmd, &op->q->keys, RQI_FN("list"));
    rqi_cmd_adds(&r->cmd, query->status >= 0 ? refq_status_name((refq_status)query->status) : "");
    rqi_cmd_addi(&r->cmd, query->limit != 0 ? query->limit : LIST_DEFAULT);
    rqi_cmd_adds(&r->cmd, query->task != NULL ? query->task : "");
    rqi_cmd_adds(&r->cmd, query->dead ? "1" : "0");
    rqi_cmd_adds(&r->cmd, query->cursor != NULL ? query->cursor : "");
    rqi_fcall_send(r->conn, &r->cmd, RQI_REPEAT, on_ids, op);
}
