/* SPDX-License-Identifier: MIT */
/* How the end of an attempt is told to Redis: the reports of finish.lua. */
#include "work/worker.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "cache/entry.h"

#include <string.h>

#define LOST_MS     1000 /* before a task whose end nobody saw is offered again */
#define SHORT_ERROR 64   /* bytes that keep the record's compact encoding */

typedef enum report_op { OP_OK, OP_FAIL, OP_RELEASE, OP_ENDED } report_op;

/* What an attempt's end means. A handler that finished its work in spite of being told to stop has
 * finished it. */
static report_op op_of(const rqi_attempt *a)
{
    if (a->stop == RQI_STOP_CANCELLED || a->stop == RQI_STOP_FENCED) {
        return OP_ENDED;
    }
    if (a->phantom || a->handler == NULL) {
        return OP_RELEASE;
    }
    if (a->outcome.kind == RQI_DONE) {
        return OP_OK;
    }
    if (a->stop == RQI_STOP_DRAIN || a->outcome.kind == RQI_CANCELLED || a->outcome.lost) {
        return OP_RELEASE;
    }
    return OP_FAIL;
}

static void compose_entry(refq_worker *w, const rqi_attempt *a, rqi_buf *out)
{
    rqi_entry entry = {
        .value = rqi_buf_bytes(&a->outcome.value),
        .tool_name = a->task,
        .created_at_ms = rqi_worker_server_ms(w),
        .ttl_ms = a->handler->def.result_ttl_ms,
    };
    rqi_entry_compose(&entry, out);
}

/* One entry of the task's history, for people and programs. */
static void compose_history(refq_worker *w, const rqi_attempt *a, bool permanent, rqi_buf *out)
{
    const rqi_outcome *o = &a->outcome;
    rqi_buf_addf(
        out, "{\"attempt\":%u,\"at\":%lld,\"class\":\"%s\",\"worker\":\"%s\",\"error\":", a->number,
        (long long)rqi_worker_server_ms(w), permanent ? "permanent" : "retryable", w->id);
    rqi_buf_add_json(out, o->error, strlen(o->error));
    if (o->log_tail.len > 0) {
        rqi_buf_adds(out, ",\"stderr\":");
        rqi_buf_add_json(out, o->log_tail.ptr, o->log_tail.len);
    }
    rqi_buf_addc(out, '}');
}

static void compose_short(const char *error, rqi_buf *out)
{
    size_t len = strlen(error);
    size_t cut = rqi_utf8_cut(error, len, SHORT_ERROR);
    if (cut < len) {
        cut = rqi_utf8_cut(error, len, SHORT_ERROR - 3);
    }
    rqi_buf_add(out, error, cut);
    if (cut < len) {
        rqi_buf_adds(out, "...");
    }
    for (char *p = out->ptr; p != NULL && *p != '\0'; p++) {
        *p = (unsigned char)*p < ' ' ? ' ' : *p;
    }
}

static void add_fail(refq_worker *w, rqi_attempt *a, rqi_buf scratch[2])
{
    rqi_cmd *cmd = &w->cmd;
    const refq_task_def *def = &a->handler->def;
    bool permanent = a->outcome.kind == RQI_PERMANENT && a->stop != RQI_STOP_TIMEOUT;
    if (a->stop == RQI_STOP_TIMEOUT) {
        rqi_attempt_fail(a, RQI_RETRYABLE, "timed out after %lld ms", (long long)a->timeout_ms);
    }
    int64_t delay = a->outcome.retry_after_ms >= 0 ? a->outcome.retry_after_ms
                                                   : rqi_backoff_delay(&def->backoff, a->failures);
    compose_history(w, a, permanent, &scratch[0]);
    compose_short(a->outcome.error, &scratch[1]);
    rqi_cmd_adds(cmd, "fail");
    rqi_cmd_adds(cmd, permanent ? "permanent" : "retryable");
    rqi_cmd_addi(cmd, delay);
    rqi_cmd_addi(cmd, def->max_retries == REFQ_NO_RETRIES ? 0 : def->max_retries);
    rqi_cmd_add(cmd, scratch[0].ptr, scratch[0].len);
    rqi_cmd_add(cmd, scratch[1].ptr, scratch[1].len);
}

