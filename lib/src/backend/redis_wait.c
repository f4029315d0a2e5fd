/* SPDX-License-Identifier: MIT */
/*
 * Waiting for tasks by push.
 *
 * DESIGN. No wake-up may be lost and nothing may be polled per task. The order
 * makes it so: subscribe to this client's reply channel, wait until the server
 * has confirmed, then ask for the record with `get wait`, which registers the
 * client in the same step that reads the state. A change after that step is
 * pushed; one before it is in the answer. A push carries no data: it makes us
 * ask again, so that a push that is late, doubled or forged does no harm.
 *
 * When the subscriber connection is lost, everything waits for the next
 * confirmation, and then one batched `get wait` asks for all tasks of the queue.
 * At its deadline a wait asks one last time. A wait that has had an answer once
 * outlives any outage of Redis that its deadline leaves room for.
 */
#include "backend/redis.h"

#include "base/error.h"
#include "task/record.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEPALIVE_S 15
#define ASK_CHUNK   100
#define ASK_AGAIN_S 1 /* after a question that failed */
#define RECHECK     4 /* keepalives between two questions about everything that waits */

typedef struct rqi_wait {
    TAILQ_ENTRY(rqi_wait) link;
    rqi_redis *r;
    rqi_queue *q;
    refq_ref ref;
    refq_watch_cb watch;
    refq_task_cb cb;
    void *arg;
    struct event *deadline; /* owned; NULL = none */
    struct event *expiry;   /* owned; NULL = the task may wait for ever to be started */
    bool seen;              /* has had an answer */
    bool last;              /* the deadline has passed: the next answer ends the wait */
} rqi_wait;

/* Which references one `get` asks about. The waits themselves may end meanwhile. */
struct ask {
    rqi_redis *r;
    rqi_queue *q;
    size_t n;
    refq_ref refs[ASK_CHUNK];
};

static void free_timers(rqi_wait *w)
{
    if (w->deadline != NULL) {
        event_free(w->deadline);
    }
    if (w->expiry != NULL) {
        event_free(w->expiry);
    }
}

static void end_wait(rqi_wait *w, const refq_error *err, refq_task *task)
{
    TAILQ_REMOVE(&w->r->waits, w, link);
    free_timers(w);
    w->cb(w->arg, err, task);
    free(w);
}

/* --- Expiry ----------------------------------------------------------------------------------- */

static void ignore_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    (void)arg;
    (void)err;
    (void)reply;
}

/* The time for the task to start is over. Workers see to that with their beats, but there may be
 * none: that is when it matters most. */
static void on_expiry(evutil_socket_t fd, short what, void *arg)
{
    rqi_wait *w = arg;
    static const char *const words[] = {"deadlines", "0", "", "", "64", "", "", ""};
    (void)fd;
    (void)what;
    rqi_fcall_begin(&w->r->cmd, &w->q->keys, RQI_FN("sweep"));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        rqi_cmd_adds(&w->r->cmd, words[i]);
    }
    rqi_fcall_send(w->r->conn, &w->r->cmd, RQI_REPEAT, ignore_reply, NULL);
}

