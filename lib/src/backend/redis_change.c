/* SPDX-License-Identifier: MIT */
/* Changes that a caller makes to one task besides submitting it: retry, answer, detach, hand_out.
 * (Cancel is in redis_read.c, beside the reading it ends with.) */
#include "backend/redis.h"

#include "base/error.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX   ((size_t)64 * 1024)
#define ANSWER_DEPTH 64

struct change {
    rqi_redis *r;
    refq_ref ref;
    refq_task_cb cb;
    void *arg;
};

static void end(struct change *c, const refq_error *err)
{
    c->cb(c->arg, err, NULL);
    free(c);
}

static void refuse(void *arg, const refq_error *err, refq_task *task)
{
    (void)task;
    end(arg, err);
}

/* NULL when there is no memory (the caller was told) or, with *ret_q NULL, when the queue's name is
 * bad (the caller will be told). */
static struct change *begin(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg,
                            rqi_queue **ret_q)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err;
    struct change *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL);
        return NULL;
    }
    *c = (struct change){.r = r, .ref = *ref, .cb = cb, .arg = arg};
    *ret_q = rqi_redis_queue(r, ref->queue, &err);
    if (*ret_q == NULL) {
        rqi_redis_fail_later(r, &err, refuse, c);
        return NULL;
    }
    return c;
}

/* Ends with the record as it now is, read on the same connection. */
static void end_with_record(struct change *c)
{
    struct change done = *c;
    free(c);
    rqi_redis_get_status(&done.r->pub, &done.ref, done.cb, done.arg);
}

/* --- Retry ------------------------------------------------------------------------------------ */

static const struct {
    const char *how;
    refq_err code;
    const char *why;
} retry_refusals[] = {
    {"none", REFQ_ERR_NOTFOUND, "does not exist (its record may have expired)"},
    {"live", REFQ_ERR_CONFLICT, "is not over: there is nothing to run again"},
    {"complete", REFQ_ERR_CONFLICT, "is complete: read its result, or submit a new task"},
    {"gone", REFQ_ERR_CONFLICT, "has lost its arguments, they have expired: submit it anew"},
};

