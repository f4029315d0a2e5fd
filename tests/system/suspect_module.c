/* SPDX-License-Identifier: MIT */
/* The plugin of st_suspects.c: one handler takes its process with it, the other is innocent. */
#include <refq/plugin.h>

#include <poll.h>
#include <stdint.h>

static refq_err good(refq_ctx *ctx, void *arg)
{
    (void)arg;
    (void)poll(NULL, 0, 20); /* so that others run beside it */
    return refq_ctx_return_json(ctx, refq_ctx_args_json(ctx));
}

static refq_err bad(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    volatile int *nowhere = (volatile int *)(intptr_t)8; /* a true fault: raise() can be blocked */
    *nowhere = 1;
    return REFQ_OK;
}

static const refq_plugin_task tasks[] = {
    {.def = {.struct_size = sizeof(refq_task_def), .name = "good"}, .handler = good},
    {.def = {.struct_size = sizeof(refq_task_def), .name = "bad"}, .handler = bad},
};

static const refq_plugin plugin = {.abi = REFQ_PLUGIN_ABI,
                                   .struct_size = sizeof(refq_plugin),
                                   .task_size = sizeof(refq_plugin_task),
                                   .name = "suspects",
                                   .version = "1.0",
                                   .tasks = tasks,
                                   .n_tasks = 2};

REFQ_API const refq_plugin *refq_plugin_v1(void);

const refq_plugin *refq_plugin_v1(void)
{
    return &plugin;
}
