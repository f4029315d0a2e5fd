/* SPDX-License-Identifier: MIT */
/* Handlers, their contexts and the executor, without any backend. */
#include "support/main.h"
#include "support/wait.h"

#include "base/clock.h"
#include "codec/args.h"
#include "run/executor.h"

#include <check.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct event_base *base;
static rqi_executor *executor;
static refq_handlers *handlers;

/* A run and what its owner was told. */
struct owner {
    rqi_run run;
    int done;
    int progress;
    char question[256];
    const char *reply; /* given to the question; NULL = none */
    rqi_stop_reason stop_on_ask;
};

static char logged[1024];

static void keep_line(void *arg, refq_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)snprintf(logged, sizeof logged, "%s", line);
}

static const refq_logger logger = {.fn = keep_line, .level = REFQ_LOG_INFO};

static void setup(void)
{
    refq_error err;
    base = event_base_new();
    const rqi_executor_options o = {.base = base, .threads = 2, .log = &logger};
    ck_assert_ptr_nonnull(base);
    ck_assert_msg(rqi_executor_new(&o, &executor, &err) == REFQ_OK, "%s", err.text);
    ck_assert_int_eq(refq_handlers_new(&handlers, &err), REFQ_OK);
    logged[0] = '\0';
}

static void teardown(void)
{
    ck_assert_uint_eq(rqi_executor_busy(executor), 0);
    rqi_executor_free(executor);
    refq_handlers_unref(handlers);
    event_base_free(base);
}

static void on_done(rqi_run *run)
{
    ((struct owner *)run)->done++;
}

static void on_progress(rqi_run *run)
{
    ((struct owner *)run)->progress++;
}

static void on_ask(rqi_run *run, const char *json, size_t len)
{
    struct owner *o = (struct owner *)run;
    (void)snprintf(o->question, sizeof o->question, "%.*s", (int)len, json);
    if (o->reply != NULL) {
        ck_assert(rqi_run_answer(run, o->reply, strlen(o->reply)));
    }
    if (o->stop_on_ask != RQI_STOP_NONE) {
        rqi_run_stop(run, o->stop_on_ask);
    }
}

static void add(const char *name, refq_run_mode mode, refq_handler fn, int64_t timeout_ms)
{
    refq_error err;
    refq_task_def def = {.struct_size = sizeof def, .name = name, .timeout_ms = timeout_ms};
    ck_assert_msg(refq_handlers_add_function(handlers, &def, mode, fn, NULL, &err) == REFQ_OK, "%s",
                  err.text);
}

static void make(struct owner *o, const char *name)
{
    rqi_run_init(&o->run);
    o->run.handler = rqi_handlers_find(handlers, name);
    ck_assert_ptr_nonnull(o->run.handler);
    (void)snprintf(o->run.ref.queue, sizeof o->run.ref.queue, "docs");
    (void)snprintf(o->run.ref.hex, sizeof o->run.ref.hex, "%032d", 7);
    o->run.number = 3;
    rqi_buf_add(&o->run.args, "m\x80", 2);
    o->run.on_done = on_done;
    o->run.on_progress = on_progress;
    o->run.on_ask = on_ask;
}

static bool turn_until_done(const struct owner *o)
{
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    return o->done > 0;
}

static void run_to_the_end(struct owner *o)
{
    rqi_run_start(executor, &o->run);
    ck_assert(RQT_UNTIL(turn_until_done(o), 5000));
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    ck_assert_int_eq(o->done, 1);
}

/* --- Handlers --------------------------------------------------------------------------------- */

static refq_err answer(refq_ctx *ctx, void *arg)
{
    (void)arg;
    return refq_ctx_return_json(ctx, refq_ctx_args_json(ctx));
}

START_TEST(a_result_is_the_outcome)
{
    add("thread", REFQ_RUN_THREAD, answer, 0);
    add("inline", REFQ_RUN_INLINE, answer, 0);
    const char *names[] = {"thread", "inline"};
    for (int i = 0; i < 2; i++) {
        struct owner o = {0};
        make(&o, names[i]);
        run_to_the_end(&o);
        ck_assert_int_eq(o.run.outcome.kind, RQI_DONE);
        ck_assert_str_eq(rqi_buf_str(&o.run.outcome.value), "{}");
        rqi_run_clear(&o.run);
    }
}
END_TEST

