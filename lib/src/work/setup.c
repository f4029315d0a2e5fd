/* SPDX-License-Identifier: MIT */
/* Making a worker: its options checked, its queues named, nothing started. */
#include "work/worker.h"

#include "base/error.h"
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONCURRENCY_MAX  4096
#define LEASE_MS         10000
#define LEASE_MIN_MS     100
#define GRACE_MS         25000
#define RECORD_TTL_MS    ((int64_t)24 * 3600 * 1000)
#define UNKNOWN_GRACE_MS 60000

static refq_err check_options(refq_worker_options *o, refq_error *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (o->concurrency == 0) {
        o->concurrency = cpus > 0 && cpus < CONCURRENCY_MAX ? (unsigned)cpus : 1;
    }
    if (o->concurrency > CONCURRENCY_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "concurrency must be 1 to %d, not %u", CONCURRENCY_MAX,
                        o->concurrency);
    }
    o->lease_ms = o->lease_ms != 0 ? o->lease_ms : LEASE_MS;
    o->beat_ms = o->beat_ms != 0 ? o->beat_ms : o->lease_ms / 5;
    o->grace_ms = o->grace_ms != 0 ? o->grace_ms : GRACE_MS;
    o->record_ttl_ms = o->record_ttl_ms != 0 ? o->record_ttl_ms : RECORD_TTL_MS;
    o->unknown_grace_ms = o->unknown_grace_ms != 0 ? o->unknown_grace_ms : UNKNOWN_GRACE_MS;
    if (o->lease_ms < LEASE_MIN_MS || o->beat_ms < 1 || o->beat_ms > o->lease_ms / 3 ||
        o->grace_ms < 0 || o->record_ttl_ms < 1000 || o->unknown_grace_ms < 0) {
        return rqi_fail(
            err, REFQ_ERR_LIMIT,
            "the lease is at least %d ms, the beat at most a third of it, the graces are not "
            "negative, the record's life at least 1 s",
            LEASE_MIN_MS);
    }
    return REFQ_OK;
}

rqi_line *rqi_worker_line(refq_worker *w, const char *queue)
{
    for (size_t i = 0; i < w->lines_n; i++) {
        if (strcmp(w->lines[i]->queue, queue) == 0) {
            return w->lines[i];
        }
    }
    return NULL;
}

refq_err refq_worker_new(const refq_worker_options *options, refq_worker **ret_worker,
                         refq_error *err)
{
    rqi_keys keys;
    refq_worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    w->o = *options;
    w->access = options->access != NULL ? *options->access : (refq_access){0};
    w->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->fd_stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    TAILQ_INIT(&w->waiting);
    (void)pthread_mutex_init(&w->lock, NULL);
    refq_err rc = rqi_rand_init(err);
    if (rc == REFQ_OK) {
        rc = check_options(&w->o, err);
    }
    if (rc == REFQ_OK) {
        rc = rqi_url_parse(options->redis, &w->url, err);
    }
    if (rc == REFQ_OK) { /* the queue comes with refq_worker_serve(); this checks the prefix */
        rc = rqi_keys_make(options->prefix, "q", &keys, err);
    }
    if (rc != REFQ_OK) {
        refq_worker_free(w);
        return rc;
    }
    (void)snprintf(w->prefix, sizeof w->prefix, "%s", keys.prefix);
    w->o.redis = NULL;
    w->o.prefix = NULL;
    w->o.access = NULL;
    *ret_worker = w;
    return REFQ_OK;
}

refq_err refq_worker_serve(refq_worker *w, const char *queue, refq_handlers *handlers,
                           refq_error *err)
{
    rqi_line *line = NULL;
    if (rqi_worker_line(w, queue) != NULL) {
        return rqi_fail(err, REFQ_ERR_CONFLICT, "the worker serves queue %s already", queue);
    }
    if (rqi_handlers_count(handlers) == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "queue %.64s has no tasks: there is nothing to serve it with", queue);
    }
    if (w->lines_n == RQI_LINES_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a worker serves at most %d queues", RQI_LINES_MAX);
    }
    refq_err rc = rqi_line_new(w, queue, handlers, &line, err);
    if (rc == REFQ_OK) {
        line->index = (unsigned)w->lines_n;
        w->lines[w->lines_n++] = line;
    }
    return rc;
}

refq_err refq_worker_reload(refq_worker *w, const char *queue, refq_handlers *handlers,
                            refq_error *err)
{
    rqi_line *line = rqi_worker_line(w, queue);
    if (line == NULL) {
        return rqi_fail(err, REFQ_ERR_NOTFOUND, "the worker does not serve queue %.64s", queue);
    }
    if (rqi_handlers_count(handlers) == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "queue %.64s would have no tasks", queue);
    }
    rqi_handlers_seal(handlers);
    pthread_mutex_lock(&w->lock);
    refq_handlers_unref(line->fresh);
    line->fresh = refq_handlers_ref(handlers);
    pthread_mutex_unlock(&w->lock);
    rqi_worker_wake(w);
    return REFQ_OK;
}

void refq_worker_free(refq_worker *w)
{
    if (w == NULL || w->stuck) {
        return;
    }
    for (size_t i = 0; i < w->lines_n; i++) {
        rqi_line_free(w->lines[i]);
    }
    rqi_cmd_done(&w->cmd);
    for (size_t i = 0; i < sizeof w->scratch / sizeof w->scratch[0]; i++) {
        rqi_buf_done(&w->scratch[i]);
    }
    if (w->fd_stop >= 0) {
        (void)close(w->fd_stop);
    }
    if (w->notify_fd >= 0) {
        (void)close(w->notify_fd);
    }
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
