/* SPDX-License-Identifier: MIT */
/* Submits one task, waits for it, prints its result: what a server does for a tool call. */
#include <refq/refq.h>

#include <stdio.h>
#include <stdlib.h>

static int complain(const refq_error *err)
{
    fprintf(stderr, "producer: %s\n", err->text);
    return EXIT_FAILURE;
}

/* On the client's thread, for each change. */
static bool show_progress(void *arg, const refq_task *task)
{
    int64_t current = 0;
    int64_t total = 0;
    (void)arg;
    if (refq_task_progress(task, &current, &total)) {
        fprintf(stderr, "%lld of %lld\n", (long long)current, (long long)total);
    }
    return true;
}

static int print_result(refq_client *client, const refq_ref *ref)
{
    refq_error err;
    refq_task *task = NULL;
    char *entry = NULL; /* JSON text; what the handler returned is its member "value" */
    size_t len = 0;
    refq_err rc = refq_client_wait(client, ref, 30000, show_progress, NULL, &task, &err);
    if (rc != REFQ_OK) {
        return complain(&err);
    }
    refq_task_free(task);
    task = NULL;
    rc = refq_client_result(client, ref, &task, &entry, &len, &err);
    refq_task_free(task);
    if (rc != REFQ_OK) {
        return complain(&err);
    }
    puts(entry);
    free(entry);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    refq_error err;
    refq_client *client = NULL;
    refq_submitted done;
    char text[REFQ_REF_MAX + 1];
    refq_redis_options options = {.struct_size = sizeof options}; /* url NULL: REFQ_REDIS */
    refq_spec spec = {.struct_size = sizeof spec,
                      .task = "greet",
                      .args = argc > 1 ? argv[1] : "{\"name\":\"world\"}"};

    if (refq_client_open(&options, &client, &err) != REFQ_OK) {
        return complain(&err);
    }
    int code = EXIT_FAILURE;
    if (refq_ref_make("examples", &spec.ref, &err) != REFQ_OK ||
        refq_client_submit(client, &spec, &done, &err) != REFQ_OK) {
        code = complain(&err);
    } else {
        fprintf(stderr, "%s\n", refq_ref_format(&done.ref, text));
        code = print_result(client, &done.ref);
    }
    refq_client_close(client);
    return code;
}