START_TEST(arguments_of_an_unknown_format_fail_for_good)
{
    struct owner o = {0};
    add("thread", REFQ_RUN_THREAD, answer, 0);
    make(&o, "thread");
    rqi_buf_clear(&o.run.args);
    rqi_buf_add(&o.run.args, "z\x80", 2);
    run_to_the_end(&o);
    ck_assert_int_eq(o.run.outcome.kind, RQI_PERMANENT);
    ck_assert_ptr_nonnull(strstr(o.run.outcome.error, "undecodable arguments"));
    rqi_run_clear(&o.run);
}
END_TEST

static refq_err report_often(refq_ctx *ctx, void *arg)
{
    (void)arg;
    for (int64_t i = 1; i <= 1000; i++) {
        (void)refq_ctx_progress(ctx, i, 1000,
                                "a message that is much longer than the sixty-four "
                                "bytes which are kept of it");
    }
    return REFQ_OK;
}

START_TEST(progress_is_told_with_its_latest_value_only)
{
    struct owner o = {0};
    int64_t current = 0;
    int64_t total = 0;
    char message[65];
    add("often", REFQ_RUN_INLINE, report_often, 0);
    make(&o, "often");
    /* The loop does not turn while the handler runs, so a thousand reports are at most one. */
    run_to_the_end(&o);
    ck_assert_int_le(o.progress, 1);
    ck_assert(rqi_run_take_progress(&o.run, &current, &total, message));
    ck_assert_int_eq(current, 1000);
    ck_assert_int_eq(total, 1000);
    ck_assert_uint_eq(strlen(message), 64);
    ck_assert(!rqi_run_take_progress(&o.run, &current, &total, message));
    rqi_run_clear(&o.run);
}
END_TEST

/* --- Stopping --------------------------------------------------------------------------------- */

static refq_err wait_for_cancel(refq_ctx *ctx, void *arg)
{
    struct pollfd p = {.fd = refq_ctx_cancel_fd(ctx), .events = POLLIN};
    (void)arg;
    (void)refq_ctx_progress(ctx, 1, 1, NULL);
    if (refq_ctx_cancel_fd(ctx) != p.fd || poll(&p, 1, 5000) != 1) {
        return refq_ctx_fail(ctx, REFQ_ERR_INVALID, "was not told");
    }
    return refq_ctx_fail(ctx, REFQ_ERR_IO, refq_ctx_is_cancelled(ctx) ? "told" : "told too early");
}

START_TEST(a_descriptor_tells_of_the_cancel)
{
    struct owner o = {0};
    add("poll", REFQ_RUN_THREAD, wait_for_cancel, 0);
    make(&o, "poll");
    rqi_run_start(executor, &o.run);
    ck_assert(RQT_UNTIL((event_base_loop(base, EVLOOP_NONBLOCK), o.progress > 0), 5000));
    rqi_run_stop(&o.run, RQI_STOP_CANCELLED);
    rqi_run_stop(&o.run, RQI_STOP_DRAIN);
    ck_assert(RQT_UNTIL(turn_until_done(&o), 5000));
    ck_assert_str_eq(o.run.outcome.error, "told");
    ck_assert_int_eq(o.run.stop, RQI_STOP_CANCELLED);
    rqi_run_clear(&o.run);
}
END_TEST

static refq_err tell_deadline(refq_ctx *ctx, void *arg)
{
    char json[32];
    (void)arg;
    (void)snprintf(json, sizeof json, "%lld", (long long)refq_ctx_deadline_ms(ctx));
    return refq_ctx_return_json(ctx, json);
}

static int64_t deadline_with(int64_t timeout_ms)
{
    struct owner o = {0};
    make(&o, "deadline");
    o.run.timeout_ms = timeout_ms;
    run_to_the_end(&o);
    int64_t deadline = strtoll(rqi_buf_str(&o.run.outcome.value), NULL, 10);
    rqi_run_clear(&o.run);
    return deadline;
}

START_TEST(a_handler_knows_its_deadline)
{
    add("deadline", REFQ_RUN_THREAD, tell_deadline, 0);
    ck_assert_int_eq(deadline_with(0), 0);
    int64_t before = rqi_mono_ms();
    int64_t deadline = deadline_with(60000);
    ck_assert_int_ge(deadline, before + 60000);
    ck_assert_int_le(deadline, rqi_mono_ms() + 60000);
}
END_TEST