static void add_ok(refq_worker *w, rqi_attempt *a, rqi_buf scratch[2])
{
    rqi_cmd *cmd = &w->cmd;
    if (!a->staged) {
        compose_entry(w, a, &scratch[0]);
    }
    if (scratch[0].err != REFQ_OK) {
        rqi_attempt_fail(a, RQI_RETRYABLE, "no memory for a result of %zu bytes",
                         a->outcome.value.len);
        rqi_buf_clear(&scratch[0]);
        add_fail(w, a, scratch);
        return;
    }
    rqi_cmd_adds(cmd, "ok");
    rqi_cmd_addi(cmd, a->handler->def.result_ttl_ms + RQI_ENTRY_SLACK_MS);
    rqi_cmd_adds(cmd, a->staged ? "1" : "0");
    rqi_cmd_add(cmd, scratch[0].ptr, scratch[0].len);
}

static void add_release(refq_worker *w, rqi_attempt *a, rqi_buf scratch[2])
{
    (void)scratch;
    bool unknown = a->handler == NULL && !a->phantom;
    rqi_cmd_adds(&w->cmd, "release");
    rqi_cmd_addi(&w->cmd, unknown ? RQI_UNKNOWN_MS : a->outcome.lost ? LOST_MS : 0);
}

static void add_ended(refq_worker *w, rqi_attempt *a, rqi_buf scratch[2])
{
    (void)a;
    (void)scratch;
    rqi_cmd_adds(&w->cmd, "ended");
}

static void (*const add_op[])(refq_worker *w, rqi_attempt *a, rqi_buf scratch[2]) = {
    [OP_OK] = add_ok, [OP_FAIL] = add_fail, [OP_RELEASE] = add_release, [OP_ENDED] = add_ended};

void rqi_report_add(refq_worker *w, rqi_attempt *a, rqi_buf scratch[2])
{
    rqi_cmd_adds(&w->cmd, a->ref.hex);
    rqi_cmd_adds(&w->cmd, a->entry);
    add_op[op_of(a)](w, a, scratch);
}

void rqi_report_progress(refq_worker *w, rqi_attempt *a, rqi_buf scratch[1])
{
    rqi_cmd_adds(&w->cmd, a->ref.hex);
    rqi_cmd_adds(&w->cmd, a->entry);
    rqi_cmd_adds(&w->cmd, "progress");
    pthread_mutex_lock(&w->lock);
    rqi_buf_addf(scratch, "%lld/%lld", (long long)a->current, (long long)a->total);
    size_t message = scratch->len;
    rqi_buf_adds(scratch, a->message);
    a->progress_dirty = false;
    pthread_mutex_unlock(&w->lock);
    a->progress_sent_ms = rqi_mono_ms();
    rqi_cmd_add(&w->cmd, scratch->ptr, message);
    rqi_cmd_add(&w->cmd, scratch->ptr + message, scratch->len - message);
}

/* A full server refuses the SET; then `finish` answers that nothing is staged, and the result goes
 * inline, which is allowed at any time. */
static void on_staged(void *arg, const refq_error *err, const redisReply *reply)
{
    (void)arg;
    (void)err;
    (void)reply;
}

void rqi_report_stage(refq_worker *w, rqi_attempt *a)
{
    rqi_buf text = {0};
    rqi_key key;
    if (op_of(a) != OP_OK || a->staged_failed || a->outcome.value.len <= RQI_INLINE_RESULT) {
        a->staged = false;
        return;
    }
    compose_entry(w, a, &text);
    if (text.err == REFQ_OK) {
        rqi_cmd_clear(&w->cmd);
        rqi_cmd_adds(&w->cmd, "SET");
        rqi_cmd_adds(&w->cmd, rqi_key_staged(&w->keys, key, a->ref.hex, a->entry));
        rqi_cmd_add(&w->cmd, text.ptr, text.len);
        rqi_cmd_adds(&w->cmd, "PX");
        rqi_cmd_addi(&w->cmd, RQI_STAGED_TTL_MS);
        rqi_conn_send(w->conn, &w->cmd, 0, on_staged, NULL);
        a->staged = true;
    }
    rqi_buf_done(&text);
}
