/* SPDX-License-Identifier: MIT */
/* A worker with one handler in C. SIGTERM and SIGINT stop it. */
#include <refq/refq.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static refq_worker *worker;

static void on_signal(int number)
{
    (void)number;
    refq_worker_stop(worker); /* async-signal-safe */
}

static void log_line(void *arg, refq_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

/* On a thread of the worker's pool: it may block, but looks now and then whether to stop. Takes
 * {"name": ...} and returns its arguments with a greeting around them. */
static refq_err greet(refq_ctx *ctx, void *arg)
{
    const char *args = refq_ctx_args_json(ctx);
    char *result = NULL;
    (void)arg;
    if (strstr(args, "\"name\"") == NULL) { /* a real handler uses a JSON parser */
        return refq_ctx_fail(ctx, REFQ_ERR_INVALID, "the argument 'name' is missing");
    }
    for (int step = 1; step <= 3; step++) {
        if (!refq_ctx_progress(ctx, step, 3, "greeting")) {
            return REFQ_ERR_CONFLICT; /* cancelled: what is returned is not used */
        }
    }
    size_t size = strlen(args) + 64;
    result = malloc(size);
    if (result == NULL) {
        return REFQ_ERR_NOMEM; /* may be tried again */
    }
    snprintf(result, size, "{\"greeting\":\"hello\",\"to\":%s,\"attempt\":%u}", args,
             refq_ctx_attempt(ctx));
    refq_err rc = refq_ctx_return_json(ctx, result);
    free(result);
    return rc;
}

int main(void)
{
    refq_error err;
    refq_worker_options options = {.struct_size = sizeof options,
                                   .concurrency = 4,
                                   .log = {.fn = log_line, .level = REFQ_LOG_INFO}};
    refq_task_def def = {
        .struct_size = sizeof def, .name = "greet", .description = "Greets.", .timeout_ms = 60000};
    refq_handlers *handlers = NULL;
    struct sigaction action = {.sa_handler = on_signal};

    refq_err rc = refq_worker_new(&options, &worker, &err);
    if (rc == REFQ_OK) {
        rc = refq_handlers_new(&handlers, &err);
    }
    if (rc == REFQ_OK) {
        rc = refq_handlers_add_function(handlers, &def, REFQ_RUN_THREAD, greet, NULL, &err);
    }
    if (rc == REFQ_OK) {
        rc = refq_worker_serve(worker, "examples", handlers, &err);
    }
    if (rc == REFQ_OK) {
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGINT, &action, NULL);
        rc = refq_worker_run(worker, &err);
    }
    if (rc != REFQ_OK) {
        fprintf(stderr, "worker: %s\n", err.text);
    }
    refq_worker_free(worker);
    refq_handlers_unref(handlers);
    return rc == REFQ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