static void watch_expiry(rqi_wait *w, const refq_task *task)
{
    int64_t start_by = refq_task_number(task, "start_by", 0);
    if (start_by == 0 || refq_task_status(task) != REFQ_PENDING) {
        return;
    }
    int64_t left = start_by - refq_task_seen_at_ms(task) + 1;
    left = left > 0 ? left : 1;
    struct timeval tv = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    if (w->expiry == NULL) {
        w->expiry = evtimer_new(w->r->base, on_expiry, w);
    }
    if (w->expiry != NULL) {
        (void)evtimer_add(w->expiry, &tv);
    }
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void answer_one(rqi_wait *w, const refq_error *err, const refq_task *task)
{
    refq_error nomem;
    if (err != NULL && w->seen && !w->last && refq_err_retryable(err->code)) {
        struct timeval soon = {.tv_sec = ASK_AGAIN_S};
        (void)evtimer_add(w->r->ask_again, &soon);
        return;
    }
    if (err != NULL) {
        end_wait(w, err, NULL);
        return;
    }
    w->seen = true;
    bool go_on = w->watch == NULL || w->watch(w->arg, task);
    if (go_on && !w->last && !refq_status_is_terminal(refq_task_status(task))) {
        watch_expiry(w, task);
        return;
    }
    refq_task *copy = rqi_record_copy(task);
    if (copy == NULL) {
        (void)rqi_fail(&nomem, REFQ_ERR_NOMEM, "out of memory");
        end_wait(w, &nomem, NULL);
        return;
    }
    end_wait(w, NULL, copy);
}

/* Several callers may wait for the same task. */
static void answer_all(rqi_redis *r, const refq_ref *ref, const refq_error *err,
                       const refq_task *task)
{
    rqi_wait *w = TAILQ_FIRST(&r->waits);
    while (w != NULL) {
        rqi_wait *after = TAILQ_NEXT(w, link);
        if (memcmp(&w->ref, ref, sizeof *ref) == 0) {
            answer_one(w, err, task);
        }
        w = after;
    }
}

static void on_answer(void *arg, const refq_error *err, const redisReply *reply)
{
    struct ask *ask = arg;
    refq_error bad;
    rqi_cursor cur = {0};
    int64_t now = 0;
    if (err == NULL) {
        cur = rqi_cursor_of(reply);
        now = rqi_next_int(&cur);
    }
    for (size_t i = 0; i < ask->n; i++) {
        refq_task *task = NULL;
        refq_err rc =
            err != NULL ? err->code : rqi_record_read(&cur, &ask->refs[i], now, &task, &bad);
        answer_all(ask->r, &ask->refs[i], rc == REFQ_OK ? NULL : err != NULL ? err : &bad, task);
        refq_task_free(task);
    }
    free(ask);
}

static struct ask *ask_new(rqi_queue *q, rqi_redis *r)
{
    struct ask *ask = calloc(1, sizeof *ask);
    if (ask != NULL) {
        ask->r = r;
        ask->q = q;
    }
    return ask;
}

static void send_ask(struct ask *ask, const char *mode)
{
    rqi_redis *r = ask->r;
    if (strcmp(mode, "look") == 0) {
        rqi_fcall_begin(&r->cmd, &ask->q->keys, RQI_FN("look"));
    } else {
        rqi_fcall_begin(&r->cmd, &ask->q->keys, RQI_FN("get"));
        rqi_cmd_adds(&r->cmd, mode);
        rqi_cmd_adds(&r->cmd, r->client_id);
    }
    for (size_t i = 0; i < ask->n; i++) {
        rqi_cmd_adds(&r->cmd, ask->refs[i].hex);
    }
    rqi_fcall_send(r->conn, &r->cmd, RQI_REPEAT, on_answer, ask);
}

static void ask_for(rqi_redis *r, rqi_queue *q, const refq_ref *ref, const char *mode)
{
    struct ask *ask = ask_new(q, r);
    if (ask != NULL) {
        ask->refs[ask->n++] = *ref;
        send_ask(ask, mode);
    }
}

/* Everything that waits in this queue, in as few calls as possible. */
static void ask_for_all(rqi_redis *r, rqi_queue *q)
{
    struct ask *ask = NULL;
    rqi_wait *w = NULL;
    TAILQ_FOREACH(w, &r->waits, link)
    {
        if (w->q != q) {
            continue;
        }
        ask = ask != NULL ? ask : ask_new(q, r);
        if (ask == NULL) {
            return;
        }
        ask->refs[ask->n++] = w->ref;
        if (ask->n == ASK_CHUNK) {
            send_ask(ask, "wait");
            ask = NULL;
        }
    }
    if (ask != NULL) {
        send_ask(ask, "wait");
    }
}

/* --- The subscriber connection ---------------------------------------------------------------- */

static void end_all(rqi_queue *q, const refq_error *err)
{
    rqi_wait *w = TAILQ_FIRST(&q->owner->waits);
    while (w != NULL) {
        rqi_wait *after = TAILQ_NEXT(w, link);
        if (w->q == q) {
            end_wait(w, err, NULL);
        }
        w = after;
    }
}

/* Refused (a missing permission, say): then nothing will ever be pushed. */
static void on_subscribed(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_queue *q = arg;
    (void)reply;
    q->subscribing = false;
    q->subscribed = err == NULL;
    if (err != NULL && !refq_err_retryable(err->code)) {
        end_all(q, err);
    }
}

static void subscribe(rqi_redis *r, rqi_queue *q)
{
    rqi_key channel;
    if (q->subscribed || q->subscribing || !rqi_conn_is_up(r->sub)) {
        return;
    }
    q->subscribing = true;
    rqi_cmd_clear(&r->cmd);
    rqi_cmd_adds(&r->cmd, "SSUBSCRIBE");
    rqi_cmd_adds(&r->cmd, rqi_key_of(&q->keys, channel, "reply:", r->client_id));
    rqi_conn_send(r->sub, &r->cmd, 0, on_subscribed, q);
}

static bool anyone_waits(rqi_redis *r, const rqi_queue *q)
{
    rqi_wait *w = NULL;
    TAILQ_FOREACH(w, &r->waits, link)
    {
        if (w->q == q) {
            return true;
        }
    }
    return false;
}

static void on_sub_up(void *arg)
{
    rqi_redis *r = arg;
    rqi_queue *q = NULL;
    SLIST_FOREACH(q, &r->queues, link)
    {
        q->subscribed = false;
        q->subscribing = false;
        if (anyone_waits(r, q)) {
            subscribe(r, q);
        }
    }
}

static void on_sub_down(void *arg, const refq_error *why)
{
    rqi_redis *r = arg;
    rqi_queue *q = NULL;
    (void)why;
    SLIST_FOREACH(q, &r->queues, link)
    {
        q->subscribed = false;
        q->subscribing = false;
    }
}

static rqi_queue *queue_of_channel(rqi_redis *r, const char *channel)
{
    rqi_queue *q = NULL;
    SLIST_FOREACH(q, &r->queues, link)
    {
        if (strncmp(channel, q->keys.base, strlen(q->keys.base)) == 0) {
            return q;
        }
    }
    return NULL;
}

/* "<hex> <status>": asks once, however many callers wait for that task. */
static void on_notice(rqi_redis *r, rqi_queue *q, const char *notice)
{
    rqi_wait *w = NULL;
    TAILQ_FOREACH(w, &r->waits, link)
    {
        if (w->q == q && strncmp(notice, w->ref.hex, REFQ_HEX_LEN) == 0) {
            ask_for(r, q, &w->ref, "wait");
            return;
        }
    }
}

static void on_push(void *arg, const redisReply *message)
{
    rqi_redis *r = arg;
    rqi_cursor cur = rqi_cursor_of(message);
    const char *kind = rqi_next_str(&cur);
    rqi_queue *q = queue_of_channel(r, rqi_next_str(&cur));
    if (q == NULL) {
        return;
    }
    if (strcmp(kind, "ssubscribe") == 0) {
        ask_for_all(r, q);
    } else if (strcmp(kind, "smessage") == 0) {
        on_notice(r, q, rqi_next_str(&cur));
    }
}

/* A registration may be lost with the server's memory, or have been refused: once in a while one
 * question per queue makes sure, and registers again. */
static void recheck(rqi_redis *r)
{
    rqi_queue *q = NULL;
    SLIST_FOREACH(q, &r->queues, link)
    {
        if (!anyone_waits(r, q)) {
            continue;
        }
        if (q->subscribed) {
            ask_for_all(r, q);
        } else {
            subscribe(r, q);
        }
    }
}

/* A dead subscriber connection is silent; the unanswered PING is what reveals it. */
static void on_keepalive(evutil_socket_t fd, short what, void *arg)
{
    rqi_redis *r = arg;
    (void)fd;
    (void)what;
    if (!rqi_conn_is_up(r->sub)) {
        return;
    }
    rqi_cmd_clear(&r->cmd);
    rqi_cmd_adds(&r->cmd, "PING");
    rqi_conn_send(r->sub, &r->cmd, 0, ignore_reply, NULL);
    if (++r->keepalives % RECHECK == 0) {
        recheck(r);
    }
}

static void on_ask_again(evutil_socket_t fd, short what, void *arg)
{
    rqi_redis *r = arg;
    rqi_queue *q = NULL;
    (void)fd;
    (void)what;
    SLIST_FOREACH(q, &r->queues, link)
    {
        ask_for_all(r, q);
    }
}

static refq_err open_subscriber(rqi_redis *r, refq_error *err)
{
    if (r->sub != NULL) {
        return REFQ_OK;
    }
    struct timeval period = {.tv_sec = KEEPALIVE_S};
    rqi_conn_options options = {.base = r->base,
                                .url = &r->url,
                                .name = "refq-waiter",
                                .timeout_ms = r->timeout_ms,
                                .log = &r->log,
                                .patient = true,
                                .on_up = on_sub_up,
                                .on_down = on_sub_down,
                                .on_push = on_push,
                                .arg = r};
    r->keepalive = event_new(r->base, -1, EV_PERSIST, on_keepalive, r);
    r->ask_again = evtimer_new(r->base, on_ask_again, r);
    if (r->keepalive == NULL || r->ask_again == NULL || event_add(r->keepalive, &period) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    return rqi_conn_new(&options, &r->sub, err);
}

/* --- Public ----------------------------------------------------------------------------------- */

/* The registration is the client's: it stays while another caller waits for the same task. */
static bool is_alone(const rqi_wait *w)
{
    rqi_wait *other = NULL;
    TAILQ_FOREACH(other, &w->r->waits, link)
    {
        if (other != w && memcmp(&other->ref, &w->ref, sizeof w->ref) == 0) {
            return false;
        }
    }
    return true;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    rqi_wait *w = arg;
    (void)fd;
    (void)what;
    w->last = true;
    ask_for(w->r, w->q, &w->ref, is_alone(w) ? "leave" : "look");
}

static refq_err set_deadline(rqi_wait *w, int64_t timeout_ms, refq_error *err)
{
    if (timeout_ms < 0) {
        return REFQ_OK;
    }
    struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    w->deadline = evtimer_new(w->r->base, on_deadline, w);
    if (w->deadline == NULL || evtimer_add(w->deadline, &tv) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    return REFQ_OK;
}

static void refuse(rqi_wait *w, const refq_error *err)
{
    free_timers(w);
    rqi_redis_fail_later(w->r, err, w->cb, w->arg);
    free(w);
}

void rqi_redis_wait(refq_backend *b, const refq_ref *ref, int64_t timeout_ms, refq_watch_cb watch,
                    refq_task_cb cb, void *arg)
{
    rqi_redis *r = (rqi_redis *)b;
    refq_error err;
    rqi_wait *w = calloc(1, sizeof *w);
    if (w == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory");
        cb(arg, &err, NULL);
        return;
    }
    *w = (rqi_wait){.r = r, .watch = watch, .cb = cb, .arg = arg};
    memcpy(w->ref.queue, ref->queue, strnlen(ref->queue, REFQ_QUEUE_MAX));
    memcpy(w->ref.hex, ref->hex, strnlen(ref->hex, REFQ_HEX_LEN));
    w->q = rqi_redis_queue(r, ref->queue, &err);
    if (w->q == NULL || open_subscriber(r, &err) != REFQ_OK ||
        set_deadline(w, timeout_ms, &err) != REFQ_OK) {
        refuse(w, &err);
        return;
    }
    TAILQ_INSERT_TAIL(&r->waits, w, link);
    if (w->q->subscribed) {
        ask_for(r, w->q, &w->ref, "wait");
        return;
    }
    /* Asked without registering, so that a wrong address or reference is told at once. */
    ask_for(r, w->q, &w->ref, "look");
    subscribe(r, w->q);
}

void rqi_redis_wait_shutdown(rqi_redis *r)
{
    refq_error err;
    (void)rqi_fail(&err, REFQ_ERR_CLOSED, "the client was closed while it waited");
    while (!TAILQ_EMPTY(&r->waits)) {
        end_wait(TAILQ_FIRST(&r->waits), &err, NULL);
    }
    if (r->keepalive != NULL) {
        event_free(r->keepalive);
    }
    if (r->ask_again != NULL) {
        event_free(r->ask_again);
    }
}
