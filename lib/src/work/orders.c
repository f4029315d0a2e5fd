/* SPDX-License-Identifier: MIT */
/*
 * What comes by push: cancellations, answers, and orders to the worker itself.
 *
 * DESIGN. A message lost here is not lost: what it says stands in Redis until this
 * worker confirms it, or until it is undone, and every beat's reply repeats it.
 * One connection listens for all queues. A channel names an incarnation; one that
 * is dead by now may go on talking, nobody listens to it.
 */
#include "work/worker.h"

#include "base/error.h"
#include "base/log.h"
#include "work/drain.h"
#include "work/notes.h"

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

/* --- Tasks ------------------------------------------------------------------------------------ */

/* An order for something we no longer hold is confirmed, so that it is not repeated for ever. */
static void confirm_unknown(rqi_line *line, const char *hex)
{
    if (line->calls > 0) {
        return; /* it may be in a reply on its way to us; the next beat repeats the order */
    }
    rqi_attempt *a = rqi_attempt_new(line);
    if (a == NULL) {
        return;
    }
    memcpy(a->run.ref.queue, line->queue, sizeof a->run.ref.queue);
    memcpy(a->run.ref.hex, hex, REFQ_HEX_LEN);
    a->phantom = true;
    a->generation = line->generation;
    a->run.stop = RQI_STOP_CANCELLED;
    rqi_line_add(line, a);
    rqi_worker_attempt_done(a);
}

void rqi_orders_cancel(rqi_line *line, const char *hex)
{
    rqi_attempt *a = rqi_line_find(line, hex, NULL);
    if (a == NULL) {
        confirm_unknown(line, hex);
    } else if (rqi_attempt_is_active(a)) {
        rqi_log(&line->worker->o.log, REFQ_LOG_INFO, "event=cancelling ref=%s:%s attempt=%u",
                line->queue, hex, a->run.number);
        rqi_attempt_stop(a, RQI_STOP_CANCELLED);
    }
}

struct fetch {
    rqi_line *line;
    char hex[REFQ_HEX_LEN + 1];
    char entry[RQI_FENCE_MAX + 1];
};

static void on_answer(void *arg, const refq_error *err, const redisReply *reply)
{
    struct fetch *fetch = arg;
    rqi_attempt *a = rqi_line_find(fetch->line, fetch->hex, fetch->entry);
    free(fetch);
    if (a == NULL) {
        return;
    }
    if (err != NULL || reply->type != REDIS_REPLY_STRING) {
        a->answering =
            false; /* if there is an answer, the order stands: the next beat repeats it */
        return;
    }
    if (rqi_attempt_is_active(a)) {
        (void)rqi_run_answer(&a->run, reply->str, (size_t)reply->len);
        rqi_note_owe(a, RQI_NOTE_ANSWERED);
    }
}

/* The order comes by push and with beats, maybe several times: what is fetched a second time could
 * meet the handler's next question. */
void rqi_orders_answer(rqi_line *line, const char *hex)
{
    refq_worker *w = line->worker;
    rqi_key key;
    rqi_attempt *a = rqi_line_find(line, hex, NULL);
    if (a == NULL) {
        confirm_unknown(line, hex);
        return;
    }
    struct fetch *fetch = a->answering ? NULL : calloc(1, sizeof *fetch);
    if (fetch == NULL) {
        return;
    }
    a->answering = true;
    fetch->line = line;
    memcpy(fetch->hex, hex, REFQ_HEX_LEN);
    memcpy(fetch->entry, a->run.fence, sizeof fetch->entry);
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "HGET");
    rqi_cmd_adds(&w->cmd, rqi_key_of(&line->keys, key, "ask:", hex));
    rqi_cmd_adds(&w->cmd, "answer");
    rqi_conn_send(w->conn, &w->cmd, 0, on_answer, fetch);
}

/* --- The worker itself ------------------------------------------------------------------------ */

void rqi_orders_standing(rqi_line *line, const char *order)
{
    refq_worker *w = line->worker;
    if (strcmp(order, "drain") == 0) {
        if (!w->draining) {
            rqi_log(&w->o.log, REFQ_LOG_INFO, "event=ordered order=drain queue=%s", line->queue);
        }
        rqi_drain_begin(w);
        return;
    }
    bool quiet = strcmp(order, "quiet") == 0;
    if (quiet != line->quiet) {
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=ordered order=%s queue=%s",
                quiet ? "quiet" : "work", line->queue);
        line->quiet = quiet;
        line->hungry = true;
        rqi_claim_kick(w);
    }
}

/* --- Push ------------------------------------------------------------------------------------- */

static rqi_line *line_of(const refq_worker *w, const char *channel)
{
    rqi_key key;
    for (size_t i = 0; i < w->lines_n; i++) {
        rqi_line *line = w->lines[i];
        if (strcmp(channel, rqi_key_of(&line->keys, key, "orders:", line->id)) == 0) {
            return line;
        }
    }
    return NULL;
}

static void obey(rqi_line *line, const char *order)
{
    static const struct {
        const char *word;
        void (*fn)(rqi_line *line, const char *hex);
    } of_tasks[] = {{"cancel ", rqi_orders_cancel}, {"answer ", rqi_orders_answer}};
    for (size_t i = 0; i < sizeof of_tasks / sizeof of_tasks[0]; i++) {
        size_t len = strlen(of_tasks[i].word);
        if (strncmp(order, of_tasks[i].word, len) == 0) {
            if (strlen(order + len) == REFQ_HEX_LEN) {
                of_tasks[i].fn(line, order + len);
            }
            return;
        }
    }
    if (strcmp(order, "quiet") == 0 || strcmp(order, "drain") == 0 || strcmp(order, "work") == 0) {
        rqi_orders_standing(line, order);
    }
}

static void on_push(void *arg, const redisReply *message)
{
    struct rqi_orders *orders = arg;
    rqi_cursor cur = rqi_cursor_of(message);
    if (strcmp(rqi_next_str(&cur), "smessage") != 0) {
        return;
    }
    const char *channel = rqi_next_str(&cur);
    const char *order = rqi_next_str(&cur);
    rqi_line *line = cur.bad ? NULL : line_of(orders->w, channel);
    if (line != NULL) {
        obey(line, order);
    }
}

void rqi_orders_listen(struct rqi_orders *orders, const rqi_line *line)
{
    refq_worker *w = orders->w;
    rqi_key channel;
    if (!rqi_conn_is_up(orders->conn)) {
        return; /* once it is, it listens to all */
    }
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "SSUBSCRIBE");
    rqi_cmd_adds(&w->cmd, rqi_key_of(&line->keys, channel, "orders:", line->id));
    rqi_conn_send(orders->conn, &w->cmd, 0, ignore_reply, NULL);
}

static void on_up(void *arg)
{
    struct rqi_orders *orders = arg;
    for (size_t i = 0; i < orders->w->lines_n; i++) {
        rqi_orders_listen(orders, orders->w->lines[i]);
    }
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
