/* SPDX-License-Identifier: MIT */
/* Blocking calls for the people who run a queue: cleanup, numbers, control. */
#include "client/client.h"

/* --- Cleanup and control ---------------------------------------------------------------------- */

struct counted {
    const void *query;
    int64_t *ret_n; /* may be NULL */
};

static void on_count(void *arg, const refq_error *err, int64_t n)
{
    rqi_call *call = arg;
    struct counted *c = call->arg;
    if (err == NULL && c->ret_n != NULL) {
        *c->ret_n = n;
    }
    rqi_call_done(call, err);
}

static void start_cleanup(rqi_call *call)
{
    struct counted *c = call->arg;
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->cleanup == NULL) {
        rqi_call_unsupported(call, "cleanup");
        return;
    }
    b->ops->cleanup(b, c->query, on_count, call);
}

static void start_control(rqi_call *call)
{
    struct counted *c = call->arg;
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->control == NULL) {
        rqi_call_unsupported(call, "control");
        return;
    }
    b->ops->control(b, c->query, on_count, call);
}

refq_err refq_client_cleanup(refq_client *client, const refq_cleanup_query *query, int64_t *ret_n,
                             refq_error *err)
{
    struct counted c = {query, ret_n};
    return rqi_call_run(client, start_cleanup, &c, err);
}

refq_err refq_client_control(refq_client *client, const refq_control *control, int64_t *ret_n,
                             refq_error *err)
{
    struct counted c = {control, ret_n};
    return rqi_call_run(client, start_control, &c, err);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

struct numbers {
    const char *queue;
    refq_stats *ret;
};

static void on_stats(void *arg, const refq_error *err, const refq_stats *stats)
{
    rqi_call *call = arg;
    struct numbers *n = call->arg;
    if (err == NULL) {
        *n->ret = *stats;
    }
    rqi_call_done(call, err);
}

static void start_stats(rqi_call *call)
{
    struct numbers *n = call->arg;
    refq_backend *b = rqi_client_backend(call->client);
    if (b->ops->stats == NULL) {
        rqi_call_unsupported(call, "stats");
        return;
    }
    b->ops->stats(b, n->queue, on_stats, call);
}

refq_err refq_client_stats(refq_client *client, const char *queue, refq_stats *ret, refq_error *err)
{
    struct numbers n = {queue, ret};
    return rqi_call_run(client, start_stats, &n, err);
}
