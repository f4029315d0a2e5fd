/* SPDX-License-Identifier: MIT */
/* How the end of an attempt is told to Redis: the reports of finish.lua. */
#include "work/worker.h"

#include "base/backoff.h"
#include "entry/compose.h"

#include <string.h>

#define INLINE_RESULT ((size_t)64 * 1024) /* larger results are staged */
#define STAGED_TTL_MS 600000
#define LOST_MS       1000 /* before a task whose end nobody saw is offered again */

typedef enum report_op {
    OP_OK,
    OP_FAIL,
    OP_CRASH,
    OP_RELEASE,
    OP_UNKNOWN,
    OP_PARK,
    OP_ENDED
} report_op;

/* What an attempt's end means. A handler that finished its work in spite of being told to stop has
 * finished it. */
static report_op op_of(const rqi_attempt *a)
{
    if (a->run.stop == RQI_STOP_CANCELLED || a->run.stop == RQI_STOP_FENCED) {
        return OP_ENDED;
    }
    if (a->phantom) {
        return OP_RELEASE;
    }
    if (a->run.handler == NULL) {
        return OP_UNKNOWN;
    }
    if (a->after.len > 0) {
        return OP_PARK;
    }
    if (a->run.outcome.kind == RQI_DONE) {
        return OP_OK;
    }
    if (a->run.stop == RQI_STOP_DRAIN || a->run.outcome.kind == RQI_CANCELLED ||
        a->run.outcome.lost) {
        return OP_RELEASE;
    }
    return a->run.outcome.kind == RQI_CRASHED ? OP_CRASH : OP_FAIL;
}

static rqi_cmd *cmd_of(const rqi_attempt *a)
{
    return &a->line->worker->cmd;
}

static void compose_entry(const rqi_attempt *a, rqi_buf *out)
{
    rqi_entry entry = {
        .value = rqi_buf_bytes(&a->run.outcome.value),
        .tool_name = a->run.task,
        .scope = &a->scope.pub,
        .created_at_ms = rqi_worker_server_ms(a->line->worker),
        .ttl_ms = a->run.handler->def.result_ttl_ms,
        .by_task = true,
    };
    rqi_entry_compose(&entry, out);
}

static void compose_history(const rqi_attempt *a, const char *class, rqi_buf *out)
{
    rqi_outcome_history(&a->run.outcome, a->run.number, rqi_worker_server_ms(a->line->worker),
                        class, a->line->id, out);
}

/* In a buffer, as it has to last until the call is composed. */
static void compose_short(const char *error, rqi_buf *out)
{
    char text[RQI_ERROR_SHORT + 1];
    rqi_outcome_short(error, text);
    rqi_buf_adds(out, text);
}

static void add_fail(rqi_attempt *a, rqi_buf scratch[2])
{
    rqi_cmd *cmd = cmd_of(a);
    const refq_task_def *def = &a->run.handler->def;
    bool permanent = a->run.outcome.kind == RQI_PERMANENT;
    int64_t delay = a->run.outcome.retry_after_ms >= 0
                        ? a->run.outcome.retry_after_ms
                        : rqi_backoff_delay(&def->backoff, a->failures);
    compose_history(a, permanent ? "permanent" : "retryable", &scratch[0]);
    compose_short(a->run.outcome.error, &scratch[1]);
    rqi_cmd_adds(cmd, "fail");
    rqi_cmd_adds(cmd, permanent ? "permanent" : "retryable");
    rqi_cmd_addi(cmd, delay);
    rqi_cmd_addi(cmd, def->max_retries == REFQ_NO_RETRIES ? 0 : def->max_retries);
    rqi_cmd_add(cmd, scratch[0].ptr, scratch[0].len);
    rqi_cmd_add(cmd, scratch[1].ptr, scratch[1].len);
}

