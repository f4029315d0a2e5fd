/* SPDX-License-Identifier: MIT */
/* What workers there are and what they offer. */
#include "client/client.h"

#include "base/error.h"
#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fleet {
    const char *queue; /* NULL = all */
    refq_worker_info **ret;
    size_t *ret_n;
};

static void on_workers(void *arg, const refq_error *err, const refq_worker_info *workers, size_t n)
{
    rqi_call *call = arg;
    struct fleet *f = call->arg;
    refq_error nomem;
    if (err != NULL) {
        rqi_call_done(call, err);
        return;
    }
    refq_worker_info *copy = calloc(n + 1, sizeof *copy);
    bool good = copy != NULL;
    for (size_t i = 0; good && i < n; i++) {
        copy[i] = workers[i];
        copy[i].offers = workers[i].offers != NULL ? strdup(workers[i].offers) : NULL;
        good = workers[i].offers == NULL || copy[i].offers != NULL;
    }
    if (!good) {
        refq_workers_free(copy, copy != NULL ? n : 0);
        (void)rqi_fail(&nomem, REFQ_ERR_NOMEM, "out of memory");
        rqi_call_done(call, &nomem);
        return;
    }
    *f->ret = copy;
    *f->ret_n = n;
    rqi_call_done(call, NULL);
}

static void start(rqi_call *call)
{
    struct fleet *f = call->arg;
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->workers == NULL) {
        rqi_call_unsupported(call, "a list of workers");
        return;
    }
    b->ops->workers(b, f->queue, on_workers, call);
}

refq_err refq_client_workers(refq_client *client, const char *queue, refq_worker_info **ret_workers,
                             size_t *ret_n, refq_error *err)
{
    struct fleet f = {queue, ret_workers, ret_n};
    return rqi_call_run(client, start, &f, err);
}

void refq_workers_free(refq_worker_info *workers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(workers[i].offers);
    }
    free(workers);
}

static void copy_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%.*s", (int)size - 1, text);
}

/* Looks through one worker's list of names; remembers the name nearest to what is sought. */
static bool offers(const refq_worker_info *w, const char *task, char nearest[REFQ_NAME_MAX + 1],
                   size_t *best)
{
    const char *at = w->offers != NULL ? w->offers : "";
    char name[REFQ_NAME_MAX + 1];
    while (sscanf(at, " %64s", name) == 1) {
        size_t distance = rqi_edit_distance(task, name);
        if (distance == 0) {
            return true;
        }
        if (distance < *best) {
            *best = distance;
            copy_text(nearest, REFQ_NAME_MAX + 1, name);
        }
        at += strspn(at, " ");
        at += strlen(name);
    }
    return false;
}

refq_err refq_client_offer(refq_client *client, const char *queue, const char *task,
                           refq_offer *ret, char nearest[REFQ_NAME_MAX + 1], refq_error *err)
{
    refq_worker_info *workers = NULL;
    size_t n = 0;
    char found[REFQ_NAME_MAX + 1] = "";
    refq_err rc = refq_client_workers(client, queue, &workers, &n, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_offer offer = REFQ_NO_WORKERS;
    size_t best = strlen(task) / 2 + 1; /* farther than half the word is no hint */
    for (size_t i = 0; i < n && offer != REFQ_OFFERED; i++) {
        if (workers[i].lease_left_ms > 0) {
            offer = offers(&workers[i], task, found, &best) ? REFQ_OFFERED : REFQ_NOT_OFFERED;
        }
    }
    refq_workers_free(workers, n);
    *ret = offer;
    if (nearest != NULL) {
        copy_text(nearest, REFQ_NAME_MAX + 1, found);
    }
    return REFQ_OK;
}
