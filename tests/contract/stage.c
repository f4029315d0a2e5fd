/* SPDX-License-Identifier: MIT */
/*
 * The handlers of the contract: what an attempt does is in its task's arguments.
 *
 * DESIGN. One function plays every part, so a test reads without looking things
 * up elsewhere: {"fail":2,"gate":1} fails twice, then waits at gate 1. It is
 * registered under several names, because retries, times to live and
 * concurrency are part of a definition. The arguments are made by the suite and
 * flat, so finding a member needs no JSON parser.
 *
 *   {"tag":"a"}       its first letter goes to the list of what began
 *   {"fail":n}        attempts 1 to n fail; "permanent":1 for good; "after":ms asks for that delay
 *   {"garbage":1}     returns what is no JSON
 *   {"progress":n}    reports 1 to n of n
 *   {"gate":k}        waits at gate k until it is opened or the attempt is to stop;
 *                     "ignore":1 does not look whether it is to stop
 *   {"ask":1}         asks "which colour?", returns {"answer":...}
 *   {"nothing":1} {"verbatim":1} {"size":n} {"echo":1}
 *                     what to return: no result, RQI_CT_VERBATIM, a string of n characters, the
 *                     arguments; else {"attempt":n}
 */
#include "contract.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rqi_ct_stage {
    pthread_mutex_t lock;
    bool open[RQI_CT_GATES];
    unsigned arrived[RQI_CT_GATES];
    unsigned left[RQI_CT_GATES];
    unsigned now;
    unsigned most;
    char began[RQI_CT_LOG + 1];
    unsigned began_n;
};

rqi_ct_stage *rqi_ct_stage_new(void)
{
    rqi_ct_stage *stage = calloc(1, sizeof *stage);
    if (stage != NULL) {
        (void)pthread_mutex_init(&stage->lock, NULL);
    }
    return stage;
}

void rqi_ct_stage_free(rqi_ct_stage *stage)
{
    if (stage != NULL) {
        (void)pthread_mutex_destroy(&stage->lock);
        free(stage);
    }
}

/* --- What tests see --------------------------------------------------------------------------- */

void rqi_ct_open(rqi_ct_stage *stage, unsigned gate)
{
    pthread_mutex_lock(&stage->lock);
    stage->open[gate] = true;
    pthread_mutex_unlock(&stage->lock);
}

void rqi_ct_open_all(rqi_ct_stage *stage)
{
    for (unsigned i = 0; i < RQI_CT_GATES; i++) {
        rqi_ct_open(stage, i);
    }
}

static unsigned read_under_lock(rqi_ct_stage *stage, const unsigned *value)
{
    pthread_mutex_lock(&stage->lock);
    unsigned copy = *value;
    pthread_mutex_unlock(&stage->lock);
    return copy;
}

unsigned rqi_ct_arrived(rqi_ct_stage *stage, unsigned gate)
{
    return read_under_lock(stage, &stage->arrived[gate]);
}

unsigned rqi_ct_left(rqi_ct_stage *stage, unsigned gate)
{
    return read_under_lock(stage, &stage->left[gate]);
}

unsigned rqi_ct_most(rqi_ct_stage *stage)
{
    return read_under_lock(stage, &stage->most);
}

void rqi_ct_order_seen(rqi_ct_stage *stage, char out[RQI_CT_LOG + 1])
{
    pthread_mutex_lock(&stage->lock);
    memcpy(out, stage->began, sizeof stage->began);
    pthread_mutex_unlock(&stage->lock);
}

/* --- What an attempt does --------------------------------------------------------------------- */

/* Behind the colon of a member, or NULL. */
static const char *member(const char *json, const char *name)
{
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *at = strstr(json, quoted);
    at = at != NULL ? at + strlen(quoted) : NULL;
    while (at != NULL && (isspace((unsigned char)*at) || *at == ':')) {
        at++;
    }
    return at;
}

long rqi_ct_json_number(const char *json, const char *name, long otherwise)
{
    const char *at = member(json, name);
    return at != NULL ? strtol(at, NULL, 10) : otherwise;
}

static void note_start(rqi_ct_stage *stage, const char *json)
{
    const char *tag = member(json, "tag");
    pthread_mutex_lock(&stage->lock);
    if (tag != NULL && tag[0] == '"' && stage->began_n < RQI_CT_LOG) {
        stage->began[stage->began_n++] = tag[1];
    }
    pthread_mutex_unlock(&stage->lock);
}

static refq_err fail(refq_ctx *ctx, const char *json)
{
    long after = rqi_ct_json_number(json, "after", -1);
    if (after >= 0) {
        refq_ctx_retry_after(ctx, after);
    }
    refq_err code = rqi_ct_json_number(json, "permanent", 0) ? REFQ_ERR_INVALID : REFQ_ERR_IO;
    return refq_ctx_fail(ctx, code, "attempt %u fails", refq_ctx_attempt(ctx));
}

static void come(rqi_ct_stage *stage, unsigned gate)
{
    pthread_mutex_lock(&stage->lock);
    stage->arrived[gate]++;
    stage->now++;
    stage->most = stage->now > stage->most ? stage->now : stage->most;
    pthread_mutex_unlock(&stage->lock);
}

static void leave(rqi_ct_stage *stage, unsigned gate)
{
    pthread_mutex_lock(&stage->lock);
    stage->left[gate]++;
    stage->now--;
    pthread_mutex_unlock(&stage->lock);
}

