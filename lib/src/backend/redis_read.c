/* SPDX-License-Identifier: MIT */
/* Reading records and results, cancelling, listing. */
#include "backend/redis.h"

#include "base/error.h"
#include "base/log.h"
#include "task/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 50
#define LIST_MAX     1000
#define GET_CHUNK    100

/* --- One record ------------------------------------------------------------------------------- */

struct read_op {
    rqi_redis *r;
    rqi_queue *q;
    refq_ref ref;
    refq_task_cb cb;
    void *arg;
};

static struct read_op *read_op_new(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err;
    rqi_queue *q = rqi_redis_queue(r, ref->queue, &err);
    if (q == NULL) {
        rqi_redis_fail_later(r, &err, cb, arg);
        return NULL;
    }
    struct read_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL);
        return NULL;
    }
    *op = (struct read_op){.r = r, .q = q, .ref = *ref, .cb = cb, .arg = arg};
    return op;
}

static void on_record(void *arg, const refq_error *err, const redisReply *reply)
{
    struct read_op *op = arg;
    refq_error bad;
    refq_task *task = NULL;
    if (err == NULL) {
        rqi_cursor cur = rqi_cursor_of(reply);
        int64_t now = rqi_next_int(&cur);
        if (rqi_record_read(&cur, &op->ref, now, &task, &bad) != REFQ_OK) {
            err = &bad;
        }
    }
    op->cb(op->arg, err, task);
    free(op);
}

static void send_get(struct read_op *op)
{
    rqi_cmd *cmd = &op->r->cmd;
    rqi_fcall_begin(cmd, &op->q->keys, RQI_FN("look"));
    rqi_cmd_adds(cmd, op->ref.hex);
    rqi_fcall_send(op->r->conn, cmd, RQI_REPEAT, on_record, op);
}

void rqi_redis_get_status(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    struct read_op *op = read_op_new(b, ref, cb, arg);
    if (op != NULL) {
        send_get(op);
    }
}

/* --- Cancel ----------------------------------------------------------------------------------- */

/* The record is read after the cancel, on the same connection, so it shows what stands. */
static void on_cancelled(void *arg, const refq_error *err, const redisReply *reply)
{
    struct read_op *op = arg;
    (void)reply;
    if (err != NULL) {
        op->cb(op->arg, err, NULL);
        free(op);
        return;
    }
    send_get(op);
}

void rqi_redis_cancel(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    struct read_op *op = read_op_new(b, ref, cb, arg);
    if (op == NULL) {
        return;
    }
    rqi_cmd *cmd = &op->r->cmd;
    rqi_fcall_begin(cmd, &op->q->keys, RQI_FN("cancel"));
    rqi_cmd_adds(cmd, ref->hex);
    rqi_cmd_addi(cmd, RQI_RECORD_TTL_MS);
    rqi_fcall_send(op->r->conn, cmd, RQI_REPEAT, on_cancelled, op);
}

/* --- Result ----------------------------------------------------------------------------------- */

/* The record first, the value after it: when the record says complete, the value was readable
 * before, so a missing one has expired. */
struct result_op {
    rqi_redis *r;
    rqi_queue *q;
    refq_ref ref;
    refq_result_cb cb;
    void *arg;
    refq_task *task;
};

static void end_result(struct result_op *op, const refq_error *err, refq_bytes entry)
{
    op->cb(op->arg, err, op->task, entry);
    free(op);
}

static void on_entry(void *arg, const refq_error *err, const redisReply *reply)
{
    struct result_op *op = arg;
    refq_error bad;
    char text[REFQ_REF_MAX + 1];
    refq_bytes entry = {.ptr = "", .len = 0};
    if (err == NULL && reply->type == REDIS_REPLY_STRING) {
        entry = (refq_bytes){.ptr = reply->str, .len = (size_t)reply->len};
    } else if (err == NULL) {
        (void)rqi_fail(&bad, REFQ_ERR_NOTFOUND, "task %s is complete, but its value has expired",
                       refq_ref_format(&op->ref, text));
        err = &bad;
    }
    end_result(op, err, entry);
}

static void on_result_record(void *arg, const refq_error *err, refq_task *task)
{
    struct result_op *op = arg;
    refq_bytes none = {.ptr = "", .len = 0};
    op->task = task;
    if (err != NULL) {
        end_result(op, err, none);
        return;
    }
    refq_status status = refq_task_status(task);
    if (status != REFQ_COMPLETE) {
        refq_error not_yet;
        char text[REFQ_REF_MAX + 1];
        (void)rqi_fail(&not_yet, REFQ_ERR_CONFLICT, "task %s is %s: it has no result%s",
                       refq_ref_format(&op->ref, text), refq_status_name(status),
                       refq_status_is_terminal(status) ? "" : " yet");
        end_result(op, &not_yet, none);
        return;
    }
    rqi_key key;
    rqi_cmd_clear(&op->r->cmd);
    rqi_cmd_adds(&op->r->cmd, "GET");
    rqi_cmd_adds(&op->r->cmd, rqi_key_entry(&op->q->keys, key, op->ref.hex));
    rqi_conn_send(op->r->conn, &op->r->cmd, 0, on_entry, op);
}

void rqi_redis_get_result(refq_backend *b, const refq_ref *ref, refq_result_cb cb, void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    struct result_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        refq_error err;
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL, (refq_bytes){.ptr = "", .len = 0});
        return;
    }
    *op = (struct result_op){.r = r, .ref = *ref, .cb = cb, .arg = arg};
    op->q = rqi_redis_queue(r, ref->queue, NULL); /* get_status reports a bad name */
    rqi_redis_get_status(b, ref, on_result_record, op);
}

/* --- List ------------------------------------------------------------------------------------- */

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
};

static void end_list(struct list_op *op, const refq_error *err)
{
    if (err != NULL) {
        for (size_t i = 0; i < op->tasks_n; i++) {
            refq_task_free(op->tasks[i]);
        }
        op->tasks_n = 0;
    }
    refq_page page = {.tasks = op->tasks, .n = op->tasks_n, .next = ""};
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

void rqi_redis_list(refq_backend *b, const refq_list_query *query, refq_list_cb cb, void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err;
    unsigned limit = query->limit != 0 ? query->limit : LIST_DEFAULT;
    struct list_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL);
        return;
    }
    *op = (struct list_op){.r = r, .cb = cb, .arg = arg};
    op->q = rqi_redis_queue(r, query->queue != NULL ? query->queue : "", &err);
    if (op->q != NULL && limit > LIST_MAX) {
        (void)rqi_fail(&err, REFQ_ERR_LIMIT, "a list holds at most %d tasks", LIST_MAX);
        op->q = NULL;
    }
    if (op->q == NULL) {
        rqi_redis_fail_later(r, &err, on_list_refused, op);
        return;
    }
    (void)snprintf(op->queue, sizeof op->queue, "%s", query->queue);
    rqi_fcall_begin(&r->cmd, &op->q->keys, RQI_FN("list"));
    rqi_cmd_adds(&r->cmd, query->status >= 0 ? refq_status_name((refq_status)query->status) : "");
    rqi_cmd_addi(&r->cmd, limit);
    rqi_fcall_send(r->conn, &r->cmd, RQI_REPEAT, on_ids, op);
}
