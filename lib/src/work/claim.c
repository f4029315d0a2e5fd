/* SPDX-License-Identifier: MIT */
/*
 * What the worker says to Redis about tasks, and when.
 *
 * DESIGN. One function does all: it takes the reports that are ready and hands
 * out as many tasks as there are free slots. While a call is under way, reports
 * gather, so batches grow with the load by themselves and an idle worker's single
 * report leaves at once. A second call may be under way when the worker is large
 * and the last claim was full: then Redis and the worker do not wait for each
 * other.
 *
 * A call whose reply is lost leaves two questions. Its reports go back to the
 * list and are sent again: the fence makes the repeat harmless. What it claimed
 * is found by `mine`, asked on the same connection before any further call:
 * what Redis says we hold and we know nothing of is given back at once.
 */
#include "work/worker.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "run/executor.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_BYTES        ((size_t)8 << 20) /* of results in one call, unless one has more */
#define CALLS_MAX         2
#define OVERLAP_FROM      32 /* slots from which two calls may be under way */
#define OVERLAP_BATCH     16 /* the least that such a call claims at a time */
#define PROGRESS_EVERY_MS 200
#define PAUSE_MS          1000 /* after a call failed for a reason that time may mend */

struct call {
    refq_worker *w;
    unsigned generation;
    size_t want;
    size_t progress_n;
    struct rqi_attempts sent;
    size_t sent_n;
    struct {
        char hex[REFQ_HEX_LEN + 1];
        char entry[RQI_FENCE_MAX + 1];
    } progress[RQI_BATCH_MAX];
};

static void arm(struct event *ev, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)evtimer_add(ev, &tv);
}

void rqi_claim_kick(refq_worker *w)
{
    event_active(w->kick, EV_TIMEOUT, 0);
}

