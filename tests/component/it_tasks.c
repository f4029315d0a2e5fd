/* SPDX-License-Identifier: MIT */
/* The life of tasks through the public API: a client here, an inline worker in a thread. */
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/wait.h"
#include "support/worker_thread.h"

#include "task/library_name.h"

#include <refq/refq.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE "docs"

static refq_client *client;
static refq_worker *worker;
static rqt_worker_thread worker_thread;

static refq_err echo(refq_ctx *ctx, void *arg)
{
    (void)arg;
    return refq_ctx_return_json(ctx, refq_ctx_args_json(ctx));
}

static refq_err fail_twice(refq_ctx *ctx, void *arg)
{
    (void)arg;
    if (refq_ctx_attempt(ctx) <= 2) {
        return refq_ctx_fail(ctx, REFQ_ERR_IO, "attempt %u: not yet", refq_ctx_attempt(ctx));
    }
    return refq_ctx_return_json(ctx, "\"third time\"");
}

static refq_err until_stopped(refq_ctx *ctx, void *arg)
{
    (void)arg;
    int64_t i = 0;
    while (refq_ctx_progress(ctx, i, 0, "waiting to be stopped")) {
        i++;
        rqt_nap();
    }
    return REFQ_ERR_IO;
}

static refq_err refuse(refq_ctx *ctx, void *arg)
{
    (void)arg;
    return refq_ctx_fail(ctx, REFQ_ERR_INVALID, "never");
}

static void add(refq_handlers *set, const char *name, refq_run_mode mode, refq_handler fn)
{
    refq_error err;
    refq_task_def def = {.struct_size = sizeof def,
                         .name = name,
                         .backoff = {.base_ms = 20, .factor = 2, .cap_ms = 100}};
    ck_assert_int_eq(refq_handlers_add_function(set, &def, mode, fn, NULL, &err), REFQ_OK);
}

static void start_worker(void)
{
    refq_error err;
    refq_handlers *set = NULL;
    refq_worker_options o = {
        .struct_size = sizeof o, .redis = rqt_redis_url(), .concurrency = 4, .lease_ms = 1000};
    ck_assert_msg(refq_worker_new(&o, &worker, &err) == REFQ_OK, "%s", err.text);
    ck_assert_int_eq(refq_handlers_new(&set, &err), REFQ_OK);
    add(set, "echo", REFQ_RUN_INLINE, echo);
    add(set, "fail_twice", REFQ_RUN_THREAD, fail_twice);
    add(set, "until_stopped", REFQ_RUN_THREAD, until_stopped);
    add(set, "refuse", REFQ_RUN_THREAD, refuse);
    ck_assert_msg(refq_worker_serve(worker, QUEUE, set, &err) == REFQ_OK, "%s", err.text);
    refq_handlers_unref(set);
    rqt_worker_thread_start(&worker_thread, worker);
}

static void setup(void)
{
    refq_error err;
    refq_redis_options o = {.struct_size = sizeof o, .url = rqt_redis_url()};
    rqt_redis_clean();
    ck_assert_msg(refq_client_open(&o, &client, &err) == REFQ_OK, "%s", err.text);
    start_worker();
}

static void teardown(void)
{
    (void)rqt_worker_thread_stop(&worker_thread);
    refq_worker_free(worker);
    rqt_audit(QUEUE);
    refq_client_close(client);
}

static refq_ref submit(refq_spec spec)
{
    refq_error err;
    refq_submitted done;
    spec.struct_size = sizeof spec;
    ck_assert_int_eq(refq_ref_make(QUEUE, &spec.ref, &err), REFQ_OK);
    ck_assert_msg(refq_client_submit(client, &spec, &done, &err) == REFQ_OK, "%s", err.text);
    return done.ref;
}

static refq_task *wait_for(const refq_ref *ref)
{
    refq_error err;
    refq_task *task = NULL;
    ck_assert_msg(refq_client_wait(client, ref, 10000, NULL, NULL, &task, &err) == REFQ_OK, "%s",
                  err.text);
    return task;
}

static void expect_end(const refq_ref *ref, refq_status status)
{
    refq_task *task = wait_for(ref);
    ck_assert_str_eq(refq_status_name(refq_task_status(task)), refq_status_name(status));
    refq_task_free(task);
}

static int runs(const refq_ref *ref)
{
    refq_task *task = NULL;
    ck_assert_int_eq(refq_client_status(client, ref, &task, NULL), REFQ_OK);
    int running = refq_task_status(task) == REFQ_PROCESSING && refq_task_field(task, "progress");
    refq_task_free(task);
    return running;
}