static void on_retried(void *arg, const refq_error *err, const redisReply *reply)
{
    struct change *c = arg;
    refq_error bad;
    char ref[REFQ_REF_MAX + 1];
    if (err != NULL) {
        end(c, err);
        return;
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    const char *how = rqi_next_str(&cur);
    const char *hex = rqi_next_str(&cur);
    for (size_t i = 0; i < sizeof retry_refusals / sizeof retry_refusals[0]; i++) {
        if (strcmp(retry_refusals[i].how, how) == 0) {
            (void)rqi_fail(&bad, retry_refusals[i].code, "task %s %s",
                           refq_ref_format(&c->ref, ref), retry_refusals[i].why);
            end(c, &bad);
            return;
        }
    }
    if (cur.bad || strlen(hex) != REFQ_HEX_LEN) {
        (void)rqi_reply_unexpected(&bad, "retry");
        end(c, &bad);
        return;
    }
    memcpy(c->ref.hex, hex, REFQ_HEX_LEN);
    end_with_record(c);
}

void rqi_redis_retry(refq_backend *b, const refq_ref *ref, const refq_ref *as, refq_task_cb cb,
                     void *arg)
{
    rqi_queue *q = NULL;
    refq_error err;
    struct change *c = begin(b, ref, cb, arg, &q);
    if (c == NULL) {
        return;
    }
    if (strcmp(ref->queue, as->queue) != 0 || strlen(as->hex) != REFQ_HEX_LEN) {
        (void)rqi_fail(&err, REFQ_ERR_INVALID,
                       "the new reference must be of the same queue, made by refq_ref_make()");
        rqi_redis_fail_later(c->r, &err, refuse, c);
        return;
    }
    rqi_fcall_begin(&c->r->cmd, &q->keys, RQI_FN("retry"));
    rqi_cmd_adds(&c->r->cmd, ref->hex);
    rqi_cmd_adds(&c->r->cmd, as->hex);
    rqi_fcall_send(c->r->conn, &c->r->cmd, RQI_REPEAT, on_retried, c);
}

/* --- Detach and hand out ---------------------------------------------------------------------- */

/* What the function made of it, the record says. */
static void on_changed(void *arg, const refq_error *err, const redisReply *reply)
{
    struct change *c = arg;
    (void)reply;
    if (err != NULL) {
        end(c, err);
        return;
    }
    end_with_record(c);
}

void rqi_redis_detach(refq_backend *b, const refq_ref *ref, const refq_ref *caller, refq_task_cb cb,
                      void *arg)
{
    rqi_queue *q = NULL;
    struct change *c = begin(b, ref, cb, arg, &q);
    if (c == NULL) {
        return;
    }
    rqi_fcall_begin(&c->r->cmd, &q->keys, RQI_FN("detach"));
    rqi_cmd_adds(&c->r->cmd, ref->hex);
    rqi_cmd_adds(&c->r->cmd, caller->hex);
    rqi_cmd_addi(&c->r->cmd, RQI_RECORD_TTL_MS);
    rqi_fcall_send(c->r->conn, &c->r->cmd, RQI_REPEAT, on_changed, c);
}

void rqi_redis_hand_out(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    rqi_queue *q = NULL;
    struct change *c = begin(b, ref, cb, arg, &q);
    if (c == NULL) {
        return;
    }
    rqi_fcall_begin(&c->r->cmd, &q->keys, RQI_FN("hand_out"));
    rqi_cmd_adds(&c->r->cmd, ref->hex);
    rqi_fcall_send(c->r->conn, &c->r->cmd, RQI_REPEAT, on_changed, c);
}

/* --- Answer ----------------------------------------------------------------------------------- */

static void on_answered(void *arg, const refq_error *err, const redisReply *reply)
{
    struct change *c = arg;
    refq_error bad;
    char ref[REFQ_REF_MAX + 1];
    if (err != NULL) {
        end(c, err);
        return;
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    const char *how = rqi_next_str(&cur);
    const char *status = rqi_next_str(&cur);
    if (strcmp(how, "ok") == 0) {
        end_with_record(c);
        return;
    }
    if (strcmp(how, "none") == 0) {
        (void)rqi_fail(&bad, REFQ_ERR_NOTFOUND, "there is no task %s",
                       refq_ref_format(&c->ref, ref));
    } else {
        (void)rqi_fail(&bad, REFQ_ERR_CONFLICT, "task %s (%s) asks nothing now",
                       refq_ref_format(&c->ref, ref), status);
    }
    end(c, &bad);
}

static refq_err check_answer(const char *json, refq_error *err)
{
    json_t *value = NULL;
    refq_error why;
    refq_err rc = rqi_json_load_any(json, strlen(json), ANSWER_MAX, ANSWER_DEPTH, &value, &why);
    if (rc != REFQ_OK) {
        return rqi_fail(err, rc, "the answer is no JSON value: %s", why.text);
    }
    json_decref(value);
    return REFQ_OK;
}

void rqi_redis_answer(refq_backend *b, const refq_ref *ref, const char *json, refq_task_cb cb,
                      void *arg)
{
    rqi_queue *q = NULL;
    refq_error err;
    struct change *c = begin(b, ref, cb, arg, &q);
    if (c == NULL) {
        return;
    }
    if (check_answer(json, &err) != REFQ_OK) {
        rqi_redis_fail_later(c->r, &err, refuse, c);
        return;
    }
    rqi_fcall_begin(&c->r->cmd, &q->keys, RQI_FN("answer"));
    rqi_cmd_adds(&c->r->cmd, ref->hex);
    rqi_cmd_adds(&c->r->cmd, json);
    rqi_fcall_send(c->r->conn, &c->r->cmd, RQI_ONCE, on_answered, c);
}
