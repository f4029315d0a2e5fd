/* SPDX-License-Identifier: MIT */
/*
 * The worker of a chaos run: handlers that write down what they do in the run's history.
 *
 *     chaos_worker REDIS HISTORY CLOCKS PLACE PROGRAM LEASE_MS SLOTS
 *
 *     quick   returns at once, on the worker's loop
 *     fail    fails so many times, then returns
 *     slow    works in small steps and reports progress, until it is told to stop
 *     large   returns more than a commit carries inline
 *     exec    the same as quick, fail and slow, as an external program
 */
#include "support/history.h"
#include "tools/chaos_result.h"
#include "tools/false_clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 20, LOOK_MS = 50 };

static refq_worker *worker;
static int history;
static const char *history_path;
static pid_t worker_pid; /* also in the processes that handlers have of their own */
static int64_t stall_ms; /* a pause this long may cost the lease */

static void on_stop(int number)
{
    (void)number;
    refq_worker_stop(worker);
}

static void log_line(void *arg, refq_log_level level, const char *line)
{
    (void)arg;
    (void)fprintf(stderr, "level=%d %s\n", (int)level, line);
}

/* --- Stalls ----------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec t = {0};
    (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Writes down when the machine did not let this process run: a lease may be lost by that as well.
 */
static void *watch(void *arg)
{
    const struct timespec step = {.tv_nsec = LOOK_MS * 1000000};
    int64_t last = now_ms();
    for (int64_t n = 1;; n++) {
        (void)nanosleep(&step, NULL);
        int64_t gap = now_ms() - last;
        last += gap;
        if (gap >= stall_ms) {
            rqt_history_add(history, RQT_FAULT, NULL, 0, NULL,
                            "id=%d%06lld name=stall target=%d reach=worker for=%lld", (int)getpid(),
                            (long long)n, (int)getpid(), (long long)gap);
        }
    }
    return arg;
}

/* Not before there is work: the worker forks its keeper before it has threads. */
static void start_watching(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, NULL) != 0 || pthread_detach(thread) != 0) {
        abort();
    }
}

/* --- Handlers --------------------------------------------------------------------------------- */

static bool work(refq_ctx *ctx, int64_t ms)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000};
    for (int64_t done = 0; done < ms; done += STEP_MS) {
        if (!refq_ctx_progress(ctx, done, ms, "working")) {
            return false;
        }
        (void)nanosleep(&step, NULL);
    }
    return true;
}

static refq_err finish(refq_ctx *ctx, const char *ref, int64_t bytes)
{
    rqi_buf out = {0};
    rqt_chaos_done(history, ref, refq_ctx_attempt(ctx), refq_ctx_fence(ctx), bytes, &out);
    refq_err rc = refq_ctx_return_json(ctx, rqi_buf_str(&out));
    rqi_buf_done(&out);
    return rc;
}

static refq_err handle(refq_ctx *ctx, void *arg)
{
    char ref[REFQ_REF_MAX + 1];
    unsigned attempt = refq_ctx_attempt(ctx);
    const char *fence = refq_ctx_fence(ctx);
    rqt_chaos_args args = rqt_chaos_args_read(refq_ctx_args_json(ctx));
    static pthread_once_t watching = PTHREAD_ONCE_INIT;
    (void)arg;
    if (getpid() == worker_pid) {
        (void)pthread_once(&watching, start_watching);
    } else {
        history =
            rqt_history_open(history_path); /* after a death: the descriptor is not handed on */
    }
    (void)refq_ref_format(refq_ctx_ref(ctx), ref);
    rqt_history_add(history, RQT_START, ref, attempt, fence, "worker=%d", (int)worker_pid);
    if (args.ms > 0 && !work(ctx, args.ms)) {
        rqt_history_add(history, RQT_TOLD, ref, attempt, fence, "%s", "");
        return REFQ_ERR_CLOSED;
    }
    if (attempt <= args.fail) {
        rqt_history_add(history, RQT_FAILED, ref, attempt, fence, "class=%s",
                        args.permanent ? "permanent" : "retry");
        return refq_ctx_fail(ctx, args.permanent ? REFQ_ERR_INVALID : REFQ_ERR_IO,
                             "attempt %u was told to fail", attempt);
    }
    return finish(ctx, ref, args.bytes);
}

