/* SPDX-License-Identifier: MIT */
/* What operators do with a queue: cleanup, numbers, control. */
#include "backend/redis.h"

#include "base/error.h"
#include "base/parse.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_STEP 128
#define CURSOR_MAX 64

/* --- Cleanup ---------------------------------------------------------------------------------- */

/* One step after the other, so that Redis is never busy for long. */
struct cleanup {
    rqi_redis *r;
    rqi_queue *q;
    refq_count_cb cb;
    void *arg;
    const char *index;
    int64_t older_than_ms;
    int status;
    char task[REFQ_NAME_MAX + 1];
    char only[REFQ_HEX_LEN + 1];
    char cursor[CURSOR_MAX];
    int64_t limit; /* 0 = none */
    int64_t removed;
};

static void end_cleanup(struct cleanup *c, const refq_error *err)
{
    c->cb(c->arg, err, c->removed);
    free(c);
}

static void sweep(struct cleanup *c);

static void on_swept(void *arg, const refq_error *err, const redisReply *reply)
{
    struct cleanup *c = arg;
    refq_error bad;
    if (err != NULL) {
        end_cleanup(c, err);
        return;
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    c->removed += rqi_next_int(&cur);
    (void)snprintf(c->cursor, sizeof c->cursor, "%s", rqi_next_str(&cur));
    if (cur.bad) {
        (void)rqi_reply_unexpected(&bad, "sweep");
        end_cleanup(c, &bad);
    } else if (c->cursor[0] == '\0' || (c->limit > 0 && c->removed >= c->limit)) {
        end_cleanup(c, NULL);
    } else {
        sweep(c);
    }
}

static void sweep(struct cleanup *c)
{
    rqi_cmd *cmd = &c->r->cmd;
    int64_t left = c->limit > 0 ? c->limit - c->removed : SWEEP_STEP;
    rqi_fcall_begin(cmd, &c->q->keys, RQI_FN("sweep"));
    rqi_cmd_adds(cmd, c->index);
    rqi_cmd_addi(cmd, c->older_than_ms);
    rqi_cmd_adds(cmd, c->status >= 0 ? refq_status_name((refq_status)c->status) : "");
    rqi_cmd_adds(cmd, c->task);
    rqi_cmd_addi(cmd, left < SWEEP_STEP ? left : SWEEP_STEP);
    rqi_cmd_adds(cmd, c->cursor);
    rqi_cmd_adds(cmd, c->q->keys.entry_prefix);
    rqi_cmd_adds(cmd, c->only);
    rqi_fcall_send(c->r->conn, cmd, RQI_REPEAT, on_swept, c);
}

static void refuse_cleanup(void *arg, const refq_error *err, refq_task *task)
{
    (void)task;
    end_cleanup(arg, err);
}

static refq_err check_cleanup(const refq_cleanup_query *query, refq_error *err)
{
    if (query->older_than_ms < 0 || query->older_than_ms > RQI_DURATION_MAX_MS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "the age must be 0 to 366 days");
    }
    if (query->status >= 0 && !refq_status_is_terminal((refq_status)query->status)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "only finished tasks are removed; cancel those that are %s first",
                        refq_status_name((refq_status)query->status));
    }
    if (query->only != NULL && strcmp(query->only->queue, query->queue) != 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the task is not of queue %s", query->queue);
    }
    return query->task != NULL ? refq_name_check(query->task, err) : REFQ_OK;
}

static void take_query(struct cleanup *c, const refq_cleanup_query *query)
{
    const char *one = query->dead ? "one-dead" : "one";
    c->index = query->only != NULL ? one : query->dead ? "dead" : "terminal";
    c->older_than_ms = query->older_than_ms;
    c->status = query->status;
    c->limit = query->limit;
    (void)snprintf(c->task, sizeof c->task, "%s", query->task != NULL ? query->task : "");
    (void)snprintf(c->only, sizeof c->only, "%s", query->only != NULL ? query->only->hex : "");
}

void rqi_redis_cleanup(refq_backend *b, const refq_cleanup_query *query, refq_count_cb cb,
                       void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err;
    struct cleanup *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, 0);
        return;
    }
    *c = (struct cleanup){.r = r, .cb = cb, .arg = arg};
    c->q = rqi_redis_queue(r, query->queue != NULL ? query->queue : "", &err);
    if (c->q == NULL || check_cleanup(query, &err) != REFQ_OK) {
        rqi_redis_fail_later(r, &err, refuse_cleanup, c);
        return;
    }
    take_query(c, query);
    sweep(c);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"pending", offsetof(refq_stats, pending)},
    {"ready", offsetof(refq_stats, ready)},
    {"delayed", offsetof(refq_stats, delayed)},
    {"held", offsetof(refq_stats, held)},
    {"processing", offsetof(refq_stats, processing)},
    {"dead", offsetof(refq_stats, dead)},
    {"complete", offsetof(refq_stats, complete)},
    {"failed", offsetof(refq_stats, failed)},
    {"cancelled", offsetof(refq_stats, cancelled)},
    {"retries", offsetof(refq_stats, retries)},
    {"deaths", offsetof(refq_stats, deaths)},
    {"releases", offsetof(refq_stats, releases)},
    {"workers", offsetof(refq_stats, workers)},
    {"idle", offsetof(refq_stats, idle)},
    {"oldest_ms", offsetof(refq_stats, oldest_ms)},
    {"max_pending", offsetof(refq_stats, max_pending)},
};

