/* SPDX-License-Identifier: MIT */
/* The plugin of ut_plugin.c; the macros make variants of it that must not be loaded. */
#include <refq/plugin.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef RQT_ABI
#define RQT_ABI REFQ_PLUGIN_ABI
#endif
#ifndef RQT_STRUCT_SIZE
#define RQT_STRUCT_SIZE sizeof(refq_plugin)
#endif
#ifndef RQT_TASK_SIZE
#define RQT_TASK_SIZE sizeof(refq_plugin_task)
#endif
#ifndef RQT_DEF_SIZE
#define RQT_DEF_SIZE sizeof(refq_task_def)
#endif
#ifndef RQT_SECOND_NAME
#define RQT_SECOND_NAME "crash"
#endif
#ifndef RQT_ENTRY
#define RQT_ENTRY refq_plugin_v1
#endif

struct state {
    int pid;
    char log[200]; /* a file that is told of init and fini; empty = none */
};

static void tell(const struct state *s, const char *what)
{
    FILE *f = s->log[0] != '\0' ? fopen(s->log, "ae") : NULL;
    if (f != NULL) {
        (void)fprintf(f, "%s\n", what);
        (void)fclose(f);
    }
}

/* The configuration is a JSON string: the path of the log, or "fail". */
static refq_err init(const char *config, void **ret_arg, refq_error *err)
{
    struct state *s = calloc(1, sizeof *s);
    if (s == NULL || strcmp(config, "\"fail\"") == 0) {
        free(s);
        (void)snprintf(err->text, sizeof err->text, "the model is missing");
        return REFQ_ERR_NOTFOUND;
    }
    s->pid = (int)getpid();
    (void)sscanf(config, "\"%199[^\"]", s->log);
    tell(s, "init");
    *ret_arg = s;
    return REFQ_OK;
}

static void fini(void *arg)
{
    tell(arg, "fini");
    free(arg);
}

static refq_err who(refq_ctx *ctx, void *arg)
{
    const struct state *s = arg;
    char text[100];
    (void)refq_ctx_progress(ctx, 1, 2, "who");
    (void)snprintf(text, sizeof text, "{\"init\":%d,\"pid\":%d}", s->pid, (int)getpid());
    return refq_ctx_return_json(ctx, text);
}

static refq_err crash(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    (void)raise(SIGSEGV);
    return REFQ_OK;
}

static const refq_plugin_task tasks[] = {
    {.def = {.struct_size = RQT_DEF_SIZE,
             .name = "who",
             .description = "says who it is",
             .timeout_ms = 60000,
             .max_retries = 5,
             .has_reuse = 1,
             .reuse = REFQ_REUSE_RESULT,
             .has_response_format = 1,
             .response_format = REFQ_FORMAT_FULL,
             .max_size = 50,
             .namespace_template = "user:{user_id}",
             .policy = "read_only"},
     .handler = who},
    {.def = {.struct_size = RQT_DEF_SIZE, .name = RQT_SECOND_NAME, .child = true},
     .handler = crash,
     .mode = REFQ_RUN_INLINE},
};

static const refq_plugin plugin = {.abi = RQT_ABI,
                                   .struct_size = RQT_STRUCT_SIZE,
                                   .task_size = RQT_TASK_SIZE,
                                   .name = "tester",
                                   .version = "1.0",
                                   .tasks = tasks,
                                   .n_tasks = 2,
                                   .init = init,
                                   .fini = fini};

REFQ_API const refq_plugin *RQT_ENTRY(void);

const refq_plugin *RQT_ENTRY(void)
{
    return &plugin;
}
