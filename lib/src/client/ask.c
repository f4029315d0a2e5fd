/* SPDX-License-Identifier: MIT */
#include "client/ask.h"

#include "backend/redis.h"
#include "base/error.h"
#include "client/client.h"
#include "client/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rqi_asking {
    rqi_call *call;
    rqi_ask *asks;
    size_t n;
    size_t left; /* those without an answer yet */
};

/* --- Leaves ----------------------------------------------------------------------------------- */

static size_t count_leaves(const redisReply *reply)
{
    size_t n = reply->type == REDIS_REPLY_ARRAY ? 0 : 1;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        n += count_leaves(reply->element[i]);
    }
    return n;
}

static bool copy_leaf(const redisReply *reply, rqi_leaf *ret)
{
    char number[32];
    refq_bytes text = {reply->str, reply->str != NULL ? reply->len : 0};
    if (reply->type == REDIS_REPLY_NIL) {
        return true;
    }
    if (reply->type == REDIS_REPLY_INTEGER) {
        (void)snprintf(number, sizeof number, "%lld", reply->integer);
        text = (refq_bytes){number, strlen(number)};
    }
    ret->ptr = rqi_client_copy(text);
    ret->len = text.len;
    return ret->ptr != NULL;
}

/* How deep a reply nests is bounded by the reader. */
static bool add_leaves(const redisReply *reply, rqi_ask *ask)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return copy_leaf(reply, &ask->leaves[ask->leaves_n++]);
    }
    for (size_t i = 0; i < reply->elements; i++) {
        if (!add_leaves(reply->element[i], ask)) {
            return false;
        }
    }
    return true;
}

void rqi_asks_done(rqi_ask *asks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < asks[i].leaves_n; k++) {
            free(asks[i].leaves[k].ptr);
        }
        free(asks[i].leaves);
        asks[i].leaves = NULL;
        asks[i].leaves_n = 0;
        asks[i].err = (refq_error){.code = REFQ_OK};
    }
}

/* --- On the I/O thread ------------------------------------------------------------------------ */

static void end_all(struct rqi_asking *asking)
{
    const refq_error *first = NULL;
    for (size_t i = 0; i < asking->n && first == NULL; i++) {
        first = asking->asks[i].err.code != REFQ_OK ? &asking->asks[i].err : NULL;
    }
    rqi_call_done(asking->call, first);
}

static void on_answer(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_ask *ask = arg;
    if (err != NULL) {
        ask->err = *err;
    } else {
        ask->leaves = calloc(count_leaves(reply) + 1, sizeof *ask->leaves);
        if (ask->leaves == NULL || !add_leaves(reply, ask)) {
            (void)rqi_fail(&ask->err, REFQ_ERR_NOMEM, "out of memory");
        }
    }
    if (--ask->asking->left == 0) {
        end_all(ask->asking);
    }
}

static void start(rqi_call *call)
{
    struct rqi_asking *asking = call->arg;
    rqi_redis *r = rqi_client_redis(call->client);
    if (r == NULL) {
        rqi_call_unsupported(call, "commands of a server");
        return;
    }
    asking->call = call;
    for (size_t i = 0; i < asking->n; i++) {
        rqi_ask *ask = &asking->asks[i];
        rqi_cmd_clear(&r->cmd);
        for (size_t k = 0; k < ask->n; k++) {
            rqi_cmd_add(&r->cmd, ask->argv[k].ptr, ask->argv[k].len);
        }
        rqi_conn_send(r->conn, &r->cmd, ask->timeout_ms, on_answer, ask);
    }
}

refq_err rqi_client_ask(refq_client *client, rqi_ask *asks, size_t n, refq_error *err)
{
    struct rqi_asking asking = {.asks = asks, .n = n, .left = n};
    rqi_asks_done(asks, n);
    for (size_t i = 0; i < n; i++) {
        asks[i].asking = &asking;
    }
    return rqi_call_run(client, start, &asking, err);
}