static void add_ok(rqi_attempt *a, rqi_buf scratch[2])
{
    rqi_cmd *cmd = cmd_of(a);
    if (!a->staged) {
        compose_entry(a, &scratch[0]);
    }
    if (scratch[0].err != REFQ_OK) {
        rqi_run_fail(&a->run, RQI_RETRYABLE, "no memory for a result of %zu bytes",
                     a->run.outcome.value.len);
        rqi_buf_clear(&scratch[0]);
        add_fail(a, scratch);
        return;
    }
    rqi_cmd_adds(cmd, "ok");
    rqi_cmd_addi(cmd, a->run.handler->def.result_ttl_ms + RQI_ENTRY_SLACK_MS);
    rqi_cmd_adds(cmd, a->staged ? "1" : "0");
    rqi_cmd_add(cmd, scratch[0].ptr, scratch[0].len);
    if (a->run.outcome.log_tail.len > 0) {
        compose_history(a, "done", &scratch[1]);
    }
    rqi_cmd_add(cmd, scratch[1].ptr, scratch[1].len);
}

static void add_crash(rqi_attempt *a, rqi_buf scratch[2])
{
    rqi_cmd *cmd = cmd_of(a);
    compose_history(a, "crash", &scratch[0]);
    compose_short(a->run.outcome.error, &scratch[1]);
    rqi_cmd_adds(cmd, "crash");
    rqi_cmd_add(cmd, scratch[0].ptr, scratch[0].len);
    rqi_cmd_add(cmd, scratch[1].ptr, scratch[1].len);
    rqi_cmd_addi(cmd, rqi_backoff_delay(&a->run.handler->def.backoff, a->crashes));
}

static void add_release(rqi_attempt *a, rqi_buf scratch[2])
{
    (void)scratch;
    rqi_cmd_adds(cmd_of(a), "release");
    rqi_cmd_addi(cmd_of(a), a->run.outcome.lost ? LOST_MS : 0);
}

static void add_unknown(rqi_attempt *a, rqi_buf scratch[2])
{
    (void)scratch;
    rqi_cmd_adds(cmd_of(a), "unknown");
    rqi_cmd_addi(cmd_of(a), rqi_unknown_delay(&a->line->unknown, a->run.task));
    rqi_cmd_addi(cmd_of(a), a->line->worker->o.unknown_grace_ms);
}

static void add_park(rqi_attempt *a, rqi_buf scratch[2])
{
    (void)scratch;
    rqi_cmd_adds(cmd_of(a), "park");
    rqi_cmd_adds(cmd_of(a), rqi_buf_str(&a->after));
}

static void add_ended(rqi_attempt *a, rqi_buf scratch[2])
{
    (void)scratch;
    rqi_cmd_adds(cmd_of(a), "ended");
}

static void (*const add_op[])(rqi_attempt *a, rqi_buf scratch[2]) = {
    [OP_OK] = add_ok,           [OP_FAIL] = add_fail,       [OP_CRASH] = add_crash,
    [OP_RELEASE] = add_release, [OP_UNKNOWN] = add_unknown, [OP_PARK] = add_park,
    [OP_ENDED] = add_ended};

void rqi_report_add(rqi_attempt *a, rqi_buf scratch[2])
{
    rqi_cmd_adds(cmd_of(a), a->run.ref.hex);
    rqi_cmd_adds(cmd_of(a), a->run.fence);
    add_op[op_of(a)](a, scratch);
}

/* A full server refuses the SET; then `finish` answers that nothing is staged, and the result goes
 * inline, which is allowed at any time. */
static void on_staged(void *arg, const refq_error *err, const redisReply *reply)
{
    (void)arg;
    (void)err;
    (void)reply;
}

void rqi_report_stage(rqi_attempt *a)
{
    refq_worker *w = a->line->worker;
    rqi_buf text = {0};
    rqi_key key;
    if (op_of(a) != OP_OK || a->staged_failed || a->run.outcome.value.len <= INLINE_RESULT) {
        a->staged = false;
        return;
    }
    compose_entry(a, &text);
    if (text.err == REFQ_OK) {
        rqi_cmd_clear(&w->cmd);
        rqi_cmd_adds(&w->cmd, "SET");
        rqi_cmd_adds(&w->cmd, rqi_key_staged(&a->line->keys, key, a->run.ref.hex, a->run.fence));
        rqi_cmd_add(&w->cmd, text.ptr, text.len);
        rqi_cmd_adds(&w->cmd, "PX");
        rqi_cmd_addi(&w->cmd, STAGED_TTL_MS);
        rqi_conn_send(w->conn, &w->cmd, 0, on_staged, NULL);
        a->staged = true;
    }
    rqi_buf_done(&text);
}