START_TEST(a_result_comes_back_as_a_cache_entry)
{
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_error err;
    refq_ref ref = submit((refq_spec){.task = "echo", .args = "{\"b\":1,\"a\":[1.5,\"\\u00e9\"]}"});
    expect_end(&ref, REFQ_COMPLETE);
    ck_assert_int_eq(refq_client_result(client, &ref, &task, &entry, &len, &err), REFQ_OK);
    ck_assert_ptr_nonnull(
        strstr(entry, "{\"value\": {\"b\":1,\"a\":[1.5,\"é\"]}, \"namespace\": \"public\", "
                      "\"policy\": {\"user_permissions\": 31, \"agent_permissions\": 17,"));
    ck_assert_ptr_nonnull(strstr(entry, "\"expires_at\": "));
    ck_assert_ptr_nonnull(
        strstr(entry, "\"metadata\": {\"tool_name\": \"echo\", \"total_items\": 2,"));
    refq_task_free(task);
    free(entry);
}
END_TEST

START_TEST(failures_are_retried_and_counted)
{
    refq_ref ref = submit((refq_spec){.task = "fail_twice"});
    refq_task *task = wait_for(&ref);
    ck_assert_int_eq(refq_task_status(task), REFQ_COMPLETE);
    ck_assert_int_eq(refq_task_number(task, "attempt", 0), 3);
    ck_assert_int_eq(refq_task_number(task, "failures", 0), 2);
    ck_assert_str_eq(refq_task_field(task, "error"), "attempt 2: not yet");
    ck_assert_int_eq(rqt_redis_int("LLEN refq:{docs}:history:%s", ref.hex), 2);
    refq_task_free(task);
}
END_TEST

START_TEST(retries_run_out)
{
    refq_ref ref = submit((refq_spec){.task = "fail_twice", .max_retries = 1});
    refq_task *task = wait_for(&ref);
    ck_assert_int_eq(refq_task_status(task), REFQ_FAILED);
    ck_assert_str_eq(refq_task_field(task, "reason"), "exhausted");
    ck_assert_int_eq(refq_task_number(task, "attempt", 0), 2);
    refq_task_free(task);
}
END_TEST

START_TEST(a_permanent_failure_is_not_retried)
{
    refq_ref ref = submit((refq_spec){.task = "refuse"});
    refq_task *task = wait_for(&ref);
    ck_assert_int_eq(refq_task_status(task), REFQ_FAILED);
    ck_assert_str_eq(refq_task_field(task, "reason"), "permanent");
    ck_assert_int_eq(refq_task_number(task, "attempt", 0), 1);
    refq_task_free(task);
}
END_TEST

START_TEST(cancel_stops_a_running_task)
{
    refq_error err;
    refq_task *task = NULL;
    refq_ref ref = submit((refq_spec){.task = "until_stopped"});
    ck_assert(RQT_UNTIL(runs(&ref), 5000));
    ck_assert_int_eq(refq_client_cancel(client, &ref, &task, &err), REFQ_OK);
    ck_assert_int_eq(refq_task_status(task), REFQ_CANCELLED);
    refq_task_free(task);
    /* The slot is free again once the handler has returned. */
    ck_assert(RQT_UNTIL(rqt_redis_int("HGET refq:{docs}:meta processing") == 0, 5000));
    expect_end(&ref, REFQ_CANCELLED);
}
END_TEST

START_TEST(a_timeout_is_a_failure_of_the_attempt)
{
    refq_ref ref = submit(
        (refq_spec){.task = "until_stopped", .timeout_ms = 50, .max_retries = REFQ_NO_RETRIES});
    refq_task *task = wait_for(&ref);
    ck_assert_int_eq(refq_task_status(task), REFQ_FAILED);
    ck_assert_str_eq(refq_task_field(task, "error"), "timed out after 50 ms");
    refq_task_free(task);
}
END_TEST

START_TEST(a_delayed_task_waits)
{
    refq_task *task = NULL;
    refq_ref ref = submit((refq_spec){.task = "echo", .delay_ms = 300});
    ck_assert_int_eq(refq_client_status(client, &ref, &task, NULL), REFQ_OK);
    ck_assert_int_eq(refq_task_status(task), REFQ_PENDING);
    ck_assert_ptr_nonnull(refq_task_field(task, "due_at"));
    int64_t due = refq_task_number(task, "due_at", 0);
    refq_task_free(task);
    task = wait_for(&ref);
    ck_assert_int_eq(refq_task_status(task), REFQ_COMPLETE);
    ck_assert_int_ge(refq_task_number(task, "started_at", 0), due);
    refq_task_free(task);
}
END_TEST

