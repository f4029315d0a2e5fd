/* SPDX-License-Identifier: MIT */
/*
 * Cancellations by push. A message lost here is not lost: the order stands in
 * Redis until this worker confirms that the attempt has ended, and every beat's
 * reply repeats it.
 */
#include "work/worker.h"

#include "base/error.h"
#include "base/log.h"
#include "run/executor.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define KEEPALIVE_S 15

struct rqi_orders {
    refq_worker *w;
    rqi_conn *conn;
    struct event *keepalive;
};

static void ignore_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    (void)arg;
    (void)err;
    (void)reply;
}

/* An order for something we no longer hold is confirmed, so that it is not repeated for ever. */
static void confirm_unknown(refq_worker *w, const char *hex)
{
    rqi_attempt *a = rqi_attempt_new(w);
    if (a == NULL) {
        return;
    }
    memcpy(a->run.ref.queue, w->queue, sizeof a->run.ref.queue);
    memcpy(a->run.ref.hex, hex, REFQ_HEX_LEN);
    a->phantom = true;
    a->generation = w->generation;
    a->run.stop = RQI_STOP_CANCELLED;
    rqi_worker_add(w, a);
    rqi_worker_attempt_done(a);
}

void rqi_orders_cancel(refq_worker *w, const char *hex)
{
    if (strlen(hex) != REFQ_HEX_LEN) {
        return;
    }
    rqi_attempt *a = rqi_worker_find(w, hex, NULL);
    if (a == NULL) {
        if (w->calls == 0) { /* else it may be in a reply on its way to us */
            confirm_unknown(w, hex);
        }
        return;
    }
    if (a->state == RQI_ATTEMPT_LOADING || a->state == RQI_ATTEMPT_RUNNING) {
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=cancelling ref=%s:%s attempt=%u", w->queue, hex,
                a->run.number);
        rqi_run_stop(&a->run, RQI_STOP_CANCELLED);
    }
}

static void on_push(void *arg, const redisReply *message)
{
    struct rqi_orders *orders = arg;
    rqi_cursor cur = rqi_cursor_of(message);
    if (strcmp(rqi_next_str(&cur), "smessage") != 0) {
        return;
    }
    (void)rqi_next_str(&cur); /* the channel: there is only one */
    const char *order = rqi_next_str(&cur);
    if (strncmp(order, "cancel ", 7) == 0) {
        rqi_orders_cancel(orders->w, order + 7);
    }
}

static void on_up(void *arg)
{
    struct rqi_orders *orders = arg;
    refq_worker *w = orders->w;
    rqi_key channel;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "SSUBSCRIBE");
    rqi_cmd_adds(&w->cmd, rqi_key_of(&w->keys, channel, "orders:", w->id));
    rqi_conn_send(orders->conn, &w->cmd, 0, ignore_reply, NULL);
}

static void on_keepalive(evutil_socket_t fd, short what, void *arg)
{
    struct rqi_orders *orders = arg;
    (void)fd;
    (void)what;
    if (rqi_conn_is_up(orders->conn)) {
        rqi_cmd_clear(&orders->w->cmd);
        rqi_cmd_adds(&orders->w->cmd, "PING");
        rqi_conn_send(orders->conn, &orders->w->cmd, 0, ignore_reply, NULL);
    }
}

void rqi_orders_renew(struct rqi_orders *orders)
{
    rqi_conn_reset(orders->conn, "a new incarnation listens to its own orders");
}

refq_err rqi_orders_new(refq_worker *w, struct rqi_orders **ret, refq_error *err)
{
    struct rqi_orders *orders = calloc(1, sizeof *orders);
    if (orders == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    struct timeval period = {.tv_sec = KEEPALIVE_S};
    orders->w = w;
    orders->keepalive = event_new(w->base, -1, EV_PERSIST, on_keepalive, orders);
    rqi_conn_options conn = {.base = w->base,
                             .url = &w->url,
                             .name = "refq-worker-orders",
                             .log = &w->o.log,
                             .patient = true,
                             .on_up = on_up,
                             .on_push = on_push,
                             .arg = orders};
    refq_err rc = orders->keepalive != NULL && event_add(orders->keepalive, &period) == 0
                      ? rqi_conn_new(&conn, &orders->conn, err)
                      : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    if (rc != REFQ_OK) {
        rqi_orders_free(orders);
        return rc;
    }
    *ret = orders;
    return REFQ_OK;
}

void rqi_orders_free(struct rqi_orders *orders)
{
    if (orders == NULL) {
        return;
    }
    rqi_conn_free(orders->conn);
    if (orders->keepalive != NULL) {
        event_free(orders->keepalive);
    }
    free(orders);
}
