/* SPDX-License-Identifier: MIT */
#include "work/notices.h"

#include "base/log.h"
#include "work/worker.h"

#include <string.h>

static void ignore_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    (void)arg;
    (void)err;
    (void)reply;
}

/* With every incarnation: a server that forgot the last one has forgotten this too. */
static void announce_queue(rqi_line *line)
{
    refq_worker *w = line->worker;
    rqi_key key;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "SADD");
    rqi_cmd_adds(&w->cmd, rqi_key_queues(line->keys.prefix, key));
    rqi_cmd_adds(&w->cmd, line->queue);
    rqi_conn_send(w->conn, &w->cmd, 0, ignore_reply, NULL);
}

static void begin_claims(rqi_line *line)
{
    refq_worker *w = line->worker;
    line->started = true;
    line->registered = true;
    announce_queue(line);
    rqi_log(&w->o.log, REFQ_LOG_INFO, "event=started worker=%s queue=%s slots=%u tasks=%zu",
            line->id, line->queue, w->o.concurrency, rqi_handlers_count(line->handlers));
}

static void take_orders(rqi_line *line, const rqi_notice *notice)
{
    static const char answer[] = "answer:";
    for (size_t i = 0; i < notice->orders_n; i++) {
        const char *order = notice->orders[i];
        bool is_answer = strncmp(order, answer, sizeof answer - 1) == 0;
        const char *hex = is_answer ? order + sizeof answer - 1 : order;
        if (strlen(hex) == REFQ_HEX_LEN) {
            (is_answer ? rqi_orders_answer : rqi_orders_cancel)(line, hex);
        }
    }
    if (notice->beaten) {
        rqi_orders_standing(line, notice->standing);
    }
}

static void take_notice(rqi_line *line)
{
    refq_worker *w = line->worker;
    rqi_notice notice;
    if (!rqi_lease_take(w->lease, line->index, &notice)) {
        return;
    }
    if (notice.failed.code != REFQ_OK && !line->started) {
        rqi_worker_fail(w, &notice.failed);
        return;
    }
    if (notice.gone) {
        rqi_line_reborn(line);
        if (!w->draining) {
            return;
        }
    }
    if (notice.started) {
        begin_claims(line);
    }
    line->ended = line->ended || (notice.ended && line->saying_bye);
    line->recount = line->recount || notice.recount;
    take_orders(line, &notice);
}

static void take_reload(rqi_line *line)
{
    refq_worker *w = line->worker;
    if (rqi_line_renew_handlers(line)) {
        rqi_lease_offer(w->lease, line->index, line->handlers);
        line->hungry = true;
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=reloaded queue=%s tasks=%zu", line->queue,
                rqi_handlers_count(line->handlers));
    }
}

static void take_quiet(refq_worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool quiet = w->quiet_asked;
    pthread_mutex_unlock(&w->lock);
    if (quiet != w->quiet) {
        w->quiet = quiet;
        rqi_log(&w->o.log, REFQ_LOG_INFO, "event=%s running=%zu", quiet ? "quiet" : "resumed",
                w->running_n);
        for (size_t i = 0; i < w->lines_n; i++) {
            w->lines[i]->hungry = true;
        }
    }
}

void rqi_notices_take(refq_worker *w)
{
    take_quiet(w);
    for (size_t i = 0; i < w->lines_n; i++) {
        take_notice(w->lines[i]);
        take_reload(w->lines[i]);
    }
}

void refq_worker_quiet(refq_worker *worker, bool quiet)
{
    pthread_mutex_lock(&worker->lock);
    worker->quiet_asked = quiet;
    pthread_mutex_unlock(&worker->lock);
    rqi_worker_wake(worker);
}
