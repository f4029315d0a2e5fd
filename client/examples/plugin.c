/* SPDX-License-Identifier: MIT */
/*
 * A plugin with one task, for refq-worker. It is linked to nothing:
 *
 *     cc -shared -fPIC -o libgreeter.so plugin.c
 *
 *     # tasks.yaml
 *     queue: examples
 *     plugins:
 *       - path: ./libgreeter.so
 *         config: {greeting: hello}
 */
#include <refq/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keeps the configuration as it is; a real plugin reads it with a JSON parser. */
static refq_err start(const char *config_json, void **ret_arg, refq_error *err)
{
    if (strchr(config_json, '{') == NULL) {
        err->code = REFQ_ERR_INVALID;
        (void)snprintf(err->text, sizeof err->text, "write config: {greeting: hello}");
        return err->code;
    }
    *ret_arg = strdup(config_json);
    return *ret_arg != NULL ? REFQ_OK : REFQ_ERR_NOMEM;
}

static refq_err greet(refq_ctx *ctx, void *arg)
{
    const char *args = refq_ctx_args_json(ctx);
    size_t size = strlen(args) + strlen(arg) + 64;
    char *result = malloc(size);
    if (result == NULL) {
        return REFQ_ERR_NOMEM; /* may be tried again */
    }
    (void)refq_ctx_progress(ctx, 1, 1, "greeting");
    (void)snprintf(result, size, "{\"config\":%s,\"to\":%s}", (const char *)arg, args);
    refq_err rc = refq_ctx_return_json(ctx, result);
    free(result);
    return rc;
}

static const refq_plugin_task tasks[] = {
    {.def = {.struct_size = sizeof(refq_task_def),
             .name = "greet",
             .description = "Greets somebody.",
             .timeout_ms = 60000},
     .handler = greet},
};

static const refq_plugin plugin = {REFQ_PLUGIN_HEAD, .name = "greeter", .version = "1.0",
                                   .tasks = tasks,   .n_tasks = 1,      .init = start,
                                   .fini = free};

const refq_plugin *refq_plugin_v1(void)
{
    return &plugin;
}