START_TEST(a_timeout_is_retryable_and_named)
{
    struct owner o = {0};
    add("poll", REFQ_RUN_THREAD, wait_for_cancel, 30);
    make(&o, "poll");
    run_to_the_end(&o);
    ck_assert_int_eq(o.run.stop, RQI_STOP_TIMEOUT);
    ck_assert_int_eq(o.run.outcome.kind, RQI_RETRYABLE);
    ck_assert_str_eq(o.run.outcome.error, "timed out after 30 ms");
    rqi_run_clear(&o.run);
}
END_TEST

/* --- Questions -------------------------------------------------------------------------------- */

static refq_err ask(refq_ctx *ctx, void *arg)
{
    char *reply = NULL;
    (void)arg;
    refq_err rc = refq_ctx_ask(ctx, "\"which page?\"", &reply);
    if (rc == REFQ_OK) {
        rc = refq_ctx_return_json(ctx, reply);
    }
    free(reply);
    return rc;
}

START_TEST(a_handler_asks_and_goes_on_with_the_answer)
{
    struct owner o = {.reply = "{\"page\":7}"};
    add("ask", REFQ_RUN_THREAD, ask, 0);
    make(&o, "ask");
    run_to_the_end(&o);
    ck_assert_str_eq(o.question, "{\"question\":\"which page?\"}");
    ck_assert_str_eq(rqi_buf_str(&o.run.outcome.value), "{\"page\":7}");
    ck_assert(!rqi_run_answer(&o.run, "1", 1));
    rqi_run_clear(&o.run);
}
END_TEST

START_TEST(the_timeout_stands_still_while_a_person_thinks)
{
    struct owner o = {0};
    add("ask", REFQ_RUN_THREAD, ask, 800); /* enough to ask, on a slow machine too */
    make(&o, "ask");
    rqi_run_start(executor, &o.run);
    ck_assert(RQT_UNTIL((event_base_loop(base, EVLOOP_NONBLOCK), o.question[0] != '\0'), 5000));
    ck_assert(RQT_STAYS(!turn_until_done(&o), 1200));
    ck_assert(rqi_run_answer(&o.run, "1", 1));
    ck_assert(RQT_UNTIL(turn_until_done(&o), 5000));
    ck_assert_int_eq(o.run.outcome.kind, RQI_DONE);
    rqi_run_clear(&o.run);
}
END_TEST

static refq_err ask_and_tell_deadlines(refq_ctx *ctx, void *arg)
{
    char *reply = NULL;
    char json[64];
    (void)arg;
    int64_t before = refq_ctx_deadline_ms(ctx);
    refq_err rc = refq_ctx_ask(ctx, "\"Which page?\"", &reply);
    (void)snprintf(json, sizeof json, "%lld", (long long)(refq_ctx_deadline_ms(ctx) - before));
    free(reply);
    return rc == REFQ_OK ? refq_ctx_return_json(ctx, json) : rc;
}

START_TEST(a_question_moves_the_deadline)
{
    struct owner o = {0};
    add("ask", REFQ_RUN_THREAD, ask_and_tell_deadlines, 60000);
    make(&o, "ask");
    rqi_run_start(executor, &o.run);
    ck_assert(RQT_UNTIL((event_base_loop(base, EVLOOP_NONBLOCK), o.question[0] != '\0'), 5000));
    int64_t deadline = o.run.deadline_ms;
    ck_assert_int_gt(o.run.left_ms, 0);
    ck_assert(RQT_STAYS(!turn_until_done(&o), 100));
    ck_assert(rqi_run_answer(&o.run, "1", 1));
    ck_assert_int_eq(o.run.left_ms, 0);
    ck_assert_int_ge(o.run.deadline_ms, deadline + 90);
    ck_assert(RQT_UNTIL(turn_until_done(&o), 5000));
    ck_assert_int_ge(strtoll(rqi_buf_str(&o.run.outcome.value), NULL, 10), 90);
    rqi_run_clear(&o.run);
}
END_TEST

START_TEST(a_handler_that_asks_can_be_stopped)
{
    struct owner o = {.stop_on_ask = RQI_STOP_CANCELLED};
    add("ask", REFQ_RUN_THREAD, ask, 0);
    make(&o, "ask");
    run_to_the_end(&o);
    ck_assert_int_eq(o.run.outcome.kind, RQI_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(o.run.outcome.error, refq_strerror(REFQ_ERR_CLOSED)));
    rqi_run_clear(&o.run);
}
END_TEST

