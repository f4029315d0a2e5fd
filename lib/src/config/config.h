/* SPDX-License-Identifier: MIT */
/* The task file: which queue is served, and by which programs. docs/CONFIG.md is its reference. */
#ifndef REFQ_WORKER_CONFIG_H
#define REFQ_WORKER_CONFIG_H

#include "base/arena.h"

#include <refq/bytes.h>
#include <refq/error.h>
#include <refq/plugin.h>
#include <refq/handlers.h>

#define RQI_CONFIG_MAX_BYTES ((size_t)1024 * 1024)
#define RQI_CONFIG_MAX_TASKS 512

typedef struct rqi_config_task {
    refq_task_def def;
    refq_exec_def exec;
    const char *argv0;       /* the program as the file names it */
    const char *program;     /* its absolute path; NULL = looked up on the PATH */
    unsigned line;           /* of the task's name, from 1 */
    unsigned exec_line;      /* of the program */
    unsigned directory_line; /* 0 = not given */
} rqi_config_task;

typedef struct rqi_config_plugin {
    refq_plugin_options options;
    const char *given; /* the path as the file has it */
    unsigned line;     /* of the path */
} rqi_config_plugin;

typedef struct rqi_config {
    const char *file; /* as named by the caller, for messages */
    const char *queue;
    rqi_config_task *tasks; /* in file order */
    size_t n;               /* number of tasks; 0 only when there are plugins */
    rqi_config_plugin *plugins;
    size_t n_plugins;
    rqi_arena arena; /* owns all of the above */
} rqi_config;

/* Reads and checks a task file, including that its programs exist and are executable. Nothing is
 * left to free on failure; err tells the first mistake with its line. */
refq_err rqi_config_load(const char *path, rqi_config *ret_config, refq_error *err);

/* The same without looking at programs and folders. `file` is for messages; relative programs
 * belong to `folder`, an absolute path. */
refq_err rqi_config_parse(refq_bytes text, const char *file, const char *folder,
                          rqi_config *ret_config, refq_error *err);

/* Looks at programs and folders only. */
refq_err rqi_config_check_files(const rqi_config *config, refq_error *err);

/* The keys of a task file; those of its maps hang on them (config_read.h). */
extern const struct rqi_key_table rqi_config_table;

/* Frees everything and empties it. */
void rqi_config_done(rqi_config *config);

#endif
