/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A reload reads every file and makes every handler before it hands over
 * the first: a mistake anywhere leaves everything as it was. What it cannot do is
 * change the set of queues: each queue is an incarnation with a lease and
 * connections of its own, and to give one up is to drain it, which is what
 * stopping the worker does.
 */
#include "files.h"

#include "base/error.h"
#include "config/config_offer.h"
#include "run/handlers.h"

#include <stdlib.h>
#include <string.h>

static refq_err check_queue(const rqi_files *files, size_t at, refq_error *err)
{
    const rqi_config *config = &files->items[at].config;
    for (size_t i = 0; i < at; i++) {
        const rqi_config *other = &files->items[i].config;
        if (strcmp(other->queue, config->queue) == 0) {
            return rqi_fail(err, REFQ_ERR_CONFLICT,
                            "%.100s: queue '%s' has a task file already, %.100s; put its tasks "
                            "into one",
                            config->file, config->queue, other->file);
        }
    }
    return REFQ_OK;
}

refq_err rqi_files_load(const char *const *paths, size_t n, rqi_files *ret, refq_error *err)
{
    refq_err e = REFQ_OK;
    *ret = (rqi_files){0};
    for (size_t i = 0; e == REFQ_OK && i < n; i++) {
        e = rqi_config_load(paths[i], &ret->items[i].config, err);
        ret->n += e == REFQ_OK;
        if (e == REFQ_OK) {
            e = check_queue(ret, i, err);
        }
    }
    if (e != REFQ_OK) {
        rqi_files_done(ret);
    }
    return e;
}

refq_err rqi_files_make(rqi_files *files, refq_error *err)
{
    refq_err e = REFQ_OK;
    files->tasks = 0;
    for (size_t i = 0; e == REFQ_OK && i < files->n; i++) {
        rqi_file *file = &files->items[i];
        e = refq_handlers_new(&file->handlers, err);
        if (e == REFQ_OK) {
            e = rqi_config_offer(&file->config, file->handlers, err);
        }
        if (e == REFQ_OK) {
            files->tasks += rqi_handlers_count(file->handlers);
        }
    }
    return e;
}

refq_err rqi_files_serve(const rqi_files *files, refq_worker *worker, refq_error *err)
{
    refq_err e = REFQ_OK;
    for (size_t i = 0; e == REFQ_OK && i < files->n; i++) {
        e = refq_worker_serve(worker, files->items[i].config.queue, files->items[i].handlers, err);
    }
    return e;
}

static refq_err check_same_queues(const rqi_files *now, const rqi_files *fresh, refq_error *err)
{
    for (size_t i = 0; i < now->n; i++) {
        const char *was = now->items[i].config.queue;
        const char *is = fresh->items[i].config.queue;
        if (strcmp(was, is) != 0) {
            return rqi_fail(err, REFQ_ERR_CONFLICT,
                            "%.120s: queue: the worker serves '%s', the file now says '%s'; a "
                            "worker keeps its queues, start it anew to change them",
                            now->items[i].config.file, was, is);
        }
    }
    return REFQ_OK;
}

static refq_err load_again(const rqi_files *now, rqi_files *fresh, refq_error *err)
{
    const char *paths[RQI_FILES_MAX];
    for (size_t i = 0; i < now->n; i++) {
        paths[i] = now->items[i].config.file;
    }
    refq_err e = rqi_files_load(paths, now->n, fresh, err);
    if (e == REFQ_OK) {
        e = check_same_queues(now, fresh, err);
    }
    return e == REFQ_OK ? rqi_files_make(fresh, err) : e;
}

static refq_err hand_over(const rqi_files *fresh, refq_worker *worker, refq_error *err)
{
    refq_err e = REFQ_OK;
    for (size_t i = 0; e == REFQ_OK && i < fresh->n; i++) {
        const rqi_file *file = &fresh->items[i];
        e = refq_worker_reload(worker, file->config.queue, file->handlers, err);
    }
    return e;
}

refq_err rqi_files_reload(const rqi_files *now, refq_worker *worker, size_t *ret_tasks,
                          refq_error *err)
{
    rqi_files *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    refq_err e = load_again(now, fresh, err);
    if (e == REFQ_OK) {
        e = hand_over(fresh, worker, err);
    }
    if (e == REFQ_OK) {
        *ret_tasks = fresh->tasks;
    }
    rqi_files_done(fresh);
    free(fresh);
    return e;
}

void rqi_files_done(rqi_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        refq_handlers_unref(files->items[i].handlers);
        rqi_config_done(&files->items[i].config);
    }
    *files = (rqi_files){0};
}