static refq_err ask_badly(refq_ctx *ctx, void *arg)
{
    char *reply = NULL;
    char *large = calloc(1, RQI_ASK_MAX + 8);
    char said[64];
    (void)arg;
    ck_assert_ptr_nonnull(large);
    memset(large, ' ', RQI_ASK_MAX + 1);
    refq_err no_json = refq_ctx_ask(ctx, "which page?", &reply);
    refq_err too_large = refq_ctx_ask(ctx, large, &reply);
    refq_err nobody = refq_ctx_ask(ctx, "\"who?\"", &reply);
    (void)snprintf(said, sizeof said, "[%d,%d,%d]", no_json, too_large, nobody);
    free(large);
    return refq_ctx_return_json(ctx, said);
}

static void expect_refusals(const char *name, refq_err no_json, refq_err too_large, refq_err nobody)
{
    char expected[64];
    struct owner o = {0};
    make(&o, name);
    o.run.on_ask = NULL;
    run_to_the_end(&o);
    (void)snprintf(expected, sizeof expected, "[%d,%d,%d]", no_json, too_large, nobody);
    ck_assert_str_eq(rqi_buf_str(&o.run.outcome.value), expected);
    rqi_run_clear(&o.run);
}

START_TEST(questions_that_cannot_be_asked)
{
    add("thread", REFQ_RUN_THREAD, ask_badly, 0);
    add("inline", REFQ_RUN_INLINE, ask_badly, 0);
    expect_refusals("thread", REFQ_ERR_INVALID, REFQ_ERR_LIMIT, REFQ_ERR_UNSUPPORTED);
    expect_refusals("inline", REFQ_ERR_UNSUPPORTED, REFQ_ERR_UNSUPPORTED, REFQ_ERR_UNSUPPORTED);
}
END_TEST

/* --- Log and registry ------------------------------------------------------------------------- */

static refq_err say(refq_ctx *ctx, void *arg)
{
    (void)arg;
    refq_ctx_log(ctx, REFQ_LOG_INFO, "page %d of \"%s\"\nis event=forged", 3, "a.pdf");
    refq_ctx_log(ctx, REFQ_LOG_DEBUG, "not shown at this level");
    return REFQ_OK;
}

START_TEST(a_log_line_carries_the_reference)
{
    struct owner o = {0};
    add("say", REFQ_RUN_THREAD, say, 0);
    make(&o, "say");
    run_to_the_end(&o);
    ck_assert_str_eq(logged, "event=handler ref=docs:00000000000000000000000000000007 attempt=3 "
                             "message=\"page 3 of \\\"a.pdf\\\"\\nis event=forged\"");
    rqi_run_clear(&o.run);
}
END_TEST

START_TEST(a_registry_refuses_what_cannot_work)
{
    refq_error err;
    refq_task_def def = {.struct_size = sizeof def, .name = "one"};
    const char *const argv[] = {"true", NULL};
    const refq_exec_def exec = {.struct_size = sizeof exec, .argv = argv};
    add("one", REFQ_RUN_THREAD, answer, 0);
    ck_assert_int_eq(refq_handlers_add_exec(handlers, &def, &exec, &err), REFQ_ERR_CONFLICT);
    def.name = "no blanks";
    ck_assert_int_eq(refq_handlers_add_exec(handlers, &def, &exec, &err), REFQ_ERR_INVALID);
    def.name = "two";
    def.concurrency = 4097;
    ck_assert_int_eq(refq_handlers_add_exec(handlers, &def, &exec, &err), REFQ_ERR_LIMIT);
    ck_assert_str_eq(err.text, "task two: concurrency must be 0 to 4096");
    def.concurrency = 4096;
    ck_assert(!rqi_handlers_have_programs(handlers));
    ck_assert_int_eq(refq_handlers_add_exec(handlers, &def, &exec, &err), REFQ_OK);
    ck_assert(rqi_handlers_have_programs(handlers));
    rqi_handlers_seal(handlers);
    def.name = "three";
    ck_assert_int_eq(refq_handlers_add_exec(handlers, &def, &exec, &err), REFQ_ERR_CONFLICT);
    ck_assert_uint_eq(rqi_handlers_count(handlers), 2);
}
END_TEST

START_TEST(the_last_reference_frees_the_registry)
{
    refq_handlers *same = refq_handlers_ref(handlers);
    ck_assert_ptr_eq(same, handlers);
    add("one", REFQ_RUN_THREAD, answer, 0);
    refq_handlers_unref(same);
    ck_assert_ptr_nonnull(rqi_handlers_find(handlers, "one"));
    refq_handlers_unref(NULL);
}
END_TEST

