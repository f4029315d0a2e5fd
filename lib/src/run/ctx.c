/* SPDX-License-Identifier: MIT */
#include "run/ctx.h"

#include "base/error.h"
#include "base/log.h"
#include "codec/args.h"
#include "codec/json.h"
#include "run/executor.h"
#include "run/resolved.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RESULT_MAX     ((size_t)200 << 20)
#define RESULT_DEPTH   512
#define QUESTION_DEPTH 32
#define LOG_MAX        800 /* of the 1024 bytes of a line */

/* The public type is opaque; it is the run itself. */
struct refq_ctx {
    rqi_run run;
};

static rqi_run *run_of(const refq_ctx *ctx)
{
    return (rqi_run *)&ctx->run;
}

const char *refq_ctx_args_json(refq_ctx *ctx)
{
    rqi_run *run = run_of(ctx);
    if (run->json.len == 0 && run->args.len > 0) {
        refq_bytes packed = refq_ctx_args_msgpack(ctx);
        if (rqi_args_decode(packed, &run->json, NULL) != REFQ_OK) {
            rqi_buf_clear(&run->json);
            rqi_buf_adds(&run->json, "{}");
        }
    }
    return rqi_buf_str(&run->json);
}

refq_bytes refq_ctx_args_msgpack(const refq_ctx *ctx)
{
    rqi_run *run = run_of(ctx);
    if (run->args.len == 0) {
        rqi_run_pack_resolved(run);
    }
    if (run->args.len == 0) {
        return (refq_bytes){.ptr = "", .len = 0};
    }
    return (refq_bytes){.ptr = run->args.ptr + 1, .len = run->args.len - 1};
}

const refq_ref *refq_ctx_ref(const refq_ctx *ctx)
{
    return &run_of(ctx)->ref;
}

unsigned refq_ctx_attempt(const refq_ctx *ctx)
{
    return run_of(ctx)->number;
}

const char *refq_ctx_fence(const refq_ctx *ctx)
{
    return run_of(ctx)->fence;
}

refq_err refq_ctx_return_json(refq_ctx *ctx, const char *json)
{
    rqi_run *run = run_of(ctx);
    refq_error err;
    size_t len = strlen(json);
    json_t *value = NULL;
    refq_err rc = rqi_json_load_any(json, len, RESULT_MAX, RESULT_DEPTH, &value, &err);
    if (rc != REFQ_OK) {
        return refq_ctx_fail(ctx, REFQ_ERR_INVALID, "the handler returned no JSON: %s", err.text);
    }
    json_decref(value);
    rqi_buf_clear(&run->outcome.value);
    rqi_buf_add(&run->outcome.value, json, len);
    return run->outcome.value.err;
}

refq_err refq_ctx_fail(refq_ctx *ctx, refq_err code, const char *fmt, ...)
{
    rqi_run *run = run_of(ctx);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(run->outcome.error, sizeof run->outcome.error, fmt, ap);
    va_end(ap);
    return code;
}

void refq_ctx_retry_after(refq_ctx *ctx, int64_t ms)
{
    run_of(ctx)->outcome.retry_after_ms = ms > 0 ? ms : 0;
}

bool refq_ctx_progress(refq_ctx *ctx, int64_t current, int64_t total, const char *message)
{
    rqi_run *run = run_of(ctx);
    if (current >= 0 && total >= 0) {
        rqi_run_progress(run, current, total, message);
    }
    return !refq_ctx_is_cancelled(ctx);
}

bool refq_ctx_is_cancelled(const refq_ctx *ctx)
{
    return atomic_load(&run_of(ctx)->stopping);
}

int refq_ctx_cancel_fd(refq_ctx *ctx)
{
    return rqi_run_cancel_fd(run_of(ctx));
}

int64_t refq_ctx_deadline_ms(const refq_ctx *ctx)
{
    return run_of(ctx)->deadline_ms;
}

/* Reads the question and brings it into the form that owners are told. */
static refq_err read_question(refq_ctx *ctx, const char *json, rqi_buf *ret)
{
    refq_error err;
    json_t *body = NULL;
    size_t len = strlen(json);
    if (len > RQI_ASK_MAX) {
        return refq_ctx_fail(ctx, REFQ_ERR_LIMIT, "a question has at most %zu bytes", RQI_ASK_MAX);
    }
    if (rqi_json_load_any(json, len, RQI_ASK_MAX, QUESTION_DEPTH, &body, &err) != REFQ_OK) {
        return refq_ctx_fail(ctx, REFQ_ERR_INVALID, "the question is no JSON: %s", err.text);
    }
    const char *why = rqi_ask_read(body, ret);
    json_decref(body);
    return why == NULL ? REFQ_OK : refq_ctx_fail(ctx, REFQ_ERR_INVALID, "bad question: %s", why);
}

refq_err refq_ctx_ask(refq_ctx *ctx, const char *question_json, char **ret_answer_json)
{
    rqi_run *run = run_of(ctx);
    rqi_buf question = {0};
    if (run->handler->kind == RQI_HANDLER_INLINE) {
        return refq_ctx_fail(ctx, REFQ_ERR_UNSUPPORTED,
                             "a handler on the event loop cannot wait for an answer");
    }
    refq_err rc = read_question(ctx, question_json, &question);
    if (rc == REFQ_OK) {
        rc = rqi_run_ask(run, question.ptr, question.len, ret_answer_json);
    }
    rqi_buf_done(&question);
    return rc;
}

void refq_ctx_log(refq_ctx *ctx, refq_log_level level, const char *fmt, ...)
{
    rqi_run *run = run_of(ctx);
    const refq_logger *log = rqi_run_logger(run);
    char text[LOG_MAX];
    char quoted[LOG_MAX];
    char ref[REFQ_REF_MAX + 1];
    if (!rqi_log_on(log, level)) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    rqi_log(log, level, "event=handler ref=%s attempt=%u message=%s",
            refq_ref_format(&run->ref, ref), run->number,
            rqi_log_quote(quoted, sizeof quoted, text));
}

void rqi_ctx_run(rqi_run *run)
{
    refq_err rc = run->handler->fn((refq_ctx *)run, run->handler->arg);
    if (rc == REFQ_OK) {
        run->outcome.kind = RQI_DONE;
        if (run->outcome.value.len == 0) {
            rqi_buf_adds(&run->outcome.value, "null");
        }
        return;
    }
    bool permanent = rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT;
    run->outcome.kind = permanent ? RQI_PERMANENT : RQI_RETRYABLE;
    if (run->outcome.error[0] == '\0') {
        (void)snprintf(run->outcome.error, sizeof run->outcome.error, "the handler failed: %s",
                       refq_strerror(rc));
    }
}
