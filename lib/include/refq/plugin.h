/* SPDX-License-Identifier: MIT */
/*
 * Plugins: C handlers in a shared object that a worker loads by name.
 *
 *     static const refq_plugin_task tasks[] = {
 *         {.def = {.struct_size = sizeof(refq_task_def), .name = "hello"}, .handler = hello},
 *     };
 *     static const refq_plugin plugin = {
 *         REFQ_PLUGIN_HEAD, .name = "greeter", .version = "1.0", .tasks = tasks, .n_tasks = 1};
 *
 *     const refq_plugin *refq_plugin_v1(void)
 *     {
 *         return &plugin;
 *     }
 *
 *     cc -shared -fPIC -o libgreeter.so greeter.c
 *
 * A plugin is not linked to librefq: what it calls (refq_ctx_...) is in the program that loads it.
 * It is loaded with all symbols resolved and its own ones kept to itself, and stays loaded until
 * the process ends, because a handler that did not obey its cancel may still be in its code.
 */
#ifndef REFQ_PLUGIN_H
#define REFQ_PLUGIN_H

#include <refq/handlers.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REFQ_PLUGIN_ABI 1U

typedef struct refq_plugin_task {
    refq_task_def def;
    refq_handler handler;
    refq_run_mode mode; /* 0 = REFQ_RUN_THREAD */
} refq_plugin_task;

/* What a plugin is. Everything in it must live as long as the process. */
typedef struct refq_plugin {
    unsigned abi;        /* these three by REFQ_PLUGIN_HEAD: a plugin that was compiled against */
    size_t struct_size;  /* other headers than the program that loads it is refused, not */
    size_t task_size;    /* misread */
    const char *name;    /* required; for messages */
    const char *version; /* for messages; NULL = none */
    const refq_plugin_task *tasks; /* at least one */
    size_t n_tasks;

    /* Called once for each registry the plugin is added to, and once in each child process that
     * runs one of its tasks, so what it makes belongs into *ret_arg, the `arg` of its handlers, not
     * into variables. config_json is valid JSON ("null" when there is none), borrowed. On failure
     * it fills in err and *ret_arg is not used. NULL = nothing to do; arg is NULL then. */
    refq_err (*init)(const char *config_json, void **ret_arg, refq_error *err);

    /* Undoes init: no handler runs any more with arg. Not called in a child process that was
     * killed. NULL = nothing to do. */
    void (*fini)(void *arg);
} refq_plugin;

#define REFQ_PLUGIN_HEAD                                        \
    .abi = REFQ_PLUGIN_ABI, .struct_size = sizeof(refq_plugin), \
    .task_size = sizeof(refq_plugin_task)

/* The one function a plugin defines. */
REFQ_API const refq_plugin *refq_plugin_v1(void);

/* How a plugin is added. Everything is copied. */
typedef struct refq_plugin_options {
    size_t struct_size;      /* sizeof(refq_plugin_options) */
    const char *path;        /* of the shared object, with a slash */
    const char *config_json; /* for init, at most 64 KiB; NULL = "null" */

    /* Which tasks to take, by name; NULL = all. What is not zero in such a definition replaces what
     * the plugin says. */
    const refq_task_def *tasks;
    size_t n_tasks;
    bool child; /* all tasks run in child processes; init is called only there */
} refq_plugin_options;

/* Loads the plugin and adds its tasks, all or none. REFQ_ERR_NOTFOUND: no such file, or no such
 * task; REFQ_ERR_INVALID: not a plugin, or one for another version; REFQ_ERR_CONFLICT: a name is
 * taken; else what init or refq_handlers_add_function() answer. */
REFQ_API REFQ_MUST_USE refq_err refq_handlers_add_plugin(refq_handlers *handlers,
                                                         const refq_plugin_options *options,
                                                         refq_error *err);

#ifdef __cplusplus
}
#endif
#endif
