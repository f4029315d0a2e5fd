/* SPDX-License-Identifier: MIT */
/* C handlers in processes of their own: what they give back, and how they can die. */
#include "base/clock.h"
#include "run/child.h"
#include "support/exec_run.h"
#include "support/main.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Made by main(), before any keeper. */
static refq_handlers *handlers;
static const char greeting[] = "hello";

/* --- Handlers --------------------------------------------------------------------------------- */

static refq_err echo(refq_ctx *ctx, void *arg)
{
    char text[300];
    char ref[REFQ_REF_MAX + 1];
    (void)snprintf(text, sizeof text,
                   "{\"args\":%s,\"ref\":\"%s\",\"attempt\":%u,\"fence\":\"%s\","
                   "\"arg\":\"%s\"}",
                   refq_ctx_args_json(ctx), refq_ref_format(refq_ctx_ref(ctx), ref),
                   refq_ctx_attempt(ctx), refq_ctx_fence(ctx), (const char *)arg);
    return refq_ctx_return_json(ctx, text);
}

static refq_err nothing(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return REFQ_OK;
}

static refq_err fail_for_now(refq_ctx *ctx, void *arg)
{
    (void)arg;
    refq_ctx_retry_after(ctx, 1234);
    return refq_ctx_fail(ctx, REFQ_ERR_IO, "the scanner is busy");
}

static refq_err fail_for_good(refq_ctx *ctx, void *arg)
{
    (void)arg;
    return refq_ctx_fail(ctx, REFQ_ERR_INVALID, "no such page");
}

static refq_err large(refq_ctx *ctx, void *arg)
{
    size_t len = (size_t)10 << 20;
    char *text = malloc(len + 1);
    (void)arg;
    memset(text, 'x', len);
    text[0] = text[len - 1] = '"';
    text[len] = '\0';
    refq_err code = refq_ctx_return_json(ctx, text);
    free(text);
    return code;
}

static refq_err segfault(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    (void)fprintf(stderr, "about to crash\n");
    (void)raise(SIGSEGV);
    return REFQ_OK;
}

static refq_err leave(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    (void)printf("good bye\n");
    exit(3);
}

static refq_err leave_with_0(refq_ctx *ctx, void *arg)
{
    (void)arg;
    (void)refq_ctx_progress(ctx, 1, 1, NULL);
    _exit(0);
}

static refq_err hang(refq_ctx *ctx, void *arg)
{
    (void)arg;
    (void)refq_ctx_progress(ctx, 1, 1, NULL);
    while (pause() != 0) {
    }
    return REFQ_OK;
}

/* Waits for the order to stop in the way a handler with descriptors of its own does. */
static refq_err obey(refq_ctx *ctx, void *arg)
{
    struct pollfd fd = {.fd = refq_ctx_cancel_fd(ctx), .events = POLLIN};
    (void)arg;
    (void)refq_ctx_progress(ctx, 1, 0, NULL);
    while (poll(&fd, 1, -1) < 1) {
    }
    (void)fprintf(stderr, "stopped: %d\n", refq_ctx_is_cancelled(ctx));
    return REFQ_OK;
}

static refq_err litter(refq_ctx *ctx, void *arg)
{
    (void)arg;
    const char *json = refq_ctx_args_json(ctx);
    char mark[64];
    (void)sscanf(json, "{\"mark\":\"%60[0-9.]", mark);
    if (fork() == 0) {
        (void)setsid();
        (void)execlp("sleep", "sleep", mark, (char *)NULL);
        _exit(127);
    }
    return REFQ_OK;
}

static refq_err count(refq_ctx *ctx, void *arg)
{
    (void)arg;
    for (int i = 1; i <= 1000; i++) {
        (void)refq_ctx_progress(ctx, i, 1000, i == 1000 ? "last \"page\"" : "page");
    }
    return REFQ_OK;
}

static refq_err ask(refq_ctx *ctx, void *arg)
{
    char *answer = NULL;
    (void)arg;
    int64_t deadline = refq_ctx_deadline_ms(ctx);
    refq_err code = refq_ctx_ask(ctx, "{\"question\":\"Which?\"}", &answer);
    if (code != REFQ_OK) {
        return refq_ctx_fail(ctx, code, "no answer: %s", refq_strerror(code));
    }
    if (deadline != 0 && refq_ctx_deadline_ms(ctx) <= deadline) {
        return refq_ctx_fail(ctx, REFQ_ERR_INTERNAL, "the deadline did not move");
    }
    code = refq_ctx_return_json(ctx, answer);
    free(answer);
    return code;
}