/* --- Main ------------------------------------------------------------------------------------- */

static const refq_backoff quick_backoff = {.base_ms = 20, .factor = 2, .cap_ms = 500};

static refq_err add_functions(refq_handlers *set, refq_error *err)
{
    static const struct {
        const char *name;
        refq_run_mode mode;
    } list[] = {{"quick", REFQ_RUN_INLINE},
                {"fail", REFQ_RUN_THREAD},
                {"slow", REFQ_RUN_THREAD},
                {"large", REFQ_RUN_THREAD}};
    refq_err rc = REFQ_OK;
    for (size_t i = 0; rc == REFQ_OK && i < sizeof list / sizeof list[0]; i++) {
        refq_task_def def = {
            .struct_size = sizeof def, .name = list[i].name, .backoff = quick_backoff};
        rc = refq_handlers_add_function(set, &def, list[i].mode, handle, NULL, err);
    }
    return rc;
}

static refq_err add_program(refq_handlers *set, const char *program, refq_error *err)
{
    char place[300];
    char self[40];
    const char *argv[] = {program, NULL};
    const char *env[] = {place, self, NULL};
    refq_task_def def = {.struct_size = sizeof def, .name = "exec", .backoff = quick_backoff};
    refq_exec_def exec = {
        .struct_size = sizeof exec, .argv = argv, .env = env, .kill_grace_ms = 2000};
    (void)snprintf(place, sizeof place, "RQT_HISTORY=%s", history_path);
    (void)snprintf(self, sizeof self, "RQT_WORKER=%d", (int)getpid());
    return refq_handlers_add_exec(set, &def, &exec, err);
}

static refq_err serve(const char *program, refq_error *err)
{
    refq_handlers *set = NULL;
    refq_err rc = refq_handlers_new(&set, err);
    rc = rc == REFQ_OK ? add_functions(set, err) : rc;
    rc = rc == REFQ_OK ? add_program(set, program, err) : rc;
    rc = rc == REFQ_OK ? refq_worker_serve(worker, "docs", set, err) : rc;
    refq_handlers_unref(set);
    return rc;
}

int main(int argc, char **argv)
{
    refq_error err = {0};
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    if (argc != 8 || !rqt_false_clock_follow(argv[3], strtoul(argv[4], NULL, 10)) ||
        (history = rqt_history_open(argv[2])) < 0) {
        (void)fputs("usage: chaos_worker REDIS HISTORY CLOCKS PLACE PROGRAM LEASE_MS SLOTS\n",
                    stderr);
        return 64;
    }
    history_path = argv[2];
    worker_pid = getpid();
    int64_t lease_ms = strtoll(argv[6], NULL, 10);
    refq_worker_options options = {.struct_size = sizeof options,
                                   .redis = argv[1],
                                   .concurrency = (unsigned)strtoul(argv[7], NULL, 10),
                                   .lease_ms = lease_ms,
                                   .grace_ms = 2 * lease_ms,
                                   .log = {.fn = log_line, .level = REFQ_LOG_INFO}};
    (void)signal(SIGPIPE, SIG_IGN);
    refq_err rc = refq_worker_new(&options, &worker, &err);
    rc = rc == REFQ_OK ? serve(argv[5], &err) : rc;
    if (rc == REFQ_OK) {
        (void)sigaction(SIGTERM, &action, NULL);
        stall_ms = lease_ms * 6 / 10;
        rc = refq_worker_run(worker, &err);
    }
    if (rc != REFQ_OK) {
        (void)fprintf(stderr, "chaos_worker: %s\n", err.text);
    }
    refq_worker_free(worker);
    return rc == REFQ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
