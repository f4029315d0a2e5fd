/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The members, their names and the words of the messages are a contract
 * with agents and with servers that wrap them (docs/CALL.md). Where the format's
 * first implementation says nothing the record says more: a task that waits for
 * its next attempt tells what went wrong and when it goes on.
 *
 * Numbers that handlers report are not trusted: progress beyond its total is
 * shown as 100 %, and an estimate is never negative.
 */
#include "reply/async.h"

#include "base/utf8.h"
#include "codec/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

static void add_text(rqi_buf *out, const char *text)
{
    rqi_buf_add_json(out, text, strlen(text));
}

static void add_text_or_null(rqi_buf *out, const char *text)
{
    if (text == NULL) {
        rqi_buf_adds(out, "null");
    } else {
        add_text(out, text);
    }
}

static void add_real(rqi_buf *out, double value)
{
    if (rqi_json_add_real(out, value) != REFQ_OK) {
        rqi_buf_adds(out, "null");
    }
}

/* --- Times ------------------------------------------------------------------------------------ */

/* ISO 8601 in UTC, as Python writes it: without a fraction when that is zero. */
static void add_time(rqi_buf *out, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[40];
    if (ms <= 0 || gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        rqi_buf_adds(out, "null");
        return;
    }
    rqi_buf_addf(out, "\"%s", text);
    if (ms % 1000 != 0) {
        rqi_buf_addf(out, ".%03d000", (int)(ms % 1000));
    }
    rqi_buf_adds(out, "+00:00\"");
}

/* When the work began; what has not begun yet waits since it was submitted. */
static int64_t started_at(const refq_task *task)
{
    return refq_task_number(task, "started_at", refq_task_number(task, "created_at", 0));
}

/* --- Progress --------------------------------------------------------------------------------- */

static void add_progress(rqi_buf *out, const refq_task *task)
{
    int64_t current = 0;
    int64_t total = 0;
    if (!refq_task_progress(task, &current, &total)) {
        rqi_buf_adds(out, "null");
        return;
    }
    rqi_buf_addf(out, "{\"current\": %" PRId64 ", \"total\": ", current);
    if (total > 0) {
        rqi_buf_addf(out, "%" PRId64, total);
    } else {
        rqi_buf_adds(out, "null");
    }
    const char *message = refq_task_field(task, "message");
    rqi_buf_adds(out, ", \"message\": ");
    add_text_or_null(out, message != NULL && message[0] != '\0' ? message : NULL);
    rqi_buf_adds(out, ", \"percentage\": ");
    if (total > 0 && current >= 0) {
        add_real(out, fmin(100, (double)current / (double)total * 100));
    } else {
        rqi_buf_adds(out, "null");
    }
    rqi_buf_addc(out, '}');
}

/* Seconds left at the pace so far; null as long as nothing can be said. */
static void add_eta(rqi_buf *out, const refq_task *task)
{
    int64_t current = 0;
    int64_t total = 0;
    double elapsed =
        (double)(refq_task_seen_at_ms(task) - refq_task_number(task, "started_at", 0)) / 1000;
    if (refq_task_status(task) != REFQ_PROCESSING || !refq_task_progress(task, &current, &total) ||
        current <= 0 || total <= 0 || elapsed <= 0) {
        rqi_buf_adds(out, "null");
        return;
    }
    double left = (double)(total - current) * elapsed / (double)current;
    add_real(out, fmax(0, round(left * 1000) / 1000));
}

/* --- The message ------------------------------------------------------------------------------ */

static const char *error_of(const rqi_async_reply *reply)
{
    return reply->error != NULL ? reply->error : refq_task_field(reply->task, "error");
}

static void say_pending(const rqi_async_reply *reply, rqi_buf *out)
{
    const refq_task *task = reply->task;
    int64_t attempts = refq_task_number(task, "attempt", 0);
    int64_t left = refq_task_number(task, "due_at", 0) - refq_task_seen_at_ms(task);
    const char *error = error_of(reply);
    if (refq_task_field(task, "after") != NULL && attempts == 0) {
        rqi_buf_adds(out, "Task waits until the tasks are over whose results it uses");
    } else if (attempts > 0 && error != NULL && left > 0) {
        rqi_buf_addf(out, "Attempt %" PRId64 " failed: %s; the next one starts in %" PRId64 " s",
                     attempts, error, (left + 999) / 1000);
    } else {
        rqi_buf_adds(out, "Task is queued and will start shortly");
    }
}