static refq_err say(refq_ctx *ctx, void *arg)
{
    (void)arg;
    refq_ctx_log(ctx, REFQ_LOG_DEBUG, "not wanted");
    refq_ctx_log(ctx, REFQ_LOG_WARN, "page %d is dark\377", 5);
    (void)printf("to stdout\n");
    (void)fprintf(stderr, "to stderr\n");
    return REFQ_OK;
}

/* What the process looks like from inside. */
static refq_err look(refq_ctx *ctx, void *arg)
{
    char text[300];
    struct rlimit core;
    struct sigaction pipe_action;
    sigset_t blocked;
    (void)arg;
    int fds = 0;
    for (int fd = 0; fd < 1000; fd++) {
        fds += fcntl(fd, F_GETFD) >= 0;
    }
    char c;
    (void)getrlimit(RLIMIT_CORE, &core);
    (void)sigaction(SIGPIPE, NULL, &pipe_action);
    (void)sigprocmask(SIG_SETMASK, NULL, &blocked);
    (void)snprintf(text, sizeof text,
                   "{\"core\":%d,\"pipe\":%d,\"blocked\":%d,\"stdin\":%d,\"group\":%d,\"fds\":%d}",
                   (int)core.rlim_max, pipe_action.sa_handler == SIG_DFL,
                   sigismember(&blocked, SIGTERM), (int)read(0, &c, 1), getpgrp() == getpid(),
                   fds <= 6);
    return refq_ctx_return_json(ctx, text);
}

static const struct {
    const char *name;
    refq_handler fn;
} table[] = {
    {"echo", echo},
    {"nothing", nothing},
    {"for_now", fail_for_now},
    {"for_good", fail_for_good},
    {"large", large},
    {"segfault", segfault},
    {"leave", leave},
    {"leave_with_0", leave_with_0},
    {"hang", hang},
    {"obey", obey},
    {"litter", litter},
    {"count", count},
    {"ask", ask},
    {"say", say},
    {"look", look},
};

/* --- Running ---------------------------------------------------------------------------------- */

static char logged[1200];

static void keep_line(void *arg, refq_log_level level, const char *line)
{
    (void)arg;
    (void)snprintf(logged, sizeof logged, "%d %s", (int)level, line);
}

static refq_logger logger = {.fn = keep_line, .level = REFQ_LOG_INFO};

/* Starts a handler with {"mark":...} when the run has a mark, else {}. */
static refq_err begin(struct rqt_run *run, const char *name, int64_t timeout_ms, int64_t grace_ms)
{
    static rqi_run what;
    const refq_exec_def def = {.kill_grace_ms = grace_ms};
    memset(&what, 0, sizeof what);
    rqi_run_init(&what);
    what.handler = rqi_handlers_find(handlers, name);
    ck_assert_ptr_nonnull(what.handler);
    ck_assert_int_eq(refq_ref_parse("docs:0123456789abcdef0123456789abcdef", &what.ref, NULL),
                     REFQ_OK);
    (void)snprintf(what.fence, sizeof what.fence, "7-1");
    what.number = 2;
    what.timeout_ms = timeout_ms;
    what.deadline_ms = timeout_ms > 0 ? rqi_mono_ms() + timeout_ms : 0;
    size_t len = run->mark != NULL ? strlen(run->mark) : 0;
    rqi_buf_adds(&what.args, len > 0 ? "m\x81\xa4mark" : "m\x80");
    if (len > 0) {
        rqi_buf_addc(&what.args, (char)(0xa0 + len));
        rqi_buf_adds(&what.args, run->mark);
    }
    rqi_exec_call call = rqt_call(run);
    call.def = grace_ms != 0 ? &def : NULL;
    call.timeout_ms = timeout_ms;
    call.log = &logger;
    refq_err code = rqi_child_start(rqt_keeper, &what, &call, &run->exec, &rqt_error);
    rqi_run_clear(&what);
    return code;
}

static struct rqt_run run_handler(const char *name)
{
    struct rqt_run run = {0};
    ck_assert_msg(begin(&run, name, 0, 0) == REFQ_OK, "%s", rqt_error.text);
    rqt_run_wait(&run);
    ck_assert_int_eq(run.done, 1);
    return run;
}

/* --- Results ---------------------------------------------------------------------------------- */

