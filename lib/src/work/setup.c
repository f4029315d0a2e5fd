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
    refq_err rc = rqi_rand_init(err);
    if (rc == REFQ_OK) {
        rc = check_options(&w->o, err);
    }
    if (rc == REFQ_OK) {
        rc = rqi_url_parse(options->redis, &w->url, err);
    }
    if (rc == REFQ_OK) { /* the queue comes with refq_worker_serve(); this checks the prefix */
        rc = rqi_keys_make(options->prefix, "q", &w->keys, err);
    }
    if (rc != REFQ_OK) {
        refq_worker_free(w);
        return rc;
    }
    w->o.redis = NULL;
    w->o.prefix = NULL;
    *ret_worker = w;
    return REFQ_OK;
}

refq_err refq_worker_serve(refq_worker *w, const char *queue, refq_handlers *handlers,
                           refq_error *err)
{
    rqi_keys keys;
    char prefix[RQI_PREFIX_MAX + 1];
    if (w->handlers != NULL) {
        return rqi_fail(err, REFQ_ERR_CONFLICT, "the worker serves queue %s already", w->queue);
    }
    if (rqi_handlers_count(handlers) == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "queue %.64s has no tasks: there is nothing to serve it with", queue);
    }
    memcpy(prefix, w->keys.prefix, sizeof prefix);
    refq_err rc = rqi_keys_make(prefix, queue, &keys, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    w->keys = keys;
    (void)snprintf(w->queue, sizeof w->queue, "%s", queue);
    w->handlers = refq_handlers_ref(handlers);
    rqi_handlers_seal(handlers);
    return REFQ_OK;
}

void refq_worker_free(refq_worker *w)
{
    if (w == NULL || w->stuck) {
        return;
    }
    refq_handlers_unref(w->handlers);
    rqi_cmd_done(&w->cmd);
    for (size_t i = 0; i < sizeof w->scratch / sizeof w->scratch[0]; i++) {
        rqi_buf_done(&w->scratch[i]);
    }
    if (w->fd_stop >= 0) {
        (void)close(w->fd_stop);
    }
    free(w);
}
