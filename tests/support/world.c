/* SPDX-License-Identifier: MIT */
#include "support/world.h"

#include "support/redis_fixture.h"
#include "support/wait.h"

#include <refq/memory.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS     16
#define LONG_MS   600000 /* what is due later than that does not move during a test */
#define PARKED_MS 20000  /* nor what waits for another task and looks again so late */

/* --- Beginning and end ------------------------------------------------------------------------ */

static void start_redis(rqt_world *w)
{
    refq_error err = {0};
    refq_worker_options o = {
        .struct_size = sizeof o, .redis = rqt_redis_url(), .concurrency = SLOTS, .lease_ms = 2000};
    refq_redis_options client = {.struct_size = sizeof client, .url = rqt_redis_url()};
    ck_assert_msg(refq_worker_new(&o, &w->worker, &err) == REFQ_OK, "%s", err.text);
    ck_assert_msg(refq_worker_serve(w->worker, w->queue, w->handlers, &err) == REFQ_OK, "%s",
                  err.text);
    rqt_worker_thread_start(&w->thread, w->worker);
    ck_assert_msg(refq_client_open(&client, &w->client, &err) == REFQ_OK, "%s", err.text);
}

static void start_memory(rqt_world *w)
{
    refq_error err = {0};
    refq_memory_options queue = {
        .struct_size = sizeof queue, .queue = w->queue, .handlers = w->handlers, .threads = SLOTS};
    refq_memory memory = {.struct_size = sizeof memory, .queues = &queue, .n = 1};
    ck_assert_msg(refq_client_open_with(refq_backend_memory_factory, &memory, &w->client, &err) ==
                      REFQ_OK,
                  "%s", err.text);
}

void rqt_world_start(rqt_world *w, bool redis)
{
    refq_error err = {0};
    refq_ref ref;
    *w = (rqt_world){.name = redis ? "redis" : "memory", .redis = redis};
    ck_assert_int_eq(refq_ref_make("model", &ref, &err), REFQ_OK);
    (void)snprintf(w->queue, sizeof w->queue, "model-%s", ref.hex);
    w->stage = rqi_ct_stage_new();
    ck_assert_ptr_nonnull(w->stage);
    ck_assert_int_eq(refq_handlers_new(&w->handlers, &err), REFQ_OK);
    ck_assert_int_eq(rqi_ct_stage_handlers(w->stage, w->handlers, &err), REFQ_OK);
    if (redis) {
        start_redis(w);
    } else {
        start_memory(w);
    }
}

/* Nobody answers those who ask, and a worker would wait for them. */
static void cancel_all(rqt_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        refq_task *task = NULL;
        refq_error err;
        refq_err rc = refq_client_cancel(w->client, &w->tasks[i].ref, &task, &err);
        ck_assert_msg(rc == REFQ_OK || rc == REFQ_ERR_NOTFOUND, "%s", err.text);
        refq_task_free(task);
    }
}

void rqt_world_stop(rqt_world *w)
{
    rqi_ct_open_all(w->stage);
    cancel_all(w);
    refq_client_close(w->client);
    if (w->redis) {
        (void)rqt_worker_thread_stop(&w->thread);
        refq_worker_free(w->worker);
    }
    refq_handlers_unref(w->handlers);
    rqi_ct_stage_free(w->stage);
}

/* --- Rest ------------------------------------------------------------------------------------- */

static const char *text_of(const refq_task *task, const char *name)
{
    const char *text = refq_task_field(task, name);
    return text != NULL ? text : "-";
}

static bool stands_at_gate(const rqt_world_task *t, const refq_task *task)
{
    return t->gate >= 0 && !t->opened && refq_task_field(task, "progress") != NULL;
}

/* Whether nothing more happens to it until somebody does something. */
static bool is_at_rest(const rqt_world *w, const rqt_world_task *t, const refq_task *task)
{
    refq_status status = refq_task_status(task);
    int64_t due = refq_task_number(task, "due_at", 0);
    if (status == REFQ_PROCESSING) {
        return stands_at_gate(t, task) || refq_task_field(task, "waiting") != NULL;
    }
    if (status == REFQ_PENDING && due == 0) {
        return w->paused || (w->singles > 0 && strcmp(text_of(task, "task"), "single") == 0);
    }
    if (refq_task_field(task, "after") != NULL && due > refq_task_seen_at_ms(task) + PARKED_MS) {
        return true;
    }
    return status != REFQ_PENDING || due > refq_task_seen_at_ms(task) + LONG_MS ||
           (w->paused && due > 0 && due <= refq_task_seen_at_ms(task));
}

static bool one_rests(rqt_world *w, size_t i, char why[RQT_SEEN_MAX])
{
    refq_task *task = NULL;
    refq_error err;
    refq_err rc = refq_client_status(w->client, &w->tasks[i].ref, &task, &err);
    bool rests = rc == REFQ_ERR_NOTFOUND || (rc == REFQ_OK && is_at_rest(w, &w->tasks[i], task));
    if (!rests) {
        (void)snprintf(why, RQT_SEEN_MAX, "task %zu is %s", i,
                       rc == REFQ_OK ? refq_status_name(refq_task_status(task)) : err.text);
    }
    refq_task_free(task);
    return rests;
}

