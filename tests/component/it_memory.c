/* SPDX-License-Identifier: MIT */
/* What only the memory backend has: its options, its end, and time taking its tasks away. (The
 * contract has the rest.) */
#include "contract/contract.h"
#include "support/main.h"
#include "support/wait.h"

#include <refq/memory.h>

#include <check.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET_MS 20000

static rqi_ct_stage *stage;
static refq_handlers *handlers;
static refq_client *client;
static refq_error err;
static atomic_int stuck_lines;

static void on_line(void *arg, refq_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    atomic_fetch_add(&stuck_lines, strstr(line, "event=stuck_handlers") != NULL);
}

static refq_err crash(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    _Exit(7);
}

static void setup(void)
{
    static const char *const argv[] = {"cat", NULL};
    refq_exec_def exec = {.struct_size = sizeof exec, .argv = argv};
    refq_task_def cat = {.struct_size = sizeof cat, .name = "cat"};
    refq_task_def crashing = {.struct_size = sizeof crashing,
                              .name = "crash",
                              .child = true,
                              .backoff = {.base_ms = 1, .factor = 1, .cap_ms = 1}};
    stage = rqi_ct_stage_new();
    ck_assert_ptr_nonnull(stage);
    ck_assert_int_eq(refq_handlers_new(&handlers, &err), REFQ_OK);
    ck_assert_int_eq(rqi_ct_stage_handlers(stage, handlers, &err), REFQ_OK);
    ck_assert_int_eq(refq_handlers_add_exec(handlers, &cat, &exec, &err), REFQ_OK);
    ck_assert_int_eq(
        refq_handlers_add_function(handlers, &crashing, REFQ_RUN_THREAD, crash, NULL, &err),
        REFQ_OK);
}

static void open_queues(const refq_memory_options *queues, size_t n)
{
    refq_memory memory = {.struct_size = sizeof memory, .queues = queues, .n = n};
    ck_assert_msg(refq_client_open_with(refq_backend_memory_factory, &memory, &client, &err) ==
                      REFQ_OK,
                  "%s", err.text);
}

static void open_one(int64_t record_ttl_ms)
{
    refq_memory_options o = {.struct_size = sizeof o,
                             .queue = "docs",
                             .handlers = handlers,
                             .threads = 2,
                             .record_ttl_ms = record_ttl_ms,
                             .log = {.fn = on_line}};
    open_queues(&o, 1);
}

static void teardown(void)
{
    rqi_ct_open_all(stage);
    refq_client_close(client);
    client = NULL;
    refq_handlers_unref(handlers);
    rqi_ct_stage_free(stage);
}

static refq_ref submit_to(const char *queue, refq_spec spec)
{
    refq_submitted done;
    spec.struct_size = sizeof spec;
    ck_assert_int_eq(refq_ref_make(queue, &spec.ref, &err), REFQ_OK);
    ck_assert_msg(refq_client_submit(client, &spec, &done, &err) == REFQ_OK, "%s", err.text);
    return done.ref;
}

#define SUBMIT(...) submit_to("docs", (refq_spec){__VA_ARGS__})

static refq_task *end_of(const refq_ref *ref)
{
    refq_task *task = NULL;
    ck_assert_msg(refq_client_wait(client, ref, BUDGET_MS, NULL, NULL, &task, &err) == REFQ_OK,
                  "%s", err.text);
    return task;
}

static void expect_end(const refq_ref *ref, refq_status status, const char *reason)
{
    refq_task *task = end_of(ref);
    const char *said = refq_task_field(task, "reason");
    ck_assert_str_eq(refq_status_name(refq_task_status(task)), refq_status_name(status));
    ck_assert_str_eq(said != NULL ? said : "", reason);
    refq_task_free(task);
}

static bool is_gone(const refq_ref *ref)
{
    refq_task *task = NULL;
    refq_err rc = refq_client_status(client, ref, &task, NULL);
    refq_task_free(task);
    return rc == REFQ_ERR_NOTFOUND;
}

static bool has_field(const refq_ref *ref, const char *name)
{
    refq_task *task = NULL;
    ck_assert_int_eq(refq_client_status(client, ref, &task, &err), REFQ_OK);
    bool has = refq_task_field(task, name) != NULL;
    refq_task_free(task);
    return has;
}

/* --- Options ---------------------------------------------------------------------------------- */

START_TEST(bad_options_are_refused)
{
    refq_handlers *none = NULL;
    ck_assert_int_eq(refq_handlers_new(&none, &err), REFQ_OK);
    const refq_memory_options good = {
        .struct_size = sizeof good, .queue = "docs", .handlers = handlers};
    refq_memory_options bad[6] = {good, good, good, good, good, good};
    bad[0].queue = NULL;
    bad[1].queue = "a b";
    bad[2].handlers = NULL;
    bad[3].handlers = none;
    bad[4].threads = 5000;
    bad[5].record_ttl_ms = -1;
    const refq_memory_options twice[] = {good, good};
    struct event_base *base = event_base_new();
    refq_backend *b = NULL;
    for (int i = 0; i < 6; i++) {
        refq_err rc = refq_backend_memory_new(base, &bad[i], 1, &b, &err);
        ck_assert_msg(rc == REFQ_ERR_INVALID || rc == REFQ_ERR_LIMIT, "%d: %s", i,
                      refq_strerror(rc));
    }
    ck_assert_int_eq(refq_backend_memory_new(base, twice, 2, &b, &err), REFQ_ERR_CONFLICT);
    ck_assert_int_eq(refq_backend_memory_new(base, &good, 0, &b, &err), REFQ_ERR_LIMIT);
    event_base_free(base);
    refq_handlers_unref(none);
}
END_TEST

