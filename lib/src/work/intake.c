/* SPDX-License-Identifier: MIT */
#include "work/intake.h"

#include "base/log.h"
#include "work/alone.h"
#include "work/fetch.h"
#include "work/inputs.h"
#include "work/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All it needs is there. */
static void begin(rqi_attempt *a)
{
    if (a->run.handler != NULL && rqi_alone_must(a)) {
        rqi_alone_wait(a);
    } else {
        rqi_attempt_run(a);
    }
}

static void on_args(void *arg, const refq_error *err, const redisReply *reply);

static void fetch_args(rqi_attempt *a)
{
    rqi_line *line = a->line;
    refq_worker *w = line->worker;
    rqi_key key;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "GET");
    rqi_cmd_adds(&w->cmd, rqi_key_of(&line->keys, key, "args:", a->run.ref.hex));
    rqi_conn_send(w->conn, &w->cmd, 0, on_args, a);
}

/* Its arguments are there: references in them may have to be replaced. */
static void prepare(rqi_attempt *a)
{
    if (a->run.handler != NULL && a->scope.pub.actor != NULL) {
        rqi_inputs_start(a, begin);
    } else {
        begin(a);
    }
}

static void on_args(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_attempt *a = arg;
    if (err != NULL && rqi_fetch_later(a, err, fetch_args)) {
        return;
    }
    if (a->run.stop != RQI_STOP_NONE || err != NULL) {
        rqi_fetch_end(a, "the arguments", err);
        return;
    }
    if (reply->type == REDIS_REPLY_STRING) {
        rqi_buf_add(&a->run.args, reply->str, (size_t)reply->len);
    }
    prepare(a);
}

/* Somebody has tampered with a record whose scope is none: its result must not become public.
 * False, and the attempt is gone, when there is no memory. */
static bool read_scope(rqi_attempt *a, refq_bytes json)
{
    refq_error why;
    refq_err rc = rqi_scope_read(json, &a->scope, &why);
    if (rc == REFQ_ERR_NOMEM) {
        rqi_attempt_free(a);
        return false;
    }
    if (rc != REFQ_OK) {
        a->unfit = true;
        rqi_run_fail(&a->run, RQI_PERMANENT, "the scope in its record cannot be read: %s",
                     why.text);
    }
    return true;
}

rqi_attempt *rqi_intake_read(rqi_line *line, rqi_cursor *cur, bool *ret_fetch)
{
    const char *hex = rqi_next_str(cur);
    const char *entry = rqi_next_str(cur);
    const char *task = rqi_next_str(cur);
    int64_t number = rqi_next_int(cur);
    refq_bytes args = rqi_next_bytes(cur);
    refq_bytes args_len = rqi_next_bytes(cur);
    const char *timeout = rqi_next_str(cur);
    (void)rqi_next_str(cur); /* max_retries of the submitter: finish knows it */
    int64_t failures = rqi_next_int(cur);
    int64_t deaths = rqi_next_int(cur);
    const char *traceparent = rqi_next_str(cur);
    int64_t crashes = rqi_next_int(cur);
    refq_bytes scope = rqi_next_bytes(cur);
    rqi_attempt *a = cur->bad || strlen(hex) != REFQ_HEX_LEN ? NULL : rqi_attempt_new(line);
    if (a == NULL || !read_scope(a, scope)) {
        return NULL;
    }
    memcpy(a->run.ref.queue, line->queue, sizeof a->run.ref.queue);
    memcpy(a->run.ref.hex, hex, REFQ_HEX_LEN);
    (void)snprintf(a->run.fence, sizeof a->run.fence, "%s", entry);
    (void)snprintf(a->run.task, sizeof a->run.task, "%s", task);
    (void)snprintf(a->run.traceparent, sizeof a->run.traceparent, "%s", traceparent);
    a->run.number = (unsigned)number;
    a->failures = (unsigned)failures;
    a->deaths = (unsigned)deaths;
    a->crashes = (unsigned)crashes;
    a->run.in_child = deaths > 0 || crashes > 0;
    a->run.timeout_ms = strtoll(timeout, NULL, 10);
    a->generation = line->generation;
    a->handlers = refq_handlers_ref(line->handlers);
    a->run.handler = rqi_handlers_find(line->handlers, a->run.task);
    rqi_buf_add(&a->run.args, args.ptr, args.len);
    *ret_fetch = args.len == 0 && args_len.len > 0;
    return a;
}

void rqi_intake_start(rqi_attempt *a, bool fetch)
{
    rqi_line *line = a->line;
    refq_worker *w = line->worker;
    /* A server that lost its last second hands the same entry out again: it runs here already. */
    if (rqi_line_find(line, a->run.ref.hex, a->run.fence) != NULL) {
        rqi_attempt_free(a);
        return;
    }
    rqi_log(&w->o.log, REFQ_LOG_INFO, "event=claimed ref=%s:%s task=%s attempt=%u", line->queue,
            a->run.ref.hex, a->run.task, a->run.number);
    if (a->run.handler == NULL) {
        rqi_log(&w->o.log, REFQ_LOG_WARN,
                "event=unknown_task ref=%s:%s task=%s action=\"given back for other workers\"",
                line->queue, a->run.ref.hex, a->run.task);
    }
    rqi_line_add(line, a);
    line->counters.claimed++;
    line->running_n++;
    w->running_n++;
    if (a->unfit) {
        rqi_worker_attempt_done(a);
    } else if (fetch && a->run.handler != NULL) {
        a->state = RQI_ATTEMPT_LOADING;
        fetch_args(a);
    } else {
        prepare(a);
    }
}
