/* SPDX-License-Identifier: MIT */
#include "work/ctx.h"

#include "base/error.h"
#include "codec/args.h"
#include "codec/json.h"
#include "work/worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RESULT_MAX   ((size_t)200 << 20)
#define RESULT_DEPTH 512

/* The public type is opaque; it is the attempt itself. */
struct refq_ctx {
    rqi_attempt attempt;
};

static rqi_attempt *attempt_of(const refq_ctx *ctx)
{
    return (rqi_attempt *)&ctx->attempt;
}

const char *refq_ctx_args_json(refq_ctx *ctx)
{
    rqi_attempt *a = attempt_of(ctx);
    if (a->json.len == 0 && a->args.len > 0) {
        refq_bytes packed = refq_ctx_args_msgpack(ctx);
        if (rqi_args_decode(packed, &a->json, NULL) != REFQ_OK) {
            rqi_buf_clear(&a->json);
            rqi_buf_adds(&a->json, "{}");
        }
    }
    return rqi_buf_str(&a->json);
}

refq_bytes refq_ctx_args_msgpack(const refq_ctx *ctx)
{
    const rqi_attempt *a = attempt_of(ctx);
    if (a->args.len == 0) {
        return (refq_bytes){.ptr = "", .len = 0};
    }
    return (refq_bytes){.ptr = a->args.ptr + 1, .len = a->args.len - 1};
}

const refq_ref *refq_ctx_ref(const refq_ctx *ctx)
{
    return &attempt_of(ctx)->ref;
}

unsigned refq_ctx_attempt(const refq_ctx *ctx)
{
    return attempt_of(ctx)->number;
}

const char *refq_ctx_fence(const refq_ctx *ctx)
{
    return attempt_of(ctx)->entry;
}

refq_err refq_ctx_return_json(refq_ctx *ctx, const char *json)
{
    rqi_attempt *a = attempt_of(ctx);
    refq_error err;
    size_t len = strlen(json);
    json_t *value = NULL;
    refq_err rc = rqi_json_load_any(json, len, RESULT_MAX, RESULT_DEPTH, &value, &err);
    if (rc != REFQ_OK) {
        return refq_ctx_fail(ctx, REFQ_ERR_INVALID, "the handler returned no JSON: %s", err.text);
    }
    json_decref(value);
    rqi_buf_clear(&a->outcome.value);
    rqi_buf_add(&a->outcome.value, json, len);
    return a->outcome.value.err;
}

refq_err refq_ctx_fail(refq_ctx *ctx, refq_err code, const char *fmt, ...)
{
    rqi_attempt *a = attempt_of(ctx);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(a->outcome.error, sizeof a->outcome.error, fmt, ap);
    va_end(ap);
    return code;
}

void refq_ctx_retry_after(refq_ctx *ctx, int64_t ms)
{
    attempt_of(ctx)->outcome.retry_after_ms = ms > 0 ? ms : 0;
}

bool refq_ctx_progress(refq_ctx *ctx, int64_t current, int64_t total, const char *message)
{
    rqi_attempt *a = attempt_of(ctx);
    if (current >= 0 && total >= 0) {
        rqi_worker_progress(a, current, total, message);
    }
    return !refq_ctx_is_cancelled(ctx);
}

bool refq_ctx_is_cancelled(const refq_ctx *ctx)
{
    return atomic_load(&attempt_of(ctx)->stopping);
}

void rqi_ctx_run(rqi_attempt *a)
{
    refq_err rc = a->handler->fn((refq_ctx *)a, a->handler->arg);
    if (rc == REFQ_OK) {
        a->outcome.kind = RQI_DONE;
        if (a->outcome.value.len == 0) {
            rqi_buf_adds(&a->outcome.value, "null");
        }
        return;
    }
    bool permanent = rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT;
    a->outcome.kind = permanent ? RQI_PERMANENT : RQI_RETRYABLE;
    if (a->outcome.error[0] == '\0') {
        (void)snprintf(a->outcome.error, sizeof a->outcome.error, "the handler failed: %s",
                       refq_strerror(rc));
    }
}
