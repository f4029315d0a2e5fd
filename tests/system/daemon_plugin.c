/* SPDX-License-Identifier: MIT */
/* A plugin whose handlers do what they should not: they keep going until a file appears, whatever
 * they are told. Its configuration is the file's path as a JSON string. */
#include <refq/plugin.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 60 /* so that a test that fails leaves nothing behind */

static refq_err init(const char *config, void **ret_arg, refq_error *err)
{
    char *path = calloc(1, 256);
    if (path == NULL || sscanf(config, "\"%255[^\"]", path) != 1) {
        free(path);
        (void)snprintf(err->text, sizeof err->text, "config: the path of a file is missing");
        return REFQ_ERR_INVALID;
    }
    *ret_arg = path;
    return REFQ_OK;
}

static refq_err wait_for_file(refq_ctx *ctx, void *arg)
{
    time_t begun = time(NULL);
    (void)ctx;
    while (access(arg, F_OK) != 0 && time(NULL) - begun < PATIENCE_S) {
        (void)poll(NULL, 0, 5);
    }
    return REFQ_OK;
}

static const refq_plugin_task tasks[] = {
    {.def = {.struct_size = sizeof(refq_task_def), .name = "deaf"}, .handler = wait_for_file},
    {.def = {.struct_size = sizeof(refq_task_def), .name = "hang"},
     .handler = wait_for_file,
     .mode = REFQ_RUN_INLINE},
};

static const refq_plugin plugin = {REFQ_PLUGIN_HEAD, .name = "daemon", .tasks = tasks,
                                   .n_tasks = 2,     .init = init,     .fini = free};

REFQ_API const refq_plugin *refq_plugin_v1(void);

const refq_plugin *refq_plugin_v1(void)
{
    return &plugin;
}
