/* SPDX-License-Identifier: MIT */
#include "task/submit.h"

#include "base/error.h"
#include "base/parse.h"
#include "codec/args.h"

#include <stdio.h>
#include <string.h>

#define KEY_BYTES_MAX   128
#define TRACEPARENT_MAX 64
#define RETRIES_MAX     1000
#define DAY_MS          ((int64_t)24 * 3600 * 1000)

static refq_err check_times(const refq_spec *spec, refq_error *err)
{
    const struct {
        const char *name;
        int64_t ms;
    } times[] = {{"delay", spec->delay_ms},
                 {"timeout", spec->timeout_ms},
                 {"key_ttl", spec->key_ttl_ms},
                 {"start_within", spec->start_within_ms}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (times[i].ms < 0 || times[i].ms > RQI_DURATION_MAX_MS) {
            return rqi_fail(err, REFQ_ERR_LIMIT, "%s must be 0 to 366 days, not %lld ms",
                            times[i].name, (long long)times[i].ms);
        }
    }
    if (spec->max_retries < REFQ_NO_RETRIES || spec->max_retries > RETRIES_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "max_retries must be 0 to %d, not %d", RETRIES_MAX,
                        spec->max_retries);
    }
    return REFQ_OK;
}

static refq_err check_texts(const refq_spec *spec, refq_error *err)
{
    if (spec->key != NULL && (spec->key[0] == '\0' || strlen(spec->key) > KEY_BYTES_MAX)) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "an idempotency key has 1 to %d bytes", KEY_BYTES_MAX);
    }
    if (spec->traceparent != NULL && strlen(spec->traceparent) > TRACEPARENT_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a traceparent has at most %d bytes", TRACEPARENT_MAX);
    }
    if ((unsigned)spec->lane > REFQ_LANE_LOW) {
        return rqi_fail(err, REFQ_ERR_INVALID, "no such lane: %d", (int)spec->lane);
    }
    return REFQ_OK;
}

#define HEX_DIGITS "0123456789abcdef"

static refq_err check_reuse(const refq_spec *spec, refq_error *err)
{
    if ((unsigned)spec->reuse > REFQ_REUSE_RESULT) {
        return rqi_fail(err, REFQ_ERR_INVALID, "no such reuse: %d", (int)spec->reuse);
    }
    const char *call = spec->call != NULL ? spec->call : "";
    if (spec->reuse != REFQ_REUSE_NONE &&
        (strspn(call, HEX_DIGITS) != RQI_CALL_LEN || call[RQI_CALL_LEN] != '\0')) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "reuse needs the call's digest: %d lower-case hex digits", RQI_CALL_LEN);
    }
    return REFQ_OK;
}

static refq_err check_after(const refq_spec *spec, refq_error *err)
{
    char text[REFQ_REF_MAX + 1];
    refq_ref same;
    if (spec->n_after > REFQ_AFTER_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a task waits for at most %d others, not %zu",
                        REFQ_AFTER_MAX, spec->n_after);
    }
    for (size_t i = 0; i < spec->n_after; i++) {
        refq_err rc = refq_ref_parse(refq_ref_format(&spec->after[i], text), &same, err);
        if (rc != REFQ_OK) {
            return rqi_fail_in(err, rc, "a task to wait for");
        }
        if (strcmp(spec->ref.hex, same.hex) == 0 && strcmp(spec->ref.queue, same.queue) == 0) {
            return rqi_fail(err, REFQ_ERR_INVALID, "a task cannot wait for itself");
        }
    }
    return REFQ_OK;
}

/* Everything but the arguments. */
static refq_err check_rest(const refq_spec *spec, refq_error *err)
{
    refq_err rc = check_times(spec, err);
    if (rc == REFQ_OK) {
        rc = check_texts(spec, err);
    }
    if (rc == REFQ_OK) {
        rc = rqi_scope_check(spec->scope, err);
    }
    if (rc == REFQ_OK) {
        rc = check_reuse(spec, err);
    }
    return rc == REFQ_OK ? check_after(spec, err) : rc;
}

static refq_err copy_after(const refq_spec *spec, rqi_buf *out, refq_error *err)
{
    char text[REFQ_REF_MAX + 1];
    for (size_t i = 0; i < spec->n_after; i++) {
        rqi_buf_adds(out, i > 0 ? " " : "");
        rqi_buf_adds(out, refq_ref_format(&spec->after[i], text));
    }
    return out->err == REFQ_OK ? REFQ_OK : rqi_fail(err, out->err, "out of memory");
}