START_TEST(an_idempotency_key_finds_the_first_task)
{
    refq_error err;
    refq_submitted done;
    refq_ref first = submit((refq_spec){.task = "echo", .key = "order-17"});
    refq_spec again = {.struct_size = sizeof again, .task = "echo", .key = "order-17"};
    ck_assert_int_eq(refq_ref_make(QUEUE, &again.ref, &err), REFQ_OK);
    ck_assert_int_eq(refq_client_submit(client, &again, &done, &err), REFQ_OK);
    ck_assert(done.existed);
    ck_assert_str_eq(done.ref.hex, first.hex);
    expect_end(&first, REFQ_COMPLETE);
}
END_TEST

START_TEST(submitting_the_same_reference_twice_is_once)
{
    refq_error err;
    refq_submitted done;
    refq_spec spec = {.struct_size = sizeof spec, .task = "echo"};
    ck_assert_int_eq(refq_ref_make(QUEUE, &spec.ref, &err), REFQ_OK);
    ck_assert_int_eq(refq_client_submit(client, &spec, &done, &err), REFQ_OK);
    ck_assert(!done.existed);
    ck_assert_int_eq(refq_client_submit(client, &spec, &done, &err), REFQ_OK);
    ck_assert(done.existed);
    expect_end(&spec.ref, REFQ_COMPLETE);
    ck_assert_int_eq(rqt_redis_int("HGET refq:{docs}:meta complete"), 1);
}
END_TEST

START_TEST(many_tasks_in_all_lanes)
{
    enum { N = 600 };
    static refq_spec specs[N];
    static refq_submitted done[N];
    refq_error err;
    for (int i = 0; i < N; i++) {
        specs[i] = (refq_spec){.struct_size = sizeof specs[i],
                               .task = "echo",
                               .lane = (refq_lane)(i % 3),
                               .args = "{\"page\":17}"};
        ck_assert_int_eq(refq_ref_make(QUEUE, &specs[i].ref, &err), REFQ_OK);
    }
    ck_assert_msg(refq_client_submit_many(client, specs, N, done, &err) == REFQ_OK, "%s", err.text);
    for (int i = 0; i < N; i++) {
        expect_end(&done[i].ref, REFQ_COMPLETE);
    }
}
END_TEST

START_TEST(large_arguments_and_results_pass)
{
    enum { BYTES = 300000 };
    char *args = malloc(BYTES + 32);
    ck_assert_ptr_nonnull(args);
    int at = snprintf(args, 32, "{\"text\":\"");
    memset(args + at, 'x', BYTES);
    (void)snprintf(args + at + BYTES, 8, "\"}");
    refq_ref ref = submit((refq_spec){.task = "echo", .args = args});
    expect_end(&ref, REFQ_COMPLETE);
    ck_assert_int_gt(rqt_redis_int("STRLEN mcp-refcache:entry:docs:%s", ref.hex), BYTES);
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:args:%s", ref.hex), 0);
    free(args);
}
END_TEST

START_TEST(an_unknown_reference_is_said_to_be_unknown)
{
    refq_error err;
    refq_task *task = NULL;
    refq_ref ref;
    ck_assert_int_eq(refq_ref_make(QUEUE, &ref, &err), REFQ_OK);
    ck_assert_int_eq(refq_client_status(client, &ref, &task, &err), REFQ_ERR_NOTFOUND);
    ck_assert_int_eq(refq_client_wait(client, &ref, 1000, NULL, NULL, &task, &err),
                     REFQ_ERR_NOTFOUND);
    ck_assert_int_eq(refq_client_cancel(client, &ref, &task, &err), REFQ_ERR_NOTFOUND);
}
END_TEST

START_TEST(the_library_loads_itself_again)
{
    rqt_redis_do("FUNCTION FLUSH");
    refq_ref ref = submit((refq_spec){.task = "echo"});
    expect_end(&ref, REFQ_COMPLETE);
    rqt_redis_do("FUNCTION FLUSH");
    ref = submit(
        (refq_spec){.task = "until_stopped", .timeout_ms = 100, .max_retries = REFQ_NO_RETRIES});
    rqt_redis_do("FUNCTION FLUSH");
    expect_end(&ref, REFQ_FAILED);
}
END_TEST

static int64_t lateness_of_a_delayed_task(void)
{
    refq_ref ref = submit((refq_spec){.task = "echo", .delay_ms = 200});
    int64_t due = rqt_redis_int("HGET refq:{docs}:task:%s due_at", ref.hex);
    refq_task *task = wait_for(&ref);
    int64_t late = refq_task_number(task, "started_at", 0) - due;
    refq_task_free(task);
    return late;
}

START_TEST(delayed_tasks_in_a_row_all_wake_somebody)
{
    /* Not a measure of speed: without a wake-up of its own every second one, three of them, waits
     * until a beat notices that it is half a second late. */
    int late = 0;
    for (int i = 0; i < 6; i++) {
        late += lateness_of_a_delayed_task() > 450;
    }
    ck_assert_int_le(late, 2);
}
END_TEST

