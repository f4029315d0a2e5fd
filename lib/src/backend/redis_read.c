/* SPDX-License-Identifier: MIT */
/* Reading records and results, cancelling. */
#include "backend/redis.h"

#include "base/error.h"
#include "task/record.h"

#include <stdlib.h>
#include <string.h>

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