START_TEST(test_result)
{
    struct rqt_run run = run_handler("echo");
    rqt_run_expect(&run, RQI_DONE,
                   "{\"args\":{},\"ref\":\"docs:0123456789abcdef0123456789abcdef\",\"attempt\":2,"
                   "\"fence\":\"7-1\",\"arg\":\"hello\"}");
    run = run_handler("nothing");
    rqt_run_expect(&run, RQI_DONE, "null");
}
END_TEST

START_TEST(test_failures)
{
    struct rqt_run run = run_handler("for_now");
    rqt_run_expect(&run, RQI_RETRYABLE, "the scanner is busy");
    ck_assert_int_eq(run.retry_after_ms, 1234);
    run = run_handler("for_good");
    rqt_run_expect(&run, RQI_PERMANENT, "no such page");
    ck_assert_int_eq(run.retry_after_ms, -1);
}
END_TEST

START_TEST(test_large_result)
{
    struct rqt_run run = run_handler("large");
    ck_assert_msg(run.kind == RQI_DONE, "%s", run.error);
    ck_assert_uint_eq(run.value_len, (size_t)10 << 20);
    ck_assert_int_eq(strncmp(run.value, "\"xxx", 4), 0);
}
END_TEST

START_TEST(test_progress)
{
    struct rqt_run run = run_handler("count");
    rqt_run_expect(&run, RQI_DONE, "null");
    ck_assert_int_ge(run.n_progress, 1);
    ck_assert_int_eq(run.current, 1000);
    ck_assert_int_eq(run.total, 1000);
    ck_assert_str_eq(run.message, "last \"page\"");
}
END_TEST

START_TEST(test_ask)
{
    struct rqt_run run = {.askable = true, .answer = "{\"page\":1.10}"};
    ck_assert_int_eq(begin(&run, "ask", 0, 0), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "{\"page\":1.10}");
    ck_assert_str_eq(run.asked, "{\"question\":\"Which?\"}");
    run = run_handler("ask");
    ck_assert_int_eq(run.kind, RQI_RETRYABLE);
    ck_assert_ptr_nonnull(strstr(run.error, "no answer: "));
}
END_TEST

START_TEST(test_ask_moves_the_deadline)
{
    struct rqt_run run = {.askable = true};
    ck_assert_int_eq(begin(&run, "ask", 10000, 0), REFQ_OK);
    rqt_turn_until(&run.n_asks, 1);
    rqt_turn_for(20);
    ck_assert_int_eq(rqi_exec_answer(run.exec, "1", 1), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "1");
}
END_TEST

START_TEST(test_log)
{
    struct rqt_run run = run_handler("say");
    rqt_run_expect(&run, RQI_DONE, "null");
    ck_assert_str_eq(logged, "2 event=handler ref=docs:0123456789abcdef0123456789abcdef attempt=2 "
                             "message=\"page 5 is dark?\"");
    ck_assert_ptr_nonnull(strstr(run.tail, "to stdout\n"));
    ck_assert_ptr_nonnull(strstr(run.tail, "to stderr\n"));
}
END_TEST

START_TEST(test_process)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)printf("pending"); /* stays in the buffer, and must be written by nobody else */
    struct rqt_run run = run_handler("look");
    rqt_run_expect(&run, RQI_DONE,
                   "{\"core\":0,\"pipe\":1,\"blocked\":0,\"stdin\":0,\"group\":1,\"fds\":1}");
}
END_TEST

/* --- Deaths ----------------------------------------------------------------------------------- */

static int at_exit_fd = -1;

static void at_exit(void)
{
    ssize_t n = write(at_exit_fd, "x", 1);
    (void)n;
}

START_TEST(test_crash)
{
    struct rqt_run run = run_handler("segfault");
    rqt_run_expect(&run, RQI_CRASHED,
                   "the handler crashed: signal 11 (Segmentation fault): about to crash");
    run = run_handler("leave_with_0");
    rqt_run_expect(&run, RQI_CRASHED,
                   "the handler ended its process (exit 0) instead of returning");
}
END_TEST

/* What the worker has registered for its own end does not run at a child's, and what it has not
 * written yet is not written by the child. */
START_TEST(test_exit)
{
    int fds[2];
    rqt_keeper_down();
    ck_assert_int_eq(pipe(fds), 0);
    at_exit_fd = fds[1];
    ck_assert_int_eq(atexit(at_exit), 0);
    (void)printf("unwritten");
    rqt_keeper_up();
    struct rqt_run run = run_handler("leave");
    rqt_run_expect(&run, RQI_CRASHED,
                   "the handler ended its process (exit 3) instead of returning: good bye");
    ck_assert_str_eq(run.tail, "good bye\n");
    struct pollfd fd = {.fd = fds[0], .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, 0), 0);
    at_exit_fd = -1;
}
END_TEST

