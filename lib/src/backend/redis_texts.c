/* SPDX-License-Identifier: MIT */
/* Reading texts: the names of queues, a task's history, its arguments. */
#include "backend/redis.h"

#include "base/error.h"
#include "codec/args.h"
#include "task/record.h"

#include <stdlib.h>
#include <string.h>

struct texts_op {
    rqi_redis *r;
    rqi_queue *q;
    refq_ref ref;
    refq_texts_cb cb;
    void *arg;
};

static struct texts_op *op_new(refq_backend *b, refq_texts_cb cb, void *arg)
{
    refq_error err;
    struct texts_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL, 0);
        return NULL;
    }
    *op = (struct texts_op){.r = (rqi_redis *)b, .cb = cb, .arg = arg};
    return op;
}

static void end(struct texts_op *op, const refq_error *err, const refq_bytes *texts, size_t n)
{
    op->cb(op->arg, err, texts, err == NULL ? n : 0);
    free(op);
}

static void end_with(struct texts_op *op, refq_err code, const char *text)
{
    refq_error err;
    (void)rqi_fail(&err, code, "%s", text);
    end(op, &err, NULL, 0);
}

static void refuse(void *arg, const refq_error *err, refq_task *task)
{
    (void)task;
    end(arg, err, NULL, 0);
}

/* The strings of an array; *ret_n of them. NULL when there is no memory. */
static refq_bytes *strings_of(const redisReply *reply, size_t *ret_n)
{
    rqi_cursor cur = rqi_cursor_of(reply);
    size_t n = cur.bad ? 0 : reply->elements;
    refq_bytes *texts = calloc(n + 1, sizeof *texts);
    for (size_t i = 0; texts != NULL && i < n; i++) {
        texts[i] = rqi_next_bytes(&cur);
    }
    *ret_n = n;
    return texts;
}

/* --- Queues ----------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(((const refq_bytes *)a)->ptr, ((const refq_bytes *)b)->ptr);
}

/* Names that are no queue's (written by somebody else) are passed over. */
static size_t keep_names(refq_bytes *texts, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (refq_queue_check(texts[i].ptr, NULL) == REFQ_OK) {
            texts[kept++] = texts[i];
        }
    }
    qsort(texts, kept, sizeof *texts, by_text);
    return kept;
}

/* The texts of a reply; NULL, and the operation has ended, when there are none. */
static refq_bytes *take_strings(struct texts_op *op, const refq_error *err, const redisReply *reply,
                                size_t *ret_n)
{
    if (err != NULL) {
        end(op, err, NULL, 0);
        return NULL;
    }
    refq_bytes *texts = strings_of(reply, ret_n);
    if (texts == NULL) {
        end_with(op, REFQ_ERR_NOMEM, "out of memory");
    }
    return texts;
}

static void on_queues(void *arg, const refq_error *err, const redisReply *reply)
{
    size_t n = 0;
    refq_bytes *texts = take_strings(arg, err, reply, &n);
    if (texts == NULL) {
        return;
    }
    n = keep_names(texts, n);
    end(arg, NULL, texts, n);
    free(texts);
}

void rqi_redis_queues(refq_backend *b, refq_texts_cb cb, void *arg)
{
    rqi_key key;
    struct texts_op *op = op_new(b, cb, arg);
    if (op == NULL) {
        return;
    }
    rqi_cmd_clear(&op->r->cmd);
    rqi_cmd_adds(&op->r->cmd, "SMEMBERS");
    rqi_cmd_adds(&op->r->cmd, rqi_key_queues(op->r->prefix, key));
    rqi_conn_send(op->r->conn, &op->r->cmd, 0, on_queues, op);
}

/* --- One task: the record comes first, so that a missing task is told from a missing text ------
 */

static void ask_with_record(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg,
                            refq_task_cb next)
{
    refq_error err;
    struct texts_op *op = op_new(b, cb, arg);
    if (op == NULL) {
        return;
    }
    op->ref = *ref;
    op->q = rqi_redis_queue(op->r, ref->queue, &err);
    if (op->q == NULL) {
        rqi_redis_fail_later(op->r, &err, refuse, op);
        return;
    }
    rqi_redis_get_status(b, ref, next, op);
}

static void send_for(struct texts_op *op, const char *command, const char *kind, bool all,
                     rqi_reply_cb cb)
{
    rqi_key key;
    rqi_cmd_clear(&op->r->cmd);
    rqi_cmd_adds(&op->r->cmd, command);
    rqi_cmd_adds(&op->r->cmd, rqi_key_of(&op->q->keys, key, kind, op->ref.hex));
    if (all) {
        rqi_cmd_adds(&op->r->cmd, "0");
        rqi_cmd_adds(&op->r->cmd, "-1");
    }
    rqi_conn_send(op->r->conn, &op->r->cmd, 0, cb, op);
}

/* --- History ---------------------------------------------------------------------------------- */

static void on_history(void *arg, const refq_error *err, const redisReply *reply)
{
    size_t n = 0;
    refq_bytes *texts = take_strings(arg, err, reply, &n);
    if (texts == NULL) {
        return;
    }
    end(arg, NULL, texts, n);
    free(texts);
}

static void ask_history(void *arg, const refq_error *err, refq_task *task)
{
    struct texts_op *op = arg;
    refq_task_free(task);
    if (err != NULL) {
        end(op, err, NULL, 0);
        return;
    }
    send_for(op, "LRANGE", "history:", true, on_history);
}

void rqi_redis_history(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg)
{
    ask_with_record(b, ref, cb, arg, ask_history);
}

/* --- Arguments -------------------------------------------------------------------------------- */

static void end_decoded(struct texts_op *op, refq_bytes stored)
{
    refq_error err;
    rqi_buf json = {0};
    const char *bytes = stored.ptr;
    if (stored.len == 0 || bytes[0] != 'm') {
        end_with(op, REFQ_ERR_VERSION, "the arguments are of a format this version does not know");
        return;
    }
    refq_bytes packed = {.ptr = bytes + 1, .len = stored.len - 1};
    refq_err rc = rqi_args_decode(packed, &json, &err);
    refq_bytes text = {.ptr = rqi_buf_str(&json), .len = json.len};
    end(op, rc == REFQ_OK ? NULL : &err, &text, 1);
    rqi_buf_done(&json);
}

static void on_args(void *arg, const refq_error *err, const redisReply *reply)
{
    struct texts_op *op = arg;
    if (err != NULL) {
        end(op, err, NULL, 0);
    } else if (reply->type != REDIS_REPLY_STRING) {
        end_with(
            op, REFQ_ERR_NOTFOUND,
            "the arguments are gone: they are kept while the task may still run, or run again");
    } else {
        end_decoded(op, (refq_bytes){.ptr = reply->str, .len = (size_t)reply->len});
    }
}

static void ask_args(void *arg, const refq_error *err, refq_task *task)
{
    struct texts_op *op = arg;
    const char *stored = NULL;
    size_t len = 0;
    if (err != NULL) {
        end(op, err, NULL, 0);
        return;
    }
    if (rqi_record_bytes(task, "args", &stored, &len)) {
        end_decoded(op, (refq_bytes){.ptr = stored, .len = len});
        refq_task_free(task);
        return;
    }
    refq_task_free(task);
    send_for(op, "GET", "args:", false, on_args);
}

void rqi_redis_args(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg)
{
    ask_with_record(b, ref, cb, arg, ask_args);
}