/* --- Handlers in children --------------------------------------------------------------------- */

static refq_err tell_pid(refq_ctx *ctx, void *arg)
{
    char text[32];
    (void)arg;
    (void)refq_ctx_progress(ctx, 1, 2, NULL);
    (void)snprintf(text, sizeof text, "%d", (int)getpid());
    return refq_ctx_return_json(ctx, text);
}

static refq_err crash(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    (void)raise(SIGKILL);
    return REFQ_OK;
}

/* The executor that forks children has to come after the handlers. */
static void restart_with_children(void)
{
    refq_error err;
    const rqi_executor_options o = {.base = base, .threads = 2, .log = &logger, .programs = true};
    rqi_executor_free(executor);
    ck_assert_msg(rqi_executor_new(&o, &executor, &err) == REFQ_OK, "%s", err.text);
}

static long run_for_pid(const char *name, bool in_child)
{
    struct owner o = {0};
    make(&o, name);
    o.run.in_child = in_child;
    run_to_the_end(&o);
    ck_assert_msg(o.run.outcome.kind == RQI_DONE, "%s", o.run.outcome.error);
    long pid = strtol(rqi_buf_str(&o.run.outcome.value), NULL, 10);
    rqi_run_clear(&o.run);
    return pid;
}

START_TEST(a_handler_runs_in_a_child)
{
    refq_error err;
    const refq_task_def def = {.struct_size = sizeof def, .name = "always", .child = true};
    ck_assert_int_eq(
        refq_handlers_add_function(handlers, &def, REFQ_RUN_THREAD, tell_pid, NULL, &err), REFQ_OK);
    ck_assert(rqi_handlers_have_programs(handlers));
    add("inline", REFQ_RUN_INLINE, tell_pid, 0);
    restart_with_children();
    ck_assert_int_ne(run_for_pid("always", false), getpid());
    ck_assert_int_ne(run_for_pid("inline", true), getpid());
}
END_TEST

START_TEST(a_crash_is_no_failure)
{
    add("crash", REFQ_RUN_THREAD, crash, 0);
    restart_with_children();
    struct owner o = {0};
    make(&o, "crash");
    o.run.in_child = true;
    run_to_the_end(&o);
    ck_assert_int_eq(o.run.outcome.kind, RQI_CRASHED);
    ck_assert_str_eq(o.run.outcome.error, "the handler crashed: signal 9 (Killed)");
    rqi_run_clear(&o.run);
}
END_TEST

START_TEST(a_child_asks_too)
{
    add("ask", REFQ_RUN_THREAD, ask, 0);
    restart_with_children();
    struct owner o = {.reply = "5"};
    make(&o, "ask");
    o.run.in_child = true;
    run_to_the_end(&o);
    ck_assert_int_eq(o.run.outcome.kind, RQI_DONE);
    ck_assert_str_eq(rqi_buf_str(&o.run.outcome.value), "5");
    rqi_run_clear(&o.run);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("executor");
    tcase_set_timeout(c, 30);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_result_is_the_outcome);
    tcase_add_test(c, arguments_of_an_unknown_format_fail_for_good);
    tcase_add_test(c, progress_is_told_with_its_latest_value_only);
    tcase_add_test(c, a_descriptor_tells_of_the_cancel);
    tcase_add_test(c, a_handler_knows_its_deadline);
    tcase_add_test(c, a_timeout_is_retryable_and_named);
    tcase_add_test(c, a_handler_asks_and_goes_on_with_the_answer);
    tcase_add_test(c, the_timeout_stands_still_while_a_person_thinks);
    tcase_add_test(c, a_question_moves_the_deadline);
    tcase_add_test(c, a_handler_that_asks_can_be_stopped);
    tcase_add_test(c, questions_that_cannot_be_asked);
    tcase_add_test(c, a_log_line_carries_the_reference);
    tcase_add_test(c, a_registry_refuses_what_cannot_work);
    tcase_add_test(c, the_last_reference_frees_the_registry);
    tcase_add_test(c, a_handler_runs_in_a_child);
    tcase_add_test(c, a_crash_is_no_failure);
    tcase_add_test(c, a_child_asks_too);
    Suite *s = suite_create("ut_executor");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
