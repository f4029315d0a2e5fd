/* SPDX-License-Identifier: MIT */
/* Making a worker: its options checked, its handlers registered, nothing started. */
#include "work/worker.h"

#include "base/error.h"
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONCURRENCY_MAX 4096
#define LEASE_MS        10000
#define LEASE_MIN_MS    100
#define GRACE_MS        25000
#define RECORD_TTL_MS   ((int64_t)24 * 3600 * 1000)

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
    if (o->lease_ms < LEASE_MIN_MS || o->beat_ms < 1 || o->beat_ms > o->lease_ms / 3 ||
        o->grace_ms < 0 || o->record_ttl_ms < 1000) {
        return rqi_fail(
            err, REFQ_ERR_LIMIT,
            "the lease is at least %d ms, the beat at most a third of it, the grace not "
            "negative, the record's life at least 1 s",
            LEASE_MIN_MS);
    }
    return REFQ_OK;
}

refq_err refq_worker_new(const refq_worker_options *options, refq_worker **ret_worker,
                         refq_error *err)
{
    refq_worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    w->o = *options;
    w->notify_fd = -1;
    w->fd_stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    TAILQ_INIT(&w->held);
    TAILQ_INIT(&w->ready);
    (void)pthread_mutex_init(&w->lock, NULL);
    refq_err rc = rqi_rand_init(err);
    if (rc == REFQ_OK) {
        rc = check_options(&w->o, err);
    }
    if (rc == REFQ_OK) {
        rc = rqi_url_parse(options->redis, &w->url, err);
    }
    if (rc == REFQ_OK) {
        rc = rqi_keys_make(options->prefix, options->queue != NULL ? options->queue : "", &w->keys,
                           err);
    }
    if (rc != REFQ_OK) {
        refq_worker_free(w);
        return rc;
    }
    (void)snprintf(w->queue, sizeof w->queue, "%s", options->queue);
    w->o.redis = NULL;
    w->o.queue = NULL;
    w->o.prefix = NULL;
    *ret_worker = w;
    return REFQ_OK;
}

refq_err refq_worker_add_function(refq_worker *w, const refq_task_def *def, refq_run_mode mode,
                                  refq_handler handler, void *arg, refq_error *err)
{
    rqi_handler *h = NULL;
    rqi_handler_kind kind = mode == REFQ_RUN_INLINE ? RQI_HANDLER_INLINE : RQI_HANDLER_THREAD;
    refq_err rc = rqi_registry_add(&w->registry, kind, def, NULL, &h, err);
    if (rc == REFQ_OK) {
        h->fn = handler;
        h->arg = arg;
    }
    return rc;
}

refq_err refq_worker_add_exec(refq_worker *w, const refq_task_def *def, const refq_exec_def *exec,
                              refq_error *err)
{
    rqi_handler *h = NULL;
    return rqi_registry_add(&w->registry, RQI_HANDLER_EXEC, def, exec, &h, err);
}

void refq_worker_free(refq_worker *w)
{
    if (w == NULL || w->stuck) {
        return;
    }
    rqi_registry_done(&w->registry);
    rqi_cmd_done(&w->cmd);
    for (size_t i = 0; i < sizeof w->scratch / sizeof w->scratch[0]; i++) {
        rqi_buf_done(&w->scratch[i]);
    }
    if (w->fd_stop >= 0) {
        (void)close(w->fd_stop);
    }
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