START_TEST(test_cancel)
{
    struct rqt_run run = {.cancel_on_progress = true};
    ck_assert_int_eq(begin(&run, "obey", 0, 60000), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_CANCELLED, "cancelled");
    ck_assert_str_eq(run.tail, "stopped: 1\n");
    run = (struct rqt_run){.cancel_on_progress = true};
    ck_assert_int_eq(begin(&run, "hang", 0, 100), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_CANCELLED, "cancelled");
    run = (struct rqt_run){.askable = true};
    ck_assert_int_eq(begin(&run, "ask", 0, 60000), REFQ_OK);
    rqt_turn_until(&run.n_asks, 1);
    rqi_exec_cancel(run.exec);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_CANCELLED, "cancelled");
}
END_TEST

START_TEST(test_timeout)
{
    struct rqt_run run = {0};
    ck_assert_int_eq(begin(&run, "hang", 200, 100), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_RETRYABLE, "timed out after 200ms");
    run = (struct rqt_run){0};
    ck_assert_int_eq(begin(&run, "obey", 200, 60000), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_RETRYABLE, "timed out after 200ms");
}
END_TEST

START_TEST(test_litter)
{
    struct rqt_run run = {.mark = rqt_new_mark()};
    ck_assert_int_eq(begin(&run, "litter", 0, 0), REFQ_OK);
    rqt_run_wait(&run);
    rqt_run_expect(&run, RQI_DONE, "null");
    ck_assert_int_eq(run.marked, 0);
}
END_TEST

START_TEST(test_registered_too_late)
{
    refq_handlers *late = NULL;
    const refq_task_def def = {.struct_size = sizeof def, .name = "late"};
    refq_handlers *before = handlers;
    ck_assert_int_eq(refq_handlers_new(&late, &rqt_error), REFQ_OK);
    ck_assert_int_eq(
        refq_handlers_add_function(late, &def, REFQ_RUN_THREAD, nothing, NULL, &rqt_error),
        REFQ_OK);
    handlers = late;
    struct rqt_run run = {0};
    ck_assert_int_eq(begin(&run, "late", 0, 0), REFQ_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(rqt_error.text, "restart the worker"));
    handlers = before;
    refq_handlers_unref(late);
}
END_TEST

START_TEST(test_many)
{
    static struct rqt_run runs[30];
    int fds = rqt_count_fds();
    for (size_t i = 0; i < 30; i++) {
        ck_assert_int_eq(begin(&runs[i], i % 3 == 0 ? "segfault" : "count", 0, 0), REFQ_OK);
    }
    for (size_t i = 0; i < 30; i++) {
        rqt_run_wait(&runs[i]);
        ck_assert_int_eq(runs[i].kind, i % 3 == 0 ? RQI_CRASHED : RQI_DONE);
    }
    ck_assert_int_eq(rqt_count_fds(), fds);
}
END_TEST

/* --- Suite ------------------------------------------------------------------------------------ */

static void add_handlers(void)
{
    refq_error err;
    if (refq_handlers_new(&handlers, &err) != REFQ_OK) {
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const refq_task_def def = {.struct_size = sizeof def, .name = table[i].name};
        if (refq_handlers_add_function(handlers, &def, REFQ_RUN_THREAD, table[i].fn,
                                       (void *)greeting, &err) != REFQ_OK) {
            exit(EXIT_FAILURE);
        }
    }
}

int main(void)
{
    add_handlers();
    Suite *suite = suite_create("child");
    TCase *results = rqt_exec_case(suite, "results");
    tcase_add_test(results, test_result);
    tcase_add_test(results, test_failures);
    tcase_add_test(results, test_large_result);
    tcase_add_test(results, test_progress);
    tcase_add_test(results, test_ask);
    tcase_add_test(results, test_ask_moves_the_deadline);
    tcase_add_test(results, test_log);
    tcase_add_test(results, test_process);
    tcase_add_test(results, test_many);
    TCase *deaths = rqt_exec_case(suite, "deaths");
    tcase_add_test(deaths, test_crash);
    tcase_add_test(deaths, test_exit);
    tcase_add_test(deaths, test_cancel);
    tcase_add_test(deaths, test_timeout);
    tcase_add_test(deaths, test_litter);
    tcase_add_test(deaths, test_registered_too_late);
    int status = rqt_main(suite);
    refq_handlers_unref(handlers);
    return status;
}