START_TEST(queues_know_nothing_of_each_other)
{
    refq_memory_options o[2] = {
        {.struct_size = sizeof o[0], .queue = "second", .handlers = handlers, .threads = 1},
        {.struct_size = sizeof o[1], .queue = "first", .handlers = handlers, .threads = 1}};
    open_queues(o, 2);
    refq_texts names;
    refq_control pause = {.struct_size = sizeof pause, .queue = "second", .action = REFQ_PAUSE};
    ck_assert_int_eq(refq_client_queues(client, &names, &err), REFQ_OK);
    ck_assert_uint_eq(names.n, 2);
    ck_assert_str_eq(names.items[0], "first");
    refq_texts_free(&names);
    ck_assert_int_eq(refq_client_control(client, &pause, NULL, &err), REFQ_OK);
    refq_ref waits = submit_to("second", (refq_spec){.task = "play", .key = "same"});
    refq_ref runs = submit_to("first", (refq_spec){.task = "play", .key = "same"});
    expect_end(&runs, REFQ_COMPLETE, "");
    ck_assert(!has_field(&waits, "completed_at"));
}
END_TEST

START_TEST(a_queue_that_is_not_here_is_told)
{
    open_one(0);
    refq_submitted done;
    refq_spec spec = {.struct_size = sizeof spec, .task = "play"};
    ck_assert_int_eq(refq_ref_make("elsewhere", &spec.ref, &err), REFQ_OK);
    ck_assert_int_eq(refq_client_submit(client, &spec, &done, &err), REFQ_ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "elsewhere"));
}
END_TEST

START_TEST(max_pending_can_be_an_option)
{
    refq_memory_options o = {.struct_size = sizeof o,
                             .queue = "docs",
                             .handlers = handlers,
                             .threads = 1,
                             .max_pending = 1};
    open_queues(&o, 1);
    refq_submitted done;
    refq_spec spec = {.struct_size = sizeof spec, .task = "play"};
    (void)SUBMIT(.task = "play", .delay_ms = 3600000);
    ck_assert_int_eq(refq_ref_make("docs", &spec.ref, &err), REFQ_OK);
    ck_assert_int_eq(refq_client_submit(client, &spec, &done, &err), REFQ_ERR_FULL);
}
END_TEST

/* --- Handlers of all sorts -------------------------------------------------------------------- */

START_TEST(programs_run_without_redis)
{
    open_one(0);
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_ref ref = SUBMIT(.task = "cat", .args = "{\"a\":[1,2]}");
    expect_end(&ref, REFQ_COMPLETE, "");
    ck_assert_int_eq(refq_client_result(client, &ref, &task, &entry, &len, &err), REFQ_OK);
    ck_assert_ptr_nonnull(strstr(entry, "{\"a\":[1,2]}"));
    free(entry);
    refq_task_free(task);
}
END_TEST

static refq_denial deny(void *arg, const refq_actor *actor, const refq_policy *policy,
                        const char *namespace_name, unsigned wanted)
{
    (void)actor;
    (void)policy;
    (void)namespace_name;
    (void)wanted;
    (*(int *)arg)++;
    return REFQ_DENIAL_OTHER;
}

START_TEST(a_checker_of_ones_own_decides_about_inputs)
{
    int asked = 0;
    char args[100];
    char text[REFQ_REF_MAX + 1];
    const refq_scope agent = {.struct_size = sizeof agent, .actor = "agent:*"};
    const refq_access access = {.struct_size = sizeof access, .check = deny, .check_arg = &asked};
    refq_memory_options o = {.struct_size = sizeof o,
                             .queue = "docs",
                             .handlers = handlers,
                             .threads = 1,
                             .access = &access};
    open_queues(&o, 1);
    refq_ref input = SUBMIT(.task = "cat", .args = "{\"a\":1}");
    expect_end(&input, REFQ_COMPLETE, "");
    (void)snprintf(args, sizeof args, "{\"x\":\"%s\"}", refq_ref_format(&input, text));
    refq_ref ref = SUBMIT(.task = "cat", .args = args, .scope = &agent);
    expect_end(&ref, REFQ_FAILED, "permanent");
    ck_assert_int_gt(asked, 0);
}
END_TEST