/* Tasks that keep the others of their name from running. */
static unsigned count_singles(rqt_world *w)
{
    unsigned n = 0;
    for (size_t i = 0; i < w->n; i++) {
        refq_task *task = NULL;
        n += refq_client_status(w->client, &w->tasks[i].ref, &task, NULL) == REFQ_OK &&
             refq_task_status(task) == REFQ_PROCESSING &&
             strcmp(text_of(task, "task"), "single") == 0;
        refq_task_free(task);
    }
    return n;
}

static bool all_rest(rqt_world *w, char why[RQT_SEEN_MAX])
{
    w->singles = count_singles(w);
    for (size_t i = 0; i < w->n; i++) {
        if (!one_rests(w, i, why)) {
            return false;
        }
    }
    return true;
}

bool rqt_world_rest(rqt_world *w, int budget_ms, char why[RQT_SEEN_MAX])
{
    return RQT_UNTIL(all_rest(w, why), budget_ms);
}

/* --- What can be seen ------------------------------------------------------------------------- */

int rqt_world_task_of(const rqt_world *w, const char *hex)
{
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->tasks[i].ref.hex, hex) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* The value of an entry, without what differs by time. */
static void see_value(rqt_world *w, size_t i, char *out, size_t size)
{
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_err rc = refq_client_result(w->client, &w->tasks[i].ref, &task, &entry, &len, NULL);
    const char *from = rc == REFQ_OK ? strstr(entry, "\"value\": ") : NULL;
    const char *to = from != NULL ? strstr(from, ", \"namespace\"") : NULL;
    if (to != NULL) {
        (void)snprintf(out, size, "%.*s", (int)(to - from), from);
    } else {
        (void)snprintf(out, size, "%s", refq_strerror(rc));
    }
    free(entry);
    refq_task_free(task);
}

static int number_of(const rqt_world *w, const refq_task *task, const char *name)
{
    return rqt_world_task_of(w, text_of(task, name));
}

/* A task that runs through may or may not have told its progress before it ended. */
static const char *progress_of(const refq_task *task)
{
    return refq_task_status(task) == REFQ_PROCESSING ? text_of(task, "progress") : "-";
}

static bool is_delayed(const refq_task *task)
{
    return refq_task_number(task, "due_at", 0) > refq_task_seen_at_ms(task);
}

/* Redis looks only when it goes on again whether a task that was woken has to wait for another. */
static bool looks_later(const rqt_world *w, size_t task)
{
    return w->paused && w->tasks[task].follows;
}

void rqt_world_see(rqt_world *w, size_t task, char out[RQT_SEEN_MAX])
{
    refq_task *t = NULL;
    char value[128];
    refq_err rc = refq_client_status(w->client, &w->tasks[task].ref, &t, NULL);
    if (rc != REFQ_OK) {
        (void)snprintf(out, RQT_SEEN_MAX, "%s", refq_strerror(rc));
        return;
    }
    see_value(w, task, value, sizeof value);
    (void)snprintf(
        out, RQT_SEEN_MAX,
        "%s %s lane=%s attempt=%s failures=%lld error=%s reason=%s replaced_by=%d replaces=%d "
        "max_retries=%s key=%s call=%.1s handed=%s progress=%s waiting=%s delayed=%d value=%s",
        text_of(t, "task"), text_of(t, "status"), text_of(t, "lane"), text_of(t, "attempt"),
        (long long)refq_task_number(t, "failures", 0), text_of(t, "error"), text_of(t, "reason"),
        number_of(w, t, "replaced_by"), number_of(w, t, "replaces"), text_of(t, "max_retries"),
        text_of(t, "key"), text_of(t, "call"), text_of(t, "handed"), progress_of(t),
        text_of(t, "waiting"), is_delayed(t) && !looks_later(w, task), value);
    refq_task_free(t);
}

void rqt_world_numbers(rqt_world *w, char out[RQT_SEEN_MAX])
{
    refq_stats s;
    refq_error err;
    if (refq_client_stats(w->client, w->queue, &s, &err) != REFQ_OK) {
        (void)snprintf(out, RQT_SEEN_MAX, "%s", err.text);
        return;
    }
    (void)snprintf(out, RQT_SEEN_MAX,
                   "pending=%lld processing=%lld dead=%lld submitted=%lld complete=%lld "
                   "failed=%lld cancelled=%lld retries=%lld deaths=%lld releases=%lld paused=%d",
                   (long long)s.pending, (long long)s.processing, (long long)s.dead,
                   (long long)s.submitted, (long long)s.complete, (long long)s.failed,
                   (long long)s.cancelled, (long long)s.retries, (long long)s.deaths,
                   (long long)s.releases, s.paused);
}