void rqi_claim_now(refq_worker *w)
{
    w->hungry = true;
    rqi_claim_kick(w);
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void log_report(refq_worker *w, const rqi_attempt *a, const char *answer)
{
    char quoted[300];
    if (a->phantom || !rqi_log_on(&w->o.log, REFQ_LOG_INFO)) {
        return;
    }
    rqi_log(&w->o.log, REFQ_LOG_INFO,
            "event=reported ref=%s:%s task=%s attempt=%u outcome=%s answer=%s error=%s", w->queue,
            a->run.ref.hex, a->run.task, a->run.number,
            a->run.stop != RQI_STOP_NONE      ? "stopped"
            : a->run.outcome.kind == RQI_DONE ? "done"
                                              : "failed",
            answer, rqi_log_quote(quoted, sizeof quoted, a->run.outcome.error));
}

static void make_ready(refq_worker *w, rqi_attempt *a)
{
    a->state = RQI_ATTEMPT_READY;
    TAILQ_INSERT_TAIL(&w->ready, a, link);
    w->ready_n++;
}

static void take_answer(refq_worker *w, rqi_attempt *a, const char *answer)
{
    if (strcmp(answer, "nostaged") == 0 && a->generation == w->generation) {
        a->staged_failed = true;
        make_ready(w, a);
        return;
    }
    log_report(w, a, answer);
    rqi_worker_drop(w, a);
}

/* Progress is refused when the attempt is not ours any more: the surest sign to stop it. */
static void take_progress_answer(struct call *call, size_t i, const char *answer)
{
    rqi_attempt *a = rqi_worker_find(call->w, call->progress[i].hex, call->progress[i].entry);
    if (a == NULL || strcmp(answer, "ok") == 0) {
        return;
    }
    bool cancelled = strcmp(answer, "cancelled") == 0;
    rqi_log(&call->w->o.log, REFQ_LOG_INFO, "event=stopping ref=%s:%s attempt=%u reason=%s",
            call->w->queue, a->run.ref.hex, a->run.number, cancelled ? "cancelled" : "fenced");
    rqi_run_stop(&a->run, cancelled ? RQI_STOP_CANCELLED : RQI_STOP_FENCED);
}

/* --- Claims ----------------------------------------------------------------------------------- */

static void on_args(void *arg, const refq_error *err, const redisReply *reply);

static void fetch_args(refq_worker *w, rqi_attempt *a)
{
    rqi_key key;
    rqi_cmd_clear(&w->cmd);
    rqi_cmd_adds(&w->cmd, "GET");
    rqi_cmd_adds(&w->cmd, rqi_key_of(&w->keys, key, "args:", a->run.ref.hex));
    rqi_conn_send(w->conn, &w->cmd, 0, on_args, a);
}

static void on_args_again(evutil_socket_t fd, short what, void *arg)
{
    rqi_attempt *a = arg;
    (void)fd;
    (void)what;
    event_free(a->timer);
    a->timer = NULL;
    if (a->run.stop != RQI_STOP_NONE) {
        rqi_run_fail(&a->run, RQI_RETRYABLE, "stopped before the arguments were there");
        rqi_worker_attempt_done(a);
        return;
    }
    fetch_args(a->worker, a);
}

/* Tries again after a pause, as long as the attempt is wanted. */
static bool fetch_later(rqi_attempt *a, const refq_error *err)
{
    if (!refq_err_retryable(err->code) || a->run.stop != RQI_STOP_NONE) {
        return false;
    }
    a->timer = evtimer_new(a->worker->base, on_args_again, a);
    if (a->timer == NULL) {
        return false;
    }
    arm(a->timer, PAUSE_MS);
    return true;
}

static void on_args(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_attempt *a = arg;
    if (err != NULL && fetch_later(a, err)) {
        return;
    }
    if (a->run.stop != RQI_STOP_NONE || err != NULL) {
        rqi_run_fail(&a->run, RQI_RETRYABLE, "the arguments could not be fetched: %s",
                     err != NULL ? err->text : "stopped");
        rqi_worker_attempt_done(a);
        return;
    }
    if (reply->type == REDIS_REPLY_STRING) {
        rqi_buf_add(&a->run.args, reply->str, (size_t)reply->len);
    }
    rqi_attempt_run(a);
}

/* Reads one claimed task; NULL when the reply is malformed or there is no memory. */
static rqi_attempt *read_claim(refq_worker *w, rqi_cursor *cur, bool *ret_fetch)
{
    const char *hex = rqi_next_str(cur);
    const char *entry = rqi_next_str(cur);
    const char *task = rqi_next_str(cur);
    int64_t number = rqi_next_int(cur);
    refq_bytes args = rqi_next_bytes(cur);
    refq_bytes args_len = rqi_next_bytes(cur);
    const char *timeout = rqi_next_str(cur);
    (void)rqi_next_str(cur); /* max_retries of the submitter: finish knows it */
    int64_t failures = rqi_next_int(cur);
    (void)rqi_next_int(cur); /* deaths */
    const char *traceparent = rqi_next_str(cur);
    (void)rqi_next_int(cur); /* crashes */
    rqi_attempt *a = cur->bad || strlen(hex) != REFQ_HEX_LEN ? NULL : rqi_attempt_new(w);
    if (a == NULL) {
        return NULL;
    }
    memcpy(a->run.ref.queue, w->queue, sizeof a->run.ref.queue);
    memcpy(a->run.ref.hex, hex, REFQ_HEX_LEN);
    (void)snprintf(a->run.fence, sizeof a->run.fence, "%s", entry);
    (void)snprintf(a->run.task, sizeof a->run.task, "%s", task);
    (void)snprintf(a->run.traceparent, sizeof a->run.traceparent, "%s", traceparent);
    a->run.number = (unsigned)number;
    a->failures = (unsigned)failures;
    a->run.timeout_ms = strtoll(timeout, NULL, 10);
    a->generation = w->generation;
    a->handlers = refq_handlers_ref(w->handlers);
    a->run.handler = rqi_handlers_find(w->handlers, a->run.task);
    rqi_buf_add(&a->run.args, args.ptr, args.len);
    *ret_fetch = args.len == 0 && args_len.len > 0;
    return a;
}

static void start_claim(refq_worker *w, rqi_attempt *a, bool fetch)
{
    /* A server that lost its last second hands the same entry out again: it runs here already. */
    if (rqi_worker_find(w, a->run.ref.hex, a->run.fence) != NULL) {
        rqi_attempt_free(a);
        return;
    }
    rqi_log(&w->o.log, REFQ_LOG_INFO, "event=claimed ref=%s:%s task=%s attempt=%u", w->queue,
            a->run.ref.hex, a->run.task, a->run.number);
    if (a->run.handler == NULL) {
        rqi_log(&w->o.log, REFQ_LOG_WARN,
                "event=unknown_task ref=%s:%s task=%s action=\"given back for other workers\"",
                w->queue, a->run.ref.hex, a->run.task);
    }
    rqi_worker_add(w, a);
    w->running_n++;
    if (fetch && a->run.handler != NULL) {
        a->state = RQI_ATTEMPT_LOADING;
        fetch_args(w, a);
    } else {
        rqi_attempt_run(a);
    }
}

/* --- Replies ---------------------------------------------------------------------------------- */

/* The claimed tasks of a reply. */
static void take_claims(struct call *call, rqi_cursor *cur, int64_t n)
{
    refq_worker *w = call->w;
    for (int64_t i = 0; i < n && !cur->bad; i++) {
        bool fetch = false;
        rqi_attempt *a = read_claim(w, cur, &fetch);
        if (a == NULL) {
            w->recount = true; /* out of memory: `mine` will find it and give it back */
        } else if (call->generation != w->generation) {
            rqi_attempt_free(a); /* of a dead incarnation: others have it */
        } else {
            start_claim(w, a, fetch);
        }
    }
}

static void take_answers(struct call *call, rqi_cursor *cur)
{
    rqi_attempt *a = NULL;
    while (!cur->bad && (a = TAILQ_FIRST(&call->sent)) != NULL) {
        const char *answer = rqi_next_str(cur);
        if (!cur->bad) {
            TAILQ_REMOVE(&call->sent, a, link);
            take_answer(call->w, a, answer);
        }
    }
    for (size_t i = 0; i < call->progress_n && !cur->bad; i++) {
        const char *answer = rqi_next_str(cur);
        if (!cur->bad) {
            take_progress_answer(call, i, answer);
        }
    }
}

/* What a reply says about waiting for work. */
static void take_parking(struct call *call, bool parked, bool more, int64_t alarm, int64_t n)
{
    refq_worker *w = call->w;
    if (call->want > 0 || w->parked) {
        w->parked = parked;
    }
    w->last_full = call->want > 0 && (size_t)n == call->want;
    if (call->want > 0) {
        w->hungry = !parked || more;
    }
    if (alarm >= 0) {
        arm(w->alarm, alarm + 1);
    }
    rqi_bell_listen(w->bell);
}

static void take_failure(struct call *call, const refq_error *err);

static void take_reply(struct call *call, const redisReply *reply)
{
    refq_worker *w = call->w;
    rqi_cursor cur = rqi_cursor_of(reply);
    int64_t now = rqi_next_int(&cur);
    bool gone = strcmp(rqi_next_str(&cur), "gone") == 0;
    bool parked = rqi_next_int(&cur) != 0;
    int64_t alarm = rqi_next_int(&cur);
    bool more = rqi_next_int(&cur) != 0;
    int64_t n = rqi_next_int(&cur);
    take_claims(call, &cur, n);
    take_answers(call, &cur);
    if (cur.bad) {
        /* What was not answered is told again; what was claimed, `mine` knows. */
        refq_error err;
        (void)rqi_reply_unexpected(&err, "finish");
        take_failure(call, &err);
        return;
    }
    w->clock_offset_ms = now - rqi_mono_ms();
    if (call->generation != w->generation) {
        return;
    }
    if (gone) {
        rqi_worker_reborn(w);
        return;
    }
    take_parking(call, parked, more, alarm, n);
}

/* The reports go back in front, in their order. */
static void take_back(struct call *call)
{
    refq_worker *w = call->w;
    rqi_attempt *a = NULL;
    while ((a = TAILQ_LAST(&call->sent, rqi_attempts)) != NULL) {
        TAILQ_REMOVE(&call->sent, a, link);
        a->state = RQI_ATTEMPT_READY;
        a->staged_failed = false;
        TAILQ_INSERT_HEAD(&w->ready, a, link);
        w->ready_n++;
    }
}

/* Reports of an incarnation that is dead by now: nobody waits for them. */
static void drop_sent(struct call *call)
{
    rqi_attempt *a = NULL;
    while ((a = TAILQ_FIRST(&call->sent)) != NULL) {
        TAILQ_REMOVE(&call->sent, a, link);
        rqi_worker_drop(call->w, a);
    }
}

/* After a failure that is not the connection's (that one ends with the next connection). */
void rqi_claim_pause(refq_worker *w)
{
    if (w->conn != NULL && rqi_conn_is_up(w->conn)) {
        w->broken = true;
        arm(w->later, PAUSE_MS);
    }
}

static void take_failure(struct call *call, const refq_error *err)
{
    refq_worker *w = call->w;
    if (call->generation != w->generation) {
        drop_sent(call);
        return;
    }
    char quoted[200];
    rqi_log(&w->o.log, REFQ_LOG_WARN, "event=call_failed reports=%zu want=%zu error=%s",
            call->sent_n, call->want, rqi_log_quote(quoted, sizeof quoted, err->text));
    take_back(call);
    w->hungry = true;
    w->recount = true;
    rqi_claim_pause(w);
}

static void on_finish(void *arg, const refq_error *err, const redisReply *reply)
{
    struct call *call = arg;
    refq_worker *w = call->w;
    w->calls--;
    w->claiming -= call->want;
    if (err != NULL) {
        take_failure(call, err);
    } else {
        take_reply(call, reply);
    }
    free(call);
    rqi_claim_kick(w);
}

/* --- Calls ------------------------------------------------------------------------------------ */

static size_t free_slots(const refq_worker *w)
{
    size_t used = w->running_n + w->claiming;
    size_t slots = w->o.concurrency;
    return w->draining || used >= slots ? 0 : slots - used;
}

static size_t wanted(const refq_worker *w)
{
    size_t want = free_slots(w);
    size_t most = RQI_BATCH_MAX;
    if (w->o.concurrency >= OVERLAP_FROM) {
        size_t half = w->o.concurrency / 2;
        most = half < OVERLAP_BATCH ? OVERLAP_BATCH : half < most ? half : most;
    }
    return want < most ? want : most;
}

static bool progress_due(const rqi_attempt *a, int64_t now, int64_t *wait)
{
    bool dirty = a->has_progress && a->state == RQI_ATTEMPT_RUNNING;
    int64_t left = a->progress_sent_ms + PROGRESS_EVERY_MS - now;
    if (dirty && left > 0 && left < *wait) {
        *wait = left;
    }
    return dirty && left <= 0;
}

/* Adds the progress that may be sent now, at most room of them. */
static void add_progress(struct call *call, rqi_attempt **due, size_t n, rqi_buf *scratch)
{
    for (size_t i = 0; i < n; i++) {
        rqi_attempt *a = due[i];
        memcpy(call->progress[i].hex, a->run.ref.hex, sizeof a->run.ref.hex);
        memcpy(call->progress[i].entry, a->run.fence, sizeof a->run.fence);
        rqi_report_progress(call->w, a, &scratch[i]);
    }
    call->progress_n = n;
}

/* Finds progress to send; arms the timer for what must wait. */
static size_t collect_progress(refq_worker *w, rqi_attempt **due, size_t room)
{
    if (!w->progress_any) {
        return 0;
    }
    size_t n = 0;
    int64_t wait = INT64_MAX;
    int64_t now = rqi_mono_ms();
    rqi_attempt *a = NULL;
    TAILQ_FOREACH(a, &w->held, held)
    {
        if (n < room && progress_due(a, now, &wait)) {
            due[n++] = a;
        }
    }
    w->progress_any = wait != INT64_MAX || n == room;
    if (wait != INT64_MAX) {
        arm(w->later, wait);
    }
    return n;
}

static void add_head(refq_worker *w, const struct call *call, size_t reports)
{
    rqi_fcall_begin(&w->cmd, &w->keys, RQI_FN("finish"));
    rqi_cmd_adds(&w->cmd, w->id);
    rqi_cmd_addi(&w->cmd, (int64_t)call->want);
    rqi_cmd_adds(&w->cmd, w->parked ? "1" : "0");
    rqi_cmd_adds(&w->cmd, "1");
    rqi_cmd_adds(&w->cmd, w->keys.entry_prefix);
    rqi_cmd_addi(&w->cmd, w->o.record_ttl_ms);
    rqi_cmd_addi(&w->cmd, 7 * w->o.record_ttl_ms); /* dead letters wait longer for a person */
    rqi_cmd_adds(&w->cmd, "");                     /* limits: none */
    rqi_cmd_addi(&w->cmd, (int64_t)reports);
}

/* Moves reports into the call, bounded in number and bytes, but always one. */
static void take_ready(struct call *call)
{
    refq_worker *w = call->w;
    rqi_attempt *a = NULL;
    size_t bytes = 0;
    while (call->sent_n < RQI_BATCH_MAX && (a = TAILQ_FIRST(&w->ready)) != NULL) {
        bytes += a->run.outcome.value.len;
        if (call->sent_n > 0 && bytes > CALL_BYTES) {
            break;
        }
        TAILQ_REMOVE(&w->ready, a, link);
        w->ready_n--;
        a->state = RQI_ATTEMPT_SENT;
        TAILQ_INSERT_TAIL(&call->sent, a, link);
        call->sent_n++;
        rqi_report_stage(w, a);
    }
}

/* False when there is no memory for it now. */
static bool send_call(refq_worker *w, size_t want, rqi_attempt **due, size_t due_n)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        arm(w->later, PAUSE_MS);
        return false;
    }
    *call = (struct call){.w = w, .generation = w->generation, .want = want};
    TAILQ_INIT(&call->sent);
    take_ready(call);
    size_t room = RQI_BATCH_MAX - call->sent_n;
    due_n = due_n < room ? due_n : room;
    add_head(w, call, call->sent_n + due_n);
    size_t at = 0;
    rqi_attempt *a = NULL;
    TAILQ_FOREACH(a, &call->sent, link)
    {
        rqi_report_add(w, a, &w->scratch[at]);
        at += 2;
    }
    add_progress(call, due, due_n, &w->scratch[at]);
    w->calls++;
    w->claiming += want;
    if (want > 0) {
        w->hungry = false;
    }
    rqi_fcall_send(w->conn, &w->cmd, RQI_ONCE, on_finish, call);
    for (size_t i = 0; i < at + due_n; i++) {
        rqi_buf_clear(&w->scratch[i]);
    }
    return true;
}

