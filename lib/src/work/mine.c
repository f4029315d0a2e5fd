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
#include "run/executor.h"

#include <stdio.h>
#include <string.h>

static void ask(refq_worker *w, const char *cursor);

static void give_back(refq_worker *w, const char *hex, const char *entry, bool running)
{
    rqi_attempt *a = rqi_attempt_new(w);
    if (a == NULL) {
        w->recount = true;
        return;
    }
    memcpy(a->run.ref.queue, w->queue, sizeof a->run.ref.queue);
    (void)snprintf(a->run.ref.hex, sizeof a->run.ref.hex, "%s", hex);
    (void)snprintf(a->run.fence, sizeof a->run.fence, "%s", entry);
    a->phantom = true;
    a->confirmed = true;
    a->generation = w->generation;
    a->run.stop = running ? RQI_STOP_NONE : RQI_STOP_CANCELLED;
    rqi_log(&w->o.log, REFQ_LOG_WARN,
            "event=given_back ref=%s:%s reason=\"claimed, but the reply "
            "was lost\"",
            w->queue, hex);
    rqi_worker_add(w, a);
    rqi_worker_attempt_done(a);
}

/* What Redis does not list is not ours: its handler works for nothing. */
static void stop_unlisted(refq_worker *w)
{
    rqi_attempt *a = NULL;
    TAILQ_FOREACH(a, &w->held, held)
    {
        bool active = a->state == RQI_ATTEMPT_LOADING || a->state == RQI_ATTEMPT_RUNNING;
        if (active && !a->confirmed) {
            rqi_log(&w->o.log, REFQ_LOG_WARN, "event=fenced ref=%s:%s attempt=%u", w->queue,
                    a->run.ref.hex, a->run.number);
            rqi_run_stop(&a->run, RQI_STOP_FENCED);
        }
        a->confirmed = false;
    }
}

static void on_mine(void *arg, const refq_error *err, const redisReply *reply)
{
    refq_worker *w = arg;
    if (err != NULL) {
        w->asking_mine = false;
        rqi_claim_pause(w);
        return;
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    const char *cursor = rqi_next_str(&cur);
    while (rqi_cursor_more(&cur)) {
        const char *hex = rqi_next_str(&cur);
        const char *entry = rqi_next_str(&cur);
        const char *status = rqi_next_str(&cur);
        rqi_attempt *a = rqi_worker_find(w, hex, entry);
        if (a != NULL) {
            a->confirmed = true;
        } else if (!cur.bad) {
            give_back(w, hex, entry, strcmp(status, "processing") == 0);
        }
    }
    if (!cur.bad && strcmp(cursor, "0") != 0) {
        ask(w, cursor);
        return;
    }
    w->asking_mine = false;
    if (cur.bad) {
        rqi_claim_pause(w); /* a list that is not whole says nothing about what is missing in it */
        return;
    }
    stop_unlisted(w);
    w->recount = false;
    rqi_claim_kick(w);
}

static void ask(refq_worker *w, const char *cursor)
{
    w->asking_mine = true;
    rqi_fcall_begin(&w->cmd, &w->keys, RQI_FN("mine"));
    rqi_cmd_adds(&w->cmd, w->id);
    rqi_cmd_adds(&w->cmd, cursor);
    rqi_fcall_send(w->conn, &w->cmd, RQI_ONCE, on_mine, w);
}

void rqi_mine_ask(refq_worker *w)
{
    rqi_attempt *a = NULL;
    TAILQ_FOREACH(a, &w->held, held)
    {
        a->confirmed = false; /* an earlier question may have broken off half-way */
    }
    ask(w, "0");
}