static void say_processing(const rqi_async_reply *reply, rqi_buf *out)
{
    char ref[REFQ_REF_MAX + 1];
    const char *message = refq_task_field(reply->task, "message");
    const char *waiting = refq_task_field(reply->task, "waiting");
    if (waiting != NULL) {
        rqi_buf_adds(out, "Task waits for an answer to its question");
    } else if (message != NULL && message[0] != '\0') {
        rqi_buf_adds(out, message);
    } else {
        rqi_buf_addf(out, "Task is processing (ref_id=%s)",
                     refq_ref_format(refq_task_ref(reply->task), ref));
    }
}

static void say_failed(const rqi_async_reply *reply, rqi_buf *out)
{
    const char *error = error_of(reply);
    rqi_buf_addf(out, "Task failed: %s", error != NULL ? error : "no reason was recorded");
}

static void say_cancelled(const rqi_async_reply *reply, rqi_buf *out)
{
    (void)reply;
    rqi_buf_adds(out, "Task was cancelled");
}

static void say_complete(const rqi_async_reply *reply, rqi_buf *out)
{
    (void)reply;
    rqi_buf_adds(out, "Task completed successfully");
}

static void add_message(const rqi_async_reply *reply, rqi_buf *out)
{
    static void (*const say[])(const rqi_async_reply *,
                               rqi_buf *) = {[REFQ_PENDING] = say_pending,
                                             [REFQ_PROCESSING] = say_processing,
                                             [REFQ_COMPLETE] = say_complete,
                                             [REFQ_FAILED] = say_failed,
                                             [REFQ_CANCELLED] = say_cancelled};
    rqi_buf text = {0};
    say[refq_task_status(reply->task)](reply, &text);
    rqi_buf_add_json(out, rqi_buf_str(&text), text.len);
    rqi_buf_done(&text);
}

/* --- The whole -------------------------------------------------------------------------------- */

/* Attempts that were followed by another. */
static int64_t retries_of(const refq_task *task)
{
    int64_t attempts = refq_task_number(task, "attempt", 0);
    bool waits = refq_task_status(task) == REFQ_PENDING;
    return waits || attempts == 0 ? attempts : attempts - 1;
}

static void add_standard(const rqi_async_reply *reply, rqi_buf *out)
{
    rqi_buf_adds(out, ", \"started_at\": ");
    add_time(out, started_at(reply->task));
    rqi_buf_adds(out, ", \"progress\": ");
    add_progress(out, reply->task);
    rqi_buf_adds(out, ", \"message\": ");
    add_message(reply, out);
}

/* can_retry: whether it may yet run again by itself. What has failed has no retries left; to run it
 * again is an operator's decision and makes a new task. */
static void add_full(const rqi_async_reply *reply, rqi_buf *out)
{
    rqi_buf_adds(out, ", \"eta_seconds\": ");
    add_eta(out, reply->task);
    rqi_buf_adds(out, ", \"error\": ");
    add_text_or_null(out, error_of(reply));
    rqi_buf_addf(out, ", \"retry_count\": %" PRId64 ", \"can_retry\": false",
                 retries_of(reply->task));
    rqi_buf_addf(out, ", \"expected_schema\": %s", reply->schema != NULL ? reply->schema : "null");
}

void rqi_async_reply_add(const rqi_async_reply *reply, rqi_buf *out)
{
    char ref[REFQ_REF_MAX + 1];
    rqi_buf_addf(out,
                 "{\"ref_id\": \"%s\", \"status\": \"%s\", \"is_complete\": false, "
                 "\"is_async\": true",
                 refq_ref_format(refq_task_ref(reply->task), ref),
                 refq_status_name(refq_task_status(reply->task)));
    if (reply->format != REFQ_FORMAT_MINIMAL) {
        add_standard(reply, out);
    }
    if (reply->format == REFQ_FORMAT_FULL) {
        add_full(reply, out);
    }
    rqi_buf_addc(out, '}');
}
