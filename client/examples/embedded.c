/* SPDX-License-Identifier: MIT */
/* Tasks without Redis: they run in this process, and live as long as it does. */
#include <refq/refq.h>

#include <stdio.h>
#include <stdlib.h>

/* On a thread of the backend. Fails once, to be tried again. */
static refq_err greet(refq_ctx *ctx, void *arg)
{
    (void)arg;
    if (refq_ctx_attempt(ctx) == 1) {
        return refq_ctx_fail(ctx, REFQ_ERR_IO, "not in the mood yet");
    }
    return refq_ctx_return_json(ctx, "\"hello\"");
}

static refq_err open_client(refq_handlers *handlers, refq_client **ret, refq_error *err)
{
    refq_memory_options queue = {
        .struct_size = sizeof queue, .queue = "examples", .handlers = handlers, .threads = 2};
    refq_memory memory = {.struct_size = sizeof memory, .queues = &queue, .n = 1};
    return refq_client_open_with(refq_backend_memory_factory, &memory, ret, err);
}

static refq_err run_one(refq_client *client, refq_error *err)
{
    refq_spec spec = {.struct_size = sizeof spec, .task = "greet"};
    refq_submitted done;
    refq_task *task = NULL;
    char *entry = NULL; /* JSON text; what the handler returned is its member "value" */
    size_t len = 0;

    refq_err rc = refq_ref_make("examples", &spec.ref, err);
    if (rc == REFQ_OK) {
        rc = refq_client_submit(client, &spec, &done, err);
    }
    if (rc == REFQ_OK) {
        rc = refq_client_wait(client, &done.ref, 30000, NULL, NULL, &task, err);
        refq_task_free(task);
        task = NULL;
    }
    if (rc == REFQ_OK) {
        rc = refq_client_result(client, &done.ref, &task, &entry, &len, err);
        refq_task_free(task);
    }
    if (rc == REFQ_OK) {
        puts(entry);
        free(entry);
    }
    return rc;
}

int main(void)
{
    refq_error err;
    refq_handlers *handlers = NULL;
    refq_client *client = NULL;
    refq_task_def def = {.struct_size = sizeof def,
                         .name = "greet",
                         .backoff = {.base_ms = 100, .factor = 2, .cap_ms = 1000}};

    refq_err rc = refq_handlers_new(&handlers, &err);
    if (rc == REFQ_OK) {
        rc = refq_handlers_add_function(handlers, &def, REFQ_RUN_THREAD, greet, NULL, &err);
    }
    if (rc == REFQ_OK) {
        rc = open_client(handlers, &client, &err);
    }
    if (rc == REFQ_OK) {
        rc = run_one(client, &err);
    }
    if (rc != REFQ_OK) {
        fprintf(stderr, "embedded: %s\n", err.text);
    }
    refq_client_close(client); /* NULL is fine */
    refq_handlers_unref(handlers);
    return rc == REFQ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