/* --- Deciding --------------------------------------------------------------------------------- */

/* A worker whose beats are not answered any more may have been given up: it keeps quiet until it
 * knows better. */
static bool lease_is_doubtful(refq_worker *w)
{
    int64_t silent = rqi_mono_ms() - rqi_lease_last_ms(w->lease);
    return silent > w->o.lease_ms - w->o.lease_ms / 5;
}

static bool may_send(refq_worker *w)
{
    return w->started && !w->broken && !w->asking_mine && rqi_conn_is_up(w->conn) &&
           !lease_is_doubtful(w);
}

/* Sends one call when there is a reason to; false when there is none. */
static bool send_if_useful(refq_worker *w)
{
    rqi_attempt *due[RQI_BATCH_MAX];
    bool may_overlap = w->o.concurrency >= OVERLAP_FROM && w->last_full && w->ready_n > 0;
    if (w->calls >= CALLS_MAX || (w->calls > 0 && !may_overlap)) {
        return false;
    }
    size_t due_n = w->calls == 0 ? collect_progress(w, due, RQI_BATCH_MAX) : 0;
    size_t want = wanted(w);
    bool claim = want > 0 && w->hungry;
    bool unpark = w->draining && w->parked && w->calls == 0;
    if (w->ready_n == 0 && due_n == 0 && !claim && !unpark) {
        return false;
    }
    return send_call(w, want, due, due_n);
}

void rqi_claim_look(refq_worker *w)
{
    if (!may_send(w)) {
        return;
    }
    if (w->recount) {
        if (w->calls == 0) {
            rqi_mine_ask(w);
        }
        return;
    }
    while (send_if_useful(w)) {
    }
}

void rqi_claim_up(void *arg)
{
    refq_worker *w = arg;
    w->broken = false;
    w->hungry = true;
    w->recount = true; /* whatever the last connection left open */
    rqi_claim_kick(w);
}
