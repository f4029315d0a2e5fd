/* SPDX-License-Identifier: MIT */
/* The task files a worker was started with, one queue each, and what is made of them. */
#ifndef REFQ_WORKER_FILES_H
#define REFQ_WORKER_FILES_H

#include "config/config.h"

#include <refq/work.h>

#define RQI_FILES_MAX 64

typedef struct rqi_file {
    rqi_config config;
    refq_handlers *handlers; /* a reference; NULL = not made yet */
} rqi_file;

typedef struct rqi_files {
    rqi_file items[RQI_FILES_MAX];
    size_t n;
    size_t tasks; /* in all files, with those of plugins once the handlers are made */
} rqi_files;

/* Reads and checks all files. Nothing is left to free on failure. */
refq_err rqi_files_load(const char *const *paths, size_t n, rqi_files *ret, refq_error *err);

/* Makes the handlers; loads plugins. */
refq_err rqi_files_make(rqi_files *files, refq_error *err);

/* Has a worker serve all queues, before it runs. */
refq_err rqi_files_serve(const rqi_files *files, refq_worker *worker, refq_error *err);

/* Reads the files of `now` again and gives a running worker what they say. All or nothing; a file
 * that names another queue than before is refused. ret_tasks: how many tasks there are. */
refq_err rqi_files_reload(const rqi_files *now, refq_worker *worker, size_t *ret_tasks,
                          refq_error *err);

/* Frees everything and empties it. */
void rqi_files_done(rqi_files *files);

#endif
