/* SPDX-License-Identifier: MIT */
/*
 * Waiting for work on the doorbell, a list that others push tokens to.
 *
 * DESIGN. A token means "somebody parked should look", nothing more. A worker
 * that takes one while it has no free slot puts it back for the others. One that
 * loses its connection may have lost a token with it, so it looks for work when
 * it is back; and if it dies instead, the next beat of any worker sees the work
 * lying there and rings again.
 */
#include "work/worker.h"

#include "base/error.h"

#include <event2/event.h>
#include <stdlib.h>

#define BLOCK_S          "30"
#define PAUSE_S          1
#define BLOCK_TIMEOUT_MS 40000 /* must exceed the block */

struct rqi_bell {
    refq_worker *w;
    rqi_conn *conn;
    struct event *again; /* looks for work after the server refused to let us wait */
    bool listening;      /* a BLPOP is under way */
};

static void ignore_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    (void)arg;
    (void)err;
    (void)reply;
}

static void pass_on(refq_worker *w)
{
    rqi_key key;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "RPUSH");
    rqi_cmd_adds(&w->cmd, rqi_key_of(&w->keys, key, "bell", ""));
    rqi_cmd_adds(&w->cmd, "1");
    rqi_conn_send(w->conn, &w->cmd, 0, ignore_reply, NULL);
}

static void on_token(void *arg, const refq_error *err, const redisReply *reply)
{
    struct rqi_bell *bell = arg;
    refq_worker *w = bell->w;
    bell->listening = false;
    if (err != NULL) {
        /* When the connection is gone, on_up looks for work. Else the server refused, or is slow.
         */
        if (rqi_conn_is_up(bell->conn)) {
            struct timeval pause = {.tv_sec = PAUSE_S};
            (void)evtimer_add(bell->again, &pause);
        }
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY) {
        rqi_bell_listen(bell); /* the block ran out */
        return;
    }
    if (w->draining || w->running_n + w->claiming >= w->o.concurrency) {
        pass_on(w);
        return;
    }
    rqi_claim_now(w);
}

void rqi_bell_listen(struct rqi_bell *bell)
{
    refq_worker *w = bell->w;
    rqi_key key;
    if (bell->listening || !w->parked || w->draining) {
        return;
    }
    bell->listening = true;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "BLPOP");
    rqi_cmd_adds(&w->cmd, rqi_key_of(&w->keys, key, "bell", ""));
    rqi_cmd_adds(&w->cmd, BLOCK_S);
    rqi_conn_send(bell->conn, &w->cmd, BLOCK_TIMEOUT_MS, on_token, bell);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct rqi_bell *bell = arg;
    (void)fd;
    (void)what;
    if (bell->w->parked) {
        rqi_claim_now(bell->w); /* its reply listens again */
    }
}

static void on_up(void *arg)
{
    struct rqi_bell *bell = arg;
    if (bell->w->parked) {
        rqi_claim_now(bell->w);
    }
}

refq_err rqi_bell_new(refq_worker *w, struct rqi_bell **ret, refq_error *err)
{
    struct rqi_bell *bell = calloc(1, sizeof *bell);
    if (bell == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    bell->w = w;
    rqi_conn_options conn = {.base = w->base,
                             .url = &w->url,
                             .name = "refq-worker-bell",
                             .log = &w->o.log,
                             .patient = true,
                             .on_up = on_up,
                             .arg = bell};
    bell->again = evtimer_new(w->base, on_again, bell);
    refq_err rc = bell->again != NULL ? rqi_conn_new(&conn, &bell->conn, err)
                                      : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    if (rc != REFQ_OK) {
        rqi_bell_free(bell);
        return rc;
    }
    *ret = bell;
    return REFQ_OK;
}

void rqi_bell_free(struct rqi_bell *bell)
{
    if (bell == NULL) {
        return;
    }
    rqi_conn_free(bell->conn);
    if (bell->again != NULL) {
        event_free(bell->again);
    }
    free(bell);
}
