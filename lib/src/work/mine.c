/* SPDX-License-Identifier: MIT */
/*
 * Comparing what Redis says we hold with what we know of.
 *
 * DESIGN. Asked on the main connection and only when no call is under way there,
 * so the answer is the state after everything we have said. What it lists and we
 * do not know was claimed by a call whose reply was lost: it is given back. What
 * we run and it does not list is somebody else's by now: it is stopped.
 */
#include "work/worker.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

static void ask(rqi_line *line, const char *cursor);

static void give_back(rqi_line *line, const char *hex, const char *entry, bool running)
{
    rqi_attempt *a = rqi_attempt_new(line);
    if (a == NULL) {
        line->recount = true;
        return;
    }
    memcpy(a->run.ref.queue, line->queue, sizeof a->run.ref.queue);
    (void)snprintf(a->run.ref.hex, sizeof a->run.ref.hex, "%s", hex);
    (void)snprintf(a->run.fence, sizeof a->run.fence, "%s", entry);
    a->phantom = true;
    a->confirmed = true;
    a->generation = line->generation;
    a->run.stop = running ? RQI_STOP_NONE : RQI_STOP_CANCELLED;
    rqi_log(&line->worker->o.log, REFQ_LOG_WARN,
            "event=given_back ref=%s:%s reason=\"claimed, but the reply "
            "was lost\"",
            line->queue, hex);
    rqi_line_add(line, a);
    rqi_worker_attempt_done(a);
}

/* What Redis does not list is not ours: its handler works for nothing. */
static void stop_unlisted(rqi_line *line)
{
    rqi_attempt *next = NULL;
    for (rqi_attempt *a = TAILQ_FIRST(&line->held); a != NULL; a = next) {
        next = TAILQ_NEXT(a, held);
        bool listed = a->confirmed;
        a->confirmed = false;
        if (!listed && rqi_attempt_is_active(a)) {
            rqi_log(&line->worker->o.log, REFQ_LOG_WARN, "event=fenced ref=%s:%s attempt=%u",
                    line->queue, a->run.ref.hex, a->run.number);
            rqi_attempt_stop(a, RQI_STOP_FENCED);
        }
    }
}

static void on_mine(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_line *line = arg;
    if (err != NULL) {
        line->asking_mine = false;
        rqi_claim_pause(line);
        return;
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    const char *cursor = rqi_next_str(&cur);
    while (rqi_cursor_more(&cur)) {
        const char *hex = rqi_next_str(&cur);
        const char *entry = rqi_next_str(&cur);
        const char *status = rqi_next_str(&cur);
        rqi_attempt *a = rqi_line_find(line, hex, entry);
        if (a != NULL) {
            a->confirmed = true;
        } else if (!cur.bad) {
            give_back(line, hex, entry, strcmp(status, "processing") == 0);
        }
    }
    if (!cur.bad && strcmp(cursor, "0") != 0) {
        ask(line, cursor);
        return;
    }
    line->asking_mine = false;
    if (cur.bad) {
        rqi_claim_pause(
            line); /* a list that is not whole says nothing about what is missing in it */
        return;
    }
    stop_unlisted(line);
    line->recount = false;
    rqi_claim_kick(line->worker);
}

static void ask(rqi_line *line, const char *cursor)
{
    refq_worker *w = line->worker;
    line->asking_mine = true;
    rqi_fcall_begin(&w->cmd, &line->keys, RQI_FN("mine"));
    rqi_cmd_adds(&w->cmd, line->id);
    rqi_cmd_adds(&w->cmd, cursor);
    rqi_fcall_send(w->conn, &w->cmd, RQI_ONCE, on_mine, line);
}

void rqi_mine_ask(rqi_line *line)
{
    rqi_attempt *a = NULL;
    TAILQ_FOREACH(a, &line->held, held)
    {
        a->confirmed = false; /* an earlier question may have broken off half-way */
    }
    ask(line, "0");
}