START_TEST(three_crashes_are_poison)
{
    open_one(0);
    refq_texts lines;
    refq_ref ref = SUBMIT(.task = "crash");
    refq_task *task = end_of(&ref);
    ck_assert_str_eq(refq_task_field(task, "reason"), "poison");
    ck_assert_int_eq(refq_task_number(task, "crashes", 0), 3);
    ck_assert_int_eq(refq_task_number(task, "failures", 0), 0);
    refq_task_free(task);
    ck_assert_int_eq(refq_client_history(client, &ref, &lines, &err), REFQ_OK);
    ck_assert_uint_eq(lines.n, 3);
    refq_texts_free(&lines);
}
END_TEST

/* --- Time ------------------------------------------------------------------------------------- */

START_TEST(records_go_when_their_time_is_over)
{
    open_one(30);
    refq_ref cancelled = SUBMIT(.task = "play", .delay_ms = 3600000);
    refq_ref failed = SUBMIT(.task = "play", .args = "{\"fail\":1,\"permanent\":1}");
    refq_task *task = NULL;
    expect_end(&failed, REFQ_FAILED, "permanent");
    ck_assert_int_eq(refq_client_cancel(client, &cancelled, &task, &err), REFQ_OK);
    refq_task_free(task);
    ck_assert(RQT_UNTIL(is_gone(&cancelled), BUDGET_MS));
    ck_assert(RQT_UNTIL(is_gone(&failed), BUDGET_MS));
}
END_TEST

/* The record of a result outlives the result, however short records are kept. */
START_TEST(a_record_outlives_its_value)
{
    open_one(1);
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_ref ref = SUBMIT(.task = "brief");
    expect_end(&ref, REFQ_COMPLETE, "");
    ck_assert(RQT_UNTIL(refq_client_result(client, &ref, &task, &entry, &len, &err) != REFQ_OK ||
                            (refq_task_free(task), free(entry), task = NULL, false),
                        BUDGET_MS));
    ck_assert_int_eq(err.code, REFQ_ERR_NOTFOUND);
    refq_task_free(task);
    ck_assert(!is_gone(&ref));
}
END_TEST

/* Its time was over long ago, and it does not end: others may go on. */
START_TEST(an_overdue_handler_is_given_up)
{
    open_one(0);
    refq_ref ref = SUBMIT(.task = "play", .args = "{\"gate\":1,\"ignore\":1}", .timeout_ms = 20,
                          .max_retries = REFQ_NO_RETRIES);
    expect_end(&ref, REFQ_FAILED, "exhausted");
    ck_assert_uint_eq(rqi_ct_left(stage, 1), 0);
    rqi_ct_open(stage, 1);
    ck_assert(RQT_UNTIL(rqi_ct_left(stage, 1) == 1, BUDGET_MS));
    expect_end(&ref, REFQ_FAILED, "exhausted"); /* what it says at last is not heard */
}
END_TEST

/* --- The end ---------------------------------------------------------------------------------- */

START_TEST(what_runs_is_told_to_stop)
{
    open_one(0);
    (void)SUBMIT(.task = "play", .args = "{\"gate\":1}");
    ck_assert(RQT_UNTIL(rqi_ct_arrived(stage, 1) == 1, BUDGET_MS));
    refq_client_close(client);
    client = NULL;
    ck_assert_uint_eq(rqi_ct_left(stage, 1), 1);
    ck_assert_int_eq(atomic_load(&stuck_lines), 0);
}
END_TEST

START_TEST(a_handler_that_does_not_return_is_left_alone)
{
    open_one(0);
    (void)SUBMIT(.task = "play", .args = "{\"gate\":1,\"ignore\":1}");
    ck_assert(RQT_UNTIL(rqi_ct_arrived(stage, 1) == 1, BUDGET_MS));
    refq_client_close(client);
    client = NULL;
    ck_assert_uint_eq(rqi_ct_left(stage, 1), 0);
    ck_assert_int_eq(atomic_load(&stuck_lines), 1);
    rqi_ct_open(stage, 1);
    ck_assert(RQT_UNTIL(rqi_ct_left(stage, 1) == 1, BUDGET_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("memory");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, bad_options_are_refused);
    tcase_add_test(tc, queues_know_nothing_of_each_other);
    tcase_add_test(tc, a_queue_that_is_not_here_is_told);
    tcase_add_test(tc, max_pending_can_be_an_option);
    tcase_add_test(tc, programs_run_without_redis);
    tcase_add_test(tc, a_checker_of_ones_own_decides_about_inputs);
    tcase_add_test(tc, three_crashes_are_poison);
    tcase_add_test(tc, records_go_when_their_time_is_over);
    tcase_add_test(tc, a_record_outlives_its_value);
    tcase_add_test(tc, an_overdue_handler_is_given_up);
    tcase_add_test(tc, what_runs_is_told_to_stop);
    suite_add_tcase(suite, tc);
    /* The stage is used by a thread to the end of the process. */
    TCase *left = tcase_create("left alone");
    tcase_set_timeout(left, 60);
    tcase_add_checked_fixture(left, setup, NULL);
    tcase_add_test(left, a_handler_that_does_not_return_is_left_alone);
    suite_add_tcase(suite, left);
    return rqt_main(suite);
}