START_TEST(a_refused_doorbell_does_not_deafen_an_idle_worker)
{
    ck_assert(RQT_UNTIL(rqt_redis_int("SCARD refq:{docs}:parked") == 1, 5000));
    /* A foreign key in the bell's place: the next BLPOP is refused with WRONGTYPE. */
    rqt_redis_do("SET refq:{docs}:bell foreign PX 1500");
    rqt_redis_do("CLIENT KILL TYPE normal SKIPME yes");
    ck_assert(RQT_UNTIL(rqt_redis_int("EXISTS refq:{docs}:bell") == 0, 5000));
    refq_ref ref = submit((refq_spec){.task = "echo"});
    expect_end(&ref, REFQ_COMPLETE);
}
END_TEST

START_TEST(the_index_of_finished_tasks_does_not_grow_for_ever)
{
    for (int i = 0; i < 500; i++) {
        rqt_redis_do("ZADD refq:{docs}:terminal %d %032d", 1000 + i, i);
    }
    for (int i = 0; i < 300; i++) {
        (void)submit((refq_spec){.task = "echo"});
    }
    ck_assert(RQT_UNTIL(rqt_redis_int("HGET refq:{docs}:meta complete") == 300, 10000));
    ck_assert_int_le(rqt_redis_int("ZCOUNT refq:{docs}:terminal 0 2000"), 200);
    rqt_redis_do("ZREMRANGEBYSCORE refq:{docs}:terminal 0 2000");
}
END_TEST

START_TEST(a_foreign_worker_cannot_report_with_a_copied_fence)
{
    refq_error err;
    refq_task *task = NULL;
    refq_ref ref = submit((refq_spec){.task = "until_stopped"});
    ck_assert(RQT_UNTIL(runs(&ref), 5000));
    const char *entry = rqt_redis_str("HGET refq:{docs}:task:%s entry", ref.hex);
    char copy[64];
    (void)snprintf(copy, sizeof copy, "%s", entry);
    redisReply *r = rqt_redis("FCALL " RQI_LIBRARY_NAME "_finish 1 refq:{docs}:meta stranger 0 0 0 "
                              "mcp-refcache:entry:docs: 60000 60000 - 1 %s %s ok 60000 0 null {}",
                              ref.hex, copy);
    ck_assert_str_eq(r->element[6]->str, "stale");
    freeReplyObject(r);
    ck_assert_int_eq(rqt_redis_int("EXISTS mcp-refcache:entry:docs:%s", ref.hex), 0);
    ck_assert_int_eq(refq_client_cancel(client, &ref, &task, &err), REFQ_OK);
    refq_task_free(task);
}
END_TEST

START_TEST(a_waiter_learns_that_its_task_was_not_started_in_time_without_any_worker)
{
    refq_spec spec = {.task = "echo", .start_within_ms = 200};
    (void)rqt_worker_thread_stop(&worker_thread);
    refq_ref ref = submit(spec);
    refq_task *task = wait_for(&ref);
    ck_assert_str_eq(refq_status_name(refq_task_status(task)), "failed");
    ck_assert_str_eq(refq_task_field(task, "reason"), "expired");
    refq_task_free(task);
    refq_worker_free(worker);
    start_worker();
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("tasks");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_result_comes_back_as_a_cache_entry);
    tcase_add_test(c, failures_are_retried_and_counted);
    tcase_add_test(c, retries_run_out);
    tcase_add_test(c, a_permanent_failure_is_not_retried);
    tcase_add_test(c, cancel_stops_a_running_task);
    tcase_add_test(c, a_timeout_is_a_failure_of_the_attempt);
    tcase_add_test(c, a_delayed_task_waits);
    tcase_add_test(c, an_idempotency_key_finds_the_first_task);
    tcase_add_test(c, submitting_the_same_reference_twice_is_once);
    tcase_add_test(c, many_tasks_in_all_lanes);
    tcase_add_test(c, large_arguments_and_results_pass);
    tcase_add_test(c, an_unknown_reference_is_said_to_be_unknown);
    tcase_add_test(c, the_library_loads_itself_again);
    tcase_add_test(c, delayed_tasks_in_a_row_all_wake_somebody);
    tcase_add_test(c, a_refused_doorbell_does_not_deafen_an_idle_worker);
    tcase_add_test(c, the_index_of_finished_tasks_does_not_grow_for_ever);
    tcase_add_test(c, a_waiter_learns_that_its_task_was_not_started_in_time_without_any_worker);
    tcase_add_test(c, a_foreign_worker_cannot_report_with_a_copied_fence);
    Suite *s = suite_create("it_tasks");
    suite_add_tcase(s, c);
    return rqt_main_redis(s, NULL);
}