refq_err rqi_submit_check(const refq_spec *spec, rqi_args *ret, refq_error *err)
{
    const char *json = spec->args != NULL ? spec->args : "{}";
    refq_err rc = refq_queue_check(spec->ref.queue, err);
    if (rc == REFQ_OK && strspn(spec->ref.hex, HEX_DIGITS) != REFQ_HEX_LEN) {
        rc = rqi_fail(err, REFQ_ERR_INVALID, "a spec needs a reference made by refq_ref_make()");
    }
    if (rc == REFQ_OK) {
        rc = refq_name_check(spec->task != NULL ? spec->task : "", err);
    }
    if (rc == REFQ_OK) {
        rc = check_rest(spec, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_args args = {.preview = ""};
    rqi_buf_addc(&args.stored, 'm');
    rc = rqi_args_encode(json, strlen(json), &args.stored, err);
    if (rc == REFQ_OK) {
        rc = rqi_scope_copy(spec->scope, &args.scope, err);
    }
    if (rc == REFQ_OK) {
        rc = copy_after(spec, &args.after, err);
    }
    if (rc != REFQ_OK) {
        rqi_args_done(&args);
        return rc;
    }
    rqi_args_preview(json, strlen(json), args.preview, sizeof args.preview);
    if (spec->reuse != REFQ_REUSE_NONE) {
        memcpy(args.call, spec->call, RQI_CALL_LEN);
    }
    *ret = args;
    return REFQ_OK;
}

const char *rqi_reuse_name(refq_reuse reuse)
{
    return reuse == REFQ_REUSE_RESULT ? "result" : "in_flight";
}

void rqi_args_done(rqi_args *args)
{
    rqi_buf_done(&args->stored);
    rqi_scope_done(&args->scope);
    rqi_buf_done(&args->after);
}

static int add_scope(rqi_cmd *cmd, const refq_scope *scope)
{
    const char *name = NULL;
    const char *text = NULL;
    int n = 0;
    for (unsigned i = 0; rqi_scope_at(scope, i, &name, &text); i++) {
        if (text == NULL) {
            continue;
        }
        n++;
        if (cmd != NULL) {
            rqi_cmd_adds(cmd, name);
            rqi_cmd_adds(cmd, text);
        }
    }
    return n;
}

/* Further fields of the record; returns how many there are. With cmd NULL it only counts. */
static int add_pairs(rqi_cmd *cmd, const refq_spec *spec, const rqi_args *args)
{
    int retries = spec->max_retries == REFQ_NO_RETRIES ? 0 : spec->max_retries;
    const struct {
        const char *name;
        const char *text;
        int64_t number;
        bool set;
    } pairs[] = {
        {"args_preview", args->preview, 0, true},
        {"timeout_ms", NULL, spec->timeout_ms, spec->timeout_ms > 0},
        {"max_retries", NULL, retries, spec->max_retries != 0},
        {"start_within", NULL, spec->start_within_ms, spec->start_within_ms > 0},
        {"traceparent", spec->traceparent, 0, spec->traceparent != NULL},
        {"after", rqi_buf_str(&args->after), 0, args->after.len > 0},
        {"call", args->call, 0, args->call[0] != '\0'},
        {"reuse", rqi_reuse_name(spec->reuse), 0, args->call[0] != '\0'},
    };
    int n = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!pairs[i].set) {
            continue;
        }
        n++;
        if (cmd == NULL) {
            continue;
        }
        rqi_cmd_adds(cmd, pairs[i].name);
        if (pairs[i].text != NULL) {
            rqi_cmd_adds(cmd, pairs[i].text);
        } else {
            rqi_cmd_addi(cmd, pairs[i].number);
        }
    }
    return n + add_scope(cmd, &args->scope.pub);
}

void rqi_submit_add(rqi_cmd *cmd, const refq_spec *spec, const rqi_args *args)
{
    rqi_cmd_adds(cmd, spec->ref.hex);
    rqi_cmd_adds(cmd, spec->task);
    rqi_cmd_adds(cmd, refq_lane_name(spec->lane));
    rqi_cmd_addi(cmd, spec->delay_ms);
    rqi_cmd_adds(cmd, spec->key != NULL ? spec->key : "");
    rqi_cmd_addi(cmd, spec->key_ttl_ms > 0 ? spec->key_ttl_ms : DAY_MS);
    rqi_cmd_add(cmd, args->stored.ptr, args->stored.len);
    rqi_cmd_addi(cmd, add_pairs(NULL, spec, args));
    (void)add_pairs(cmd, spec, args);
}

refq_err rqi_submit_read(rqi_cursor *cur, const refq_spec *spec, refq_submitted *ret,
                         refq_error *err)
{
    const char *hex = rqi_next_str(cur);
    const char *how = rqi_next_str(cur);
    const char *status = rqi_next_str(cur);
    refq_submitted done = {
        .ref = spec->ref, .existed = strcmp(how, "new") != 0, .joined = strcmp(how, "joined") == 0};
    if (cur->bad || strlen(hex) != REFQ_HEX_LEN ||
        refq_status_parse(status, &done.status) != REFQ_OK) {
        return rqi_reply_unexpected(err, "submit");
    }
    if (strcmp(how, "full") == 0) {
        return rqi_fail(err, REFQ_ERR_FULL,
                        "queue %s is full (max_pending); nothing was lost, submit it again later",
                        spec->ref.queue);
    }
    (void)snprintf(done.ref.hex, sizeof done.ref.hex, "%s", hex);
    *ret = done;
    return REFQ_OK;
}
