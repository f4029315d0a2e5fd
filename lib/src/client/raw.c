/* SPDX-License-Identifier: MIT */
#include "client/raw.h"

#include "backend/redis.h"
#include "base/error.h"
#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 96

struct raw {
    const char *queue; /* NULL = a plain command */
    const char *name;  /* of the function */
    const char *const *argv;
    size_t n;
    refq_texts *ret;
};

/* --- Leaves ----------------------------------------------------------------------------------- */

static char *leaf_text(const redisReply *reply)
{
    char number[32];
    if (reply->type == REDIS_REPLY_INTEGER) {
        (void)snprintf(number, sizeof number, "%lld", reply->integer);
        return strdup(number);
    }
    bool nil = reply->type == REDIS_REPLY_NIL || reply->str == NULL;
    return rqi_client_copy((refq_bytes){nil ? "" : reply->str, nil ? 0 : reply->len});
}

static size_t count_leaves(const redisReply *reply)
{
    size_t n = reply->type == REDIS_REPLY_ARRAY ? 0 : 1;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        n += count_leaves(reply->element[i]);
    }
    return n;
}

/* How deep a reply nests is bounded by the reader. */
static bool add_leaves(const redisReply *reply, refq_texts *out)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        out->items[out->n] = leaf_text(reply);
        out->n += out->items[out->n] != NULL;
        return out->n > 0 && out->items[out->n - 1] != NULL;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        if (!add_leaves(reply->element[i], out)) {
            return false;
        }
    }
    return true;
}

static void on_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_call *call = arg;
    struct raw *raw = call->arg;
    refq_error nomem;
    refq_texts texts = {0};
    if (err != NULL) {
        rqi_call_done(call, err);
        return;
    }
    texts.items = calloc(count_leaves(reply) + 1, sizeof *texts.items);
    if (texts.items == NULL || !add_leaves(reply, &texts)) {
        refq_texts_free(&texts);
        (void)rqi_fail(&nomem, REFQ_ERR_NOMEM, "out of memory");
        rqi_call_done(call, &nomem);
        return;
    }
    *raw->ret = texts;
    rqi_call_done(call, NULL);
}

/* --- Sending ---------------------------------------------------------------------------------- */

rqi_redis *rqi_client_redis(refq_client *client)
{
    refq_backend *b = rqi_client_backend(client);
    return strcmp(b->ops->name, "redis") == 0 ? (rqi_redis *)b : NULL;
}

static void send_plain(rqi_call *call, rqi_redis *r)
{
    const struct raw *raw = call->arg;
    rqi_cmd_clear(&r->cmd);
    for (size_t i = 0; i < raw->n; i++) {
        rqi_cmd_adds(&r->cmd, raw->argv[i]);
    }
    rqi_conn_send(r->conn, &r->cmd, 0, on_reply, call);
}

static void send_fcall(rqi_call *call, rqi_redis *r)
{
    const struct raw *raw = call->arg;
    char name[NAME_MAX_BYTES];
    refq_error err;
    rqi_queue *q = rqi_redis_queue(r, raw->queue, &err);
    if (q == NULL) {
        rqi_call_done(call, &err);
        return;
    }
    (void)snprintf(name, sizeof name, "%s_%s", RQI_LIBRARY_NAME, raw->name);
    rqi_fcall_begin(&r->cmd, &q->keys, name);
    for (size_t i = 0; i < raw->n; i++) {
        rqi_cmd_adds(&r->cmd, raw->argv[i]);
    }
    rqi_fcall_send(r->conn, &r->cmd, RQI_REPEAT, on_reply, call);
}

static void start(rqi_call *call)
{
    const struct raw *raw = call->arg;
    rqi_redis *r = rqi_client_redis(call->client);
    if (r == NULL) {
        rqi_call_unsupported(call, "commands of a server");
    } else if (raw->queue == NULL) {
        send_plain(call, r);
    } else {
        send_fcall(call, r);
    }
}

refq_err rqi_client_raw(refq_client *client, const char *const *argv, size_t n, refq_texts *ret,
                        refq_error *err)
{
    struct raw raw = {.argv = argv, .n = n, .ret = ret};
    return rqi_call_run(client, start, &raw, err);
}

refq_err rqi_client_fcall(refq_client *client, const char *queue, const char *name,
                          const char *const *argv, size_t n, refq_texts *ret, refq_error *err)
{
    struct raw raw = {.queue = queue, .name = name, .argv = argv, .n = n, .ret = ret};
    return rqi_call_run(client, start, &raw, err);
}

/* Fixed when the backend was made, so any thread may read it. */
const char *rqi_client_prefix(refq_client *client)
{
    const rqi_redis *r = rqi_client_redis(client);
    return r != NULL ? r->prefix : NULL;
}

const char *rqi_client_library(void)
{
    return RQI_LIBRARY_NAME;
}