static void set_number(refq_stats *stats, const char *name, int64_t value)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            *(int64_t *)(void *)((char *)stats + numbers[i].offset) = value;
        }
    }
    if (strcmp(name, "paused") == 0) {
        stats->paused = value != 0;
    }
}

struct stats_op {
    refq_stats_cb cb;
    void *arg;
    refq_stats stats;
};

static void on_stats(void *arg, const refq_error *err, const redisReply *reply)
{
    struct stats_op *op = arg;
    refq_error bad;
    refq_stats *s = &op->stats;
    if (err == NULL) {
        rqi_cursor cur = rqi_cursor_of(reply);
        s->now_ms = rqi_next_int(&cur);
        while (rqi_cursor_more(&cur)) {
            const char *name = rqi_next_str(&cur);
            set_number(s, name, rqi_next_int(&cur));
        }
        /* Every task is in one of these. */
        s->submitted = s->pending + s->processing + s->complete + s->failed + s->cancelled;
        if (cur.bad) {
            (void)rqi_reply_unexpected(&bad, "stats");
            err = &bad;
        }
    }
    op->cb(op->arg, err, s);
    free(op);
}

static void refuse_stats(void *arg, const refq_error *err, refq_task *task)
{
    struct stats_op *op = arg;
    (void)task;
    op->cb(op->arg, err, NULL);
    free(op);
}

void rqi_redis_stats(refq_backend *b, const char *queue, refq_stats_cb cb, void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err;
    struct stats_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL);
        return;
    }
    *op = (struct stats_op){.cb = cb, .arg = arg, .stats = {.struct_size = sizeof op->stats}};
    rqi_queue *q = rqi_redis_queue(r, queue != NULL ? queue : "", &err);
    if (q == NULL) {
        rqi_redis_fail_later(r, &err, refuse_stats, op);
        return;
    }
    (void)snprintf(op->stats.queue, sizeof op->stats.queue, "%s", queue);
    rqi_fcall_begin(&r->cmd, &q->keys, RQI_FN("stats"));
    rqi_fcall_send(r->conn, &r->cmd, RQI_REPEAT, on_stats, op);
}

/* --- Control ---------------------------------------------------------------------------------- */

static const char *const actions[] = {
    [REFQ_PAUSE] = "pause",
    [REFQ_RESUME] = "resume",
    [REFQ_MAX_PENDING] = "max_pending",
    [REFQ_EVENTS_MAX] = "events_max",
    [REFQ_WORKER_QUIET] = "quiet",
    [REFQ_WORKER_RESUME] = "work",
    [REFQ_WORKER_DRAIN] = "drain",
};

#define VALUE_MAX 1000000000

struct control_op {
    refq_count_cb cb;
    void *arg;
    bool workers; /* it is for workers: none told is an error */
};

static void end_control(struct control_op *op, const refq_error *err, int64_t n)
{
    refq_error none;
    if (err == NULL && op->workers && n == 0) {
        (void)rqi_fail(&none, REFQ_ERR_NOTFOUND,
                       "no such worker in this queue; refq workers lists them");
        err = &none;
    }
    op->cb(op->arg, err, n);
    free(op);
}

static void on_controlled(void *arg, const refq_error *err, const redisReply *reply)
{
    refq_error bad;
    if (err == NULL && reply->type != REDIS_REPLY_INTEGER) {
        (void)rqi_reply_unexpected(&bad, "control");
        err = &bad;
    }
    end_control(arg, err, err == NULL ? reply->integer : 0);
}

static void refuse_control(void *arg, const refq_error *err, refq_task *task)
{
    (void)task;
    end_control(arg, err, 0);
}

static refq_err check_control(const refq_control *control, refq_error *err)
{
    if ((unsigned)control->action > REFQ_WORKER_DRAIN) {
        return rqi_fail(err, REFQ_ERR_INVALID, "no such action: %d", (int)control->action);
    }
    if (control->value < 0 || control->value > VALUE_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "the limit must be 0 to %d", VALUE_MAX);
    }
    const char *worker = control->worker != NULL ? control->worker : "";
    if (strspn(worker, "0123456789abcdef") != strlen(worker) || strlen(worker) > REFQ_HEX_LEN) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "a worker's id is made of hex digits; refq workers lists them");
    }
    return REFQ_OK;
}

void rqi_redis_control(refq_backend *b, const refq_control *control, refq_count_cb cb, void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err;
    struct control_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, 0);
        return;
    }
    *op = (struct control_op){cb, arg, control->action >= REFQ_WORKER_QUIET};
    rqi_queue *q = rqi_redis_queue(r, control->queue != NULL ? control->queue : "", &err);
    if (q == NULL || check_control(control, &err) != REFQ_OK) {
        rqi_redis_fail_later(r, &err, refuse_control, op);
        return;
    }
    rqi_fcall_begin(&r->cmd, &q->keys, RQI_FN("control"));
    rqi_cmd_adds(&r->cmd, actions[control->action]);
    rqi_cmd_addi(&r->cmd, control->value);
    rqi_cmd_adds(&r->cmd, control->worker != NULL ? control->worker : "");
    rqi_fcall_send(r->conn, &r->cmd, RQI_REPEAT, on_controlled, op);
}
