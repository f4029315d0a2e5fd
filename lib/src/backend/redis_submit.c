/* SPDX-License-Identifier: MIT */
/* Submitting: in chunks that the server takes in one bounded step each, one after the other. */
#include "backend/redis.h"

#include "base/error.h"
#include "task/submit.h"

#include <stdlib.h>
#include <string.h>

struct submit_op {
    rqi_redis *r;
    rqi_queue *q;
    refq_submit_cb cb;
    void *arg;
    size_t n;         /* tasks in all */
    size_t sent;      /* tasks in calls answered or under way */
    size_t answered;  /* tasks whose outcome is known */
    refq_spec *specs; /* owned; strings inside are owned by `texts` */
    rqi_args *args;   /* owned, n of them */
    char **texts;     /* owned: copies of the specs' strings */
    size_t texts_n;
    refq_submitted *done; /* owned, n of them */
};

static void op_free(struct submit_op *op)
{
    for (size_t i = 0; op->args != NULL && i < op->n; i++) {
        rqi_args_done(&op->args[i]);
    }
    for (size_t i = 0; i < op->texts_n; i++) {
        free(op->texts[i]);
    }
    free(op->texts);
    free(op->specs);
    free(op->args);
    free(op->done);
    free(op);
}

static void end(struct submit_op *op, const refq_error *err)
{
    op->cb(op->arg, err, err == NULL ? op->done : NULL, err == NULL ? op->n : 0);
    op_free(op);
}

static void send_chunk(struct submit_op *op);

static void on_submitted(void *arg, const refq_error *err, const redisReply *reply)
{
    struct submit_op *op = arg;
    refq_error bad;
    if (err != NULL) {
        end(op, err);
        return;
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    for (; op->answered < op->sent; op->answered++) {
        size_t i = op->answered;
        if (rqi_submit_read(&cur, &op->specs[i], &op->done[i], &bad) != REFQ_OK) {
            end(op, &bad);
            return;
        }
    }
    if (op->answered == op->n) {
        end(op, NULL);
    } else {
        send_chunk(op);
    }
}

/* How many of the tasks not yet sent go into the next call. */
static size_t chunk_size(const struct submit_op *op)
{
    size_t k = 0;
    size_t bytes = 0;
    while (op->sent + k < op->n && k < RQI_SUBMIT_MAX) {
        bytes += op->args[op->sent + k].stored.len;
        if (k > 0 && bytes > RQI_SUBMIT_BYTES) {
            break;
        }
        k++;
    }
    return k;
}

static void send_chunk(struct submit_op *op)
{
    rqi_cmd *cmd = &op->r->cmd;
    size_t k = chunk_size(op);
    rqi_fcall_begin(cmd, &op->q->keys, RQI_FN("submit"));
    rqi_cmd_addi(cmd, (int64_t)k);
    for (size_t i = op->sent; i < op->sent + k; i++) {
        rqi_submit_add(cmd, &op->specs[i], &op->args[i]);
    }
    op->sent += k;
    rqi_fcall_send(op->r->conn, cmd, RQI_REPEAT, on_submitted, op);
}

static void ignore_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    (void)arg;
    (void)err;
    (void)reply;
}

/* The set of queue names lives in a slot of its own, so the client writes it. */
static void announce(rqi_redis *r, rqi_queue *q, const char *name)
{
    rqi_key key;
    if (q->announced) {
        return;
    }
    q->announced = true;
    rqi_cmd_clear(&r->cmd);
    rqi_cmd_adds(&r->cmd, "SADD");
    rqi_cmd_adds(&r->cmd, rqi_key_queues(r->prefix, key));
    rqi_cmd_adds(&r->cmd, name);
    rqi_conn_send(r->conn, &r->cmd, 0, ignore_reply, NULL);
}

static const char *keep(struct submit_op *op, const char *text)
{
    char *copy = text != NULL ? strdup(text) : NULL;
    if (copy != NULL) {
        op->texts[op->texts_n++] = copy;
    }
    return copy;
}

static refq_err copy_spec(struct submit_op *op, size_t i, const refq_spec *spec, refq_error *err)
{
    if (strcmp(spec->ref.queue, op->specs[0].ref.queue) != 0 && i > 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "all tasks of one submit must be of one queue");
    }
    refq_err rc = rqi_submit_check(spec, &op->args[i], err);
    if (rc != REFQ_OK) {
        return rc;
    }
    op->specs[i] = *spec;
    op->specs[i].args = NULL;
    op->specs[i].scope = NULL; /* copied, with the arguments; so are call and after */
    op->specs[i].call = NULL;
    op->specs[i].after = NULL;
    op->specs[i].task = keep(op, spec->task);
    op->specs[i].key = keep(op, spec->key);
    op->specs[i].traceparent = keep(op, spec->traceparent);
    return op->specs[i].task != NULL ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
}

static refq_err prepare(struct submit_op *op, const refq_spec *specs, refq_error *err)
{
    op->specs = calloc(op->n, sizeof *op->specs);
    op->args = calloc(op->n, sizeof *op->args);
    op->done = calloc(op->n, sizeof *op->done);
    op->texts = calloc(op->n * 3, sizeof *op->texts);
    if (op->specs == NULL || op->args == NULL || op->done == NULL || op->texts == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for %zu tasks", op->n);
    }
    for (size_t i = 0; i < op->n; i++) {
        refq_err rc = copy_spec(op, i, &specs[i], err);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    op->q = rqi_redis_queue(op->r, specs[0].ref.queue, err);
    return op->q != NULL ? REFQ_OK : err->code;
}

static void on_refused(void *arg, const refq_error *err, refq_task *task)
{
    (void)task;
    end(arg, err);
}

void rqi_redis_submit(refq_backend *b, const refq_spec *specs, size_t n, refq_submit_cb cb,
                      void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err = {0};
    struct submit_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL, 0);
        return;
    }
    *op = (struct submit_op){.r = r, .cb = cb, .arg = arg, .n = n};
    refq_err rc =
        n == 0 ? rqi_fail(&err, REFQ_ERR_INVALID, "nothing to submit") : prepare(op, specs, &err);
    if (rc != REFQ_OK) {
        rqi_redis_fail_later(r, &err, on_refused, op);
        return;
    }
    announce(r, op->q, specs[0].ref.queue);
    send_chunk(op);
}