static bool is_open(rqi_ct_stage *stage, unsigned gate)
{
    pthread_mutex_lock(&stage->lock);
    bool open = stage->open[gate];
    pthread_mutex_unlock(&stage->lock);
    return open;
}

static void wait_at_gate(refq_ctx *ctx, rqi_ct_stage *stage, const char *json)
{
    unsigned gate = (unsigned)rqi_ct_json_number(json, "gate", 0) % RQI_CT_GATES;
    bool ignore = rqi_ct_json_number(json, "ignore", 0) != 0;
    come(stage, gate);
    while (!is_open(stage, gate) && (ignore || !refq_ctx_is_cancelled(ctx))) {
        rqi_ct_nap();
    }
    leave(stage, gate);
}

static refq_err ask(refq_ctx *ctx)
{
    char *answer = NULL;
    refq_err rc = refq_ctx_ask(ctx, "{\"question\":\"which colour?\"}", &answer);
    if (rc != REFQ_OK) {
        return refq_ctx_fail(ctx, rc, "no answer: %s", refq_strerror(rc));
    }
    size_t size = strlen(answer) + 32;
    char *result = malloc(size);
    rc = REFQ_ERR_NOMEM;
    if (result != NULL) {
        (void)snprintf(result, size, "{\"answer\":%s}", answer);
        rc = refq_ctx_return_json(ctx, result);
    }
    free(result);
    free(answer);
    return rc;
}

static refq_err return_long(refq_ctx *ctx, size_t size)
{
    char *text = malloc(size + 3);
    if (text == NULL) {
        return REFQ_ERR_NOMEM;
    }
    memset(text, 'x', size + 2);
    text[0] = text[size + 1] = '"';
    text[size + 2] = '\0';
    refq_err rc = refq_ctx_return_json(ctx, text);
    free(text);
    return rc;
}

static refq_err return_value(refq_ctx *ctx, const char *json)
{
    char text[32];
    if (rqi_ct_json_number(json, "nothing", 0)) {
        return REFQ_OK;
    }
    if (rqi_ct_json_number(json, "verbatim", 0)) {
        return refq_ctx_return_json(ctx, RQI_CT_VERBATIM);
    }
    if (rqi_ct_json_number(json, "size", 0) > 0) {
        return return_long(ctx, (size_t)rqi_ct_json_number(json, "size", 0));
    }
    if (rqi_ct_json_number(json, "echo", 0)) {
        return refq_ctx_return_json(ctx, json);
    }
    (void)snprintf(text, sizeof text, "{\"attempt\":%u}", refq_ctx_attempt(ctx));
    return refq_ctx_return_json(ctx, text);
}

static refq_err play(refq_ctx *ctx, void *arg)
{
    rqi_ct_stage *stage = arg;
    const char *json = refq_ctx_args_json(ctx);
    note_start(stage, json);
    if ((long)refq_ctx_attempt(ctx) <= rqi_ct_json_number(json, "fail", 0)) {
        return fail(ctx, json);
    }
    if (rqi_ct_json_number(json, "garbage", 0)) {
        return refq_ctx_return_json(ctx, "{\"half\":");
    }
    long steps = rqi_ct_json_number(json, "progress", 0);
    for (long i = 1; i <= steps; i++) {
        (void)refq_ctx_progress(ctx, i, steps, "step");
    }
    if (rqi_ct_json_number(json, "gate", -1) >= 0) {
        wait_at_gate(ctx, stage, json);
    }
    if (refq_ctx_is_cancelled(ctx) && !rqi_ct_json_number(json, "ignore", 0)) {
        return refq_ctx_fail(ctx, REFQ_ERR_IO, "told to stop");
    }
    return rqi_ct_json_number(json, "ask", 0) ? ask(ctx) : return_value(ctx, json);
}

refq_err rqi_ct_stage_handlers(rqi_ct_stage *stage, refq_handlers *handlers, refq_error *err)
{
    static const refq_backoff fast = {.base_ms = 5, .factor = 2, .cap_ms = 20, .no_jitter = true};
    static const refq_backoff slow = {
        .base_ms = 3600000, .factor = 2, .cap_ms = 3600000, .no_jitter = true};
    const struct {
        refq_task_def def;
        refq_run_mode mode;
    } parts[] = {
        {{.name = "play", .backoff = fast}, REFQ_RUN_THREAD},
        {{.name = "inline", .backoff = fast}, REFQ_RUN_INLINE},
        {{.name = "slow", .backoff = slow}, REFQ_RUN_THREAD},
        {{.name = "once", .backoff = fast, .max_retries = REFQ_NO_RETRIES}, REFQ_RUN_THREAD},
        {{.name = "twice", .backoff = fast, .max_retries = 1}, REFQ_RUN_THREAD},
        {{.name = "limited", .backoff = fast, .timeout_ms = 30}, REFQ_RUN_THREAD},
        {{.name = "brief", .backoff = fast, .result_ttl_ms = 50}, REFQ_RUN_THREAD},
        {{.name = "single", .backoff = fast, .concurrency = 1}, REFQ_RUN_THREAD},
        {{.name = "kept",
          .backoff = fast,
          .has_reuse = 1,
          .reuse = REFQ_REUSE_RESULT,
          .namespace_template = "user:{user_id}",
          .policy = "read_only"},
         REFQ_RUN_THREAD},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        refq_task_def def = parts[i].def;
        def.struct_size = sizeof def;
        refq_err rc = refq_handlers_add_function(handlers, &def, parts[i].mode, play, stage, err);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    return REFQ_OK;
}
