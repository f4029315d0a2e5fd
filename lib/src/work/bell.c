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
    rqi_line *line;
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

static void pass_on(rqi_line *line)
{
    refq_worker *w = line->worker;
    rqi_key key;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "RPUSH");
    rqi_cmd_adds(&w->cmd, rqi_key_of(&line->keys, key, "bell", ""));
    rqi_cmd_adds(&w->cmd, "1");
    rqi_conn_send(w->conn, &w->cmd, 0, ignore_reply, NULL);
}

static void on_token(void *arg, const refq_error *err, const redisReply *reply)
{
    struct rqi_bell *bell = arg;
    rqi_line *line = bell->line;
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
    if (rqi_claim_is_off(line) || rqi_claim_free_slots(line->worker) == 0) {
        pass_on(line);
        line->hungry = true; /* for the next free slot: nobody may be there to take the token */
        return;
    }
    rqi_claim_now(line);
}

void rqi_bell_listen(struct rqi_bell *bell)
{
    rqi_line *line = bell->line;
    refq_worker *w = line->worker;
    rqi_key key;
    if (bell->listening || !line->parked || rqi_claim_is_off(line)) {
        return;
    }
    bell->listening = true;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "BLPOP");
    rqi_cmd_adds(&w->cmd, rqi_key_of(&line->keys, key, "bell", ""));
    rqi_cmd_adds(&w->cmd, BLOCK_S);
    rqi_conn_send(bell->conn, &w->cmd, BLOCK_TIMEOUT_MS, on_token, bell);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct rqi_bell *bell = arg;
    (void)fd;
    (void)what;
    if (bell->line->parked) {
        rqi_claim_now(bell->line); /* its reply listens again */
    }
}

static void on_up(void *arg)
{
    struct rqi_bell *bell = arg;
    if (bell->line->parked) {
        rqi_claim_now(bell->line);
    }
}

refq_err rqi_bell_new(rqi_line *line, struct rqi_bell **ret, refq_error *err)
{
    refq_worker *w = line->worker;
    struct rqi_bell *bell = calloc(1, sizeof *bell);
    if (bell == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    bell->line = line;
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
