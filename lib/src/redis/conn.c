/* SPDX-License-Identifier: MIT */
#include "redis/conn.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rand.h"
#include "redis/handshake.h"
#include "redis/reader.h"
#include "redis/request.h"
#include "redis/sentinel.h"
#include "redis/stream.h"

#include <event2/buffer.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_FIRST_MS 50
#define RETRY_MOST_MS  2000

enum conn_state {
    CONN_DOWN,       /* waits for the retry timer */
    CONN_CONNECTING, /* Sentinels are asked, or the stream is being opened */
    CONN_HANDSHAKE,  /* AUTH, SELECT, SETNAME are under way */
    CONN_UP
};

struct rqi_conn {
    struct event_base *base; /* borrowed */
    struct evdns_base *dns;  /* owned; NULL until a name must be resolved */
    rqi_url url;
    rqi_endpoint at; /* the server of the current connection; TCP only */
    char shown[384]; /* the same, for messages */
    char name[64];
    int64_t timeout_ms;
    int64_t retry_most_ms;
    const refq_logger *log;
    void (*on_up)(void *arg);
    void (*on_down)(void *arg, const refq_error *why);
    void (*on_push)(void *arg, const redisReply *message);
    void *arg;

    enum conn_state state;
    bool patient;           /* connected once, or told to wait */
    bool freed;             /* rqi_conn_free() was called while busy */
    unsigned busy;          /* depth of functions on the stack that use this after callbacks */
    unsigned failures;      /* connection attempts since it was last up */
    unsigned handshakes;    /* handshake replies still to come */
    rqi_sentinel *sentinel; /* owned; NULL unless the URL says so */
    rqi_stream *stream;     /* owned; NULL while down */
    redisReader *reader;    /* owned; lives as long as the stream */
    size_t reply_bytes;     /* received of the reply being read */
    struct rqi_requests waiting;
    struct rqi_requests sent;
    size_t waiting_bytes;
    struct event *retry;      /* owned: next connection attempt, or the limit of the current one */
    struct event *deadline;   /* owned: earliest deadline of any request */
    int64_t next_deadline_ms; /* what `deadline` is armed for; RQI_NEVER = not armed */
    refq_error last_error;    /* why it is down, for the text of timeouts */
};

static void connect_now(rqi_conn *c);
static void open_stream(rqi_conn *c);
static void drop(rqi_conn *c, const refq_error *why);

static void arm(struct event *ev, int64_t ms)
{
    if (ms < 0) {
        ms = 0;
    }
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)evtimer_add(ev, &tv);
}

/* --- Requests --------------------------------------------------------------------------------- */

static void fail_waiting(rqi_conn *c, const refq_error *err)
{
    c->waiting_bytes = 0;
    rqi_requests_fail(&c->waiting, err);
}

static void arm_deadline(rqi_conn *c, int64_t deadline_ms)
{
    if (deadline_ms >= c->next_deadline_ms) {
        return;
    }
    c->next_deadline_ms = deadline_ms;
    arm(c->deadline, deadline_ms - rqi_mono_ms());
}

static void time_out(rqi_conn *c, rqi_request *r)
{
    refq_error err;
    if (c->state == CONN_UP) {
        (void)rqi_fail(&err, REFQ_ERR_TIMEOUT, "no answer from Redis at %s in time", c->shown);
    } else {
        (void)rqi_fail(&err, REFQ_ERR_TIMEOUT, "no connection to Redis at %s in time (%.120s)",
                       c->shown,
                       c->last_error.text[0] != '\0' ? c->last_error.text : "no answer yet");
    }
    rqi_request_fail(r, &err);
}

static void leave(rqi_conn *c);

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_conn *c = arg;
    int64_t now = rqi_mono_ms();
    struct rqi_requests late = TAILQ_HEAD_INITIALIZER(late);
    rqi_request *r = NULL;

    c->busy++;
    c->next_deadline_ms = RQI_NEVER;
    int64_t next = rqi_requests_overdue(&c->waiting, now, &late);
    TAILQ_FOREACH(r, &late, link)
    {
        c->waiting_bytes -= r->len;
    }
    while ((r = TAILQ_FIRST(&late)) != NULL) {
        TAILQ_REMOVE(&late, r, link);
        time_out(c, r);
        rqi_request_free(r);
    }
    /* Starts over after each callback: it may have changed the queue. */
    rqi_overdue sent = rqi_requests_sent(&c->sent, now, c->timeout_ms);
    while (sent.late != NULL) {
        time_out(c, sent.late);
        sent = rqi_requests_sent(&c->sent, now, c->timeout_ms);
    }
    if (sent.hung) {
        rqi_conn_reset(c, "the server does not answer");
    }
    next = sent.next_ms < next ? sent.next_ms : next;
    if (next != RQI_NEVER) {
        arm_deadline(c, next);
    }
    leave(c);
}

/* --- Going down and up ------------------------------------------------------------------------ */

static void destroy(rqi_conn *c)
{
    rqi_sentinel_free(c->sentinel);
    rqi_stream_free(c->stream);
    if (c->reader != NULL) {
        redisReaderFree(c->reader);
    }
    if (c->dns != NULL) {
        evdns_base_free(c->dns, 0);
    }
    if (c->retry != NULL) {
        event_free(c->retry);
    }
    if (c->deadline != NULL) {
        event_free(c->deadline);
    }
    free(c);
}

/* Ends a section in which callbacks may have freed the connection. */
static void leave(rqi_conn *c)
{
    if (--c->busy == 0 && c->freed) {
        destroy(c);
    }
}

static void schedule_retry(rqi_conn *c)
{
    int64_t bound = RETRY_FIRST_MS << (c->failures < 6 ? c->failures : 6);
    bound = bound < c->retry_most_ms ? bound : c->retry_most_ms;
    c->failures++;
    arm(c->retry, bound / 2 + (int64_t)rqi_rand_below((uint32_t)bound / 2 + 1));
}

static void close_stream(rqi_conn *c)
{
    if (c->sentinel != NULL) {
        rqi_sentinel_stop(c->sentinel);
    }
    rqi_stream_free(c->stream);
    c->stream = NULL;
    if (c->reader != NULL) {
        redisReaderFree(c->reader);
        c->reader = NULL;
    }
    c->reply_bytes = 0;
    c->handshakes = 0;
}

/* The connection is gone for the reason given: fail what was sent, connect anew later. */
static void drop(rqi_conn *c, const refq_error *why)
{
    bool was_up = c->state == CONN_UP;
    refq_error reason = *why;
    c->busy++;
    c->state = CONN_DOWN;
    c->last_error = reason;
    close_stream(c);
    if (c->sentinel != NULL && !was_up) {
        rqi_sentinel_doubt(c->sentinel);
    }
    if (!c->freed) {
        schedule_retry(c);
    }
    if (was_up) {
        char quoted[200];
        rqi_log(c->log, REFQ_LOG_WARN, "event=redis_down server=%s reason=%s", c->shown,
                rqi_log_quote(quoted, sizeof quoted, reason.text));
    }
    refq_error closed;
    (void)rqi_fail(&closed, REFQ_ERR_CLOSED, "lost the connection to Redis: %.180s", reason.text);
    rqi_requests_fail(&c->sent, &closed);
    if (was_up && c->on_down != NULL && !c->freed) {
        c->on_down(c->arg, &reason);
    }
    bool hopeless = !c->patient || reason.code == REFQ_ERR_AUTH;
    if (hopeless) {
        fail_waiting(c, &reason);
    }
    leave(c);
}

void rqi_conn_reset(rqi_conn *c, const char *why)
{
    if (c->state == CONN_DOWN) {
        return;
    }
    refq_error err;
    (void)rqi_fail(&err, REFQ_ERR_CLOSED, "%s", why);
    drop(c, &err);
}

static void send_waiting(rqi_conn *c)
{
    rqi_request *r = NULL;
    while ((r = TAILQ_FIRST(&c->waiting)) != NULL) {
        TAILQ_REMOVE(&c->waiting, r, link);
        c->waiting_bytes -= r->len;
        rqi_stream_write(c->stream, r->bytes, r->len);
        free(r->bytes);
        r->bytes = NULL;
        TAILQ_INSERT_TAIL(&c->sent, r, link);
    }
}

static void go_up(rqi_conn *c)
{
    c->state = CONN_UP;
    c->patient = true;
    (void)evtimer_del(c->retry);
    rqi_log(c->log, REFQ_LOG_DEBUG, "event=redis_up server=%s", c->shown);
    c->busy++;
    if (c->on_up != NULL) {
        c->on_up(c->arg);
    }
    if (c->state == CONN_UP) {
        send_waiting(c);
    }
    leave(c);
}

static void on_handshake(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_conn *c = arg;
    (void)reply;
    if (c->state != CONN_HANDSHAKE) {
        return; /* an earlier step has already failed */
    }
    if (err != NULL) {
        refq_error why = *err;
        (void)rqi_fail_in(&why, why.code, "Redis at %s", c->shown);
        drop(c, &why);
        return;
    }
    if (--c->handshakes == 0) {
        go_up(c);
    }
}

static void on_role(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_conn *c = arg;
    if (c->state != CONN_HANDSHAKE || err != NULL || rqi_role_is_master(reply)) {
        on_handshake(arg, err, reply);
        return;
    }
    refq_error why;
    (void)rqi_fail(&why, REFQ_ERR_IO,
                   "Sentinel names %s, but that server is not the master (now); asking again",
                   c->shown);
    drop(c, &why);
}

static refq_err send_step(void *arg, rqi_cmd *cmd, rqi_step step)
{
    rqi_conn *c = arg;
    char *bytes = NULL;
    size_t len = 0;
    rqi_request *r = rqi_request_new(-1, step == RQI_STEP_ROLE ? on_role : on_handshake, c);
    if (r == NULL || rqi_cmd_encode(cmd, &bytes, &len) != REFQ_OK) {
        rqi_request_free(r);
        return REFQ_ERR_NOMEM;
    }
    rqi_stream_write(c->stream, bytes, len);
    rqi_cmd_bytes_free(bytes);
    TAILQ_INSERT_TAIL(&c->sent, r, link);
    c->handshakes++;
    return REFQ_OK;
}

static void on_open(void *arg)
{
    rqi_conn *c = arg;
    refq_error err;
    c->state = CONN_HANDSHAKE;
    if (rqi_handshake(&c->url, c->name, send_step, c, &err) != REFQ_OK) {
        drop(c, &err);
    }
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool is_push(const rqi_conn *c, const redisReply *r)
{
    static const char *const kinds[] = {"smessage",  "ssubscribe",  "sunsubscribe", "message",
                                        "subscribe", "unsubscribe", "pong"};
    if (c->on_push == NULL || r->type != REDIS_REPLY_ARRAY || r->elements < 2 ||
        r->element[0]->type != REDIS_REPLY_STRING) {
        return false;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcasecmp(r->element[0]->str, kinds[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Subscription confirmations answer a request; messages answer none. */
static bool answers_request(const redisReply *r)
{
    return strcasecmp(r->element[0]->str, "smessage") != 0 &&
           strcasecmp(r->element[0]->str, "message") != 0;
}

static void deliver(rqi_conn *c, const redisReply *reply)
{
    if (is_push(c, reply)) {
        c->on_push(c->arg, reply);
        if (!answers_request(reply)) {
            return;
        }
    }
    rqi_request *r = TAILQ_FIRST(&c->sent);
    if (r == NULL) {
        rqi_conn_reset(c, "the server answered a question nobody asked");
        return;
    }
    TAILQ_REMOVE(&c->sent, r, link);
    refq_error err;
    bool failed = reply->type == REDIS_REPLY_ERROR;
    if (failed) {
        (void)rqi_reply_error(reply, &err);
    }
    /* A server that only shakes hands (it loads, it is a replica) does not end the backing off. The
     * reset comes before the callback, so that a repeat goes to the next connection. */
    bool unready = failed && rqi_reply_wants_reconnect(reply);
    if (unready) {
        rqi_conn_reset(c, err.text);
    } else if (c->state == CONN_UP) {
        c->failures = 0;
    }
    if (r->cb != NULL) {
        r->cb(r->arg, failed ? &err : NULL, failed ? NULL : reply);
    }
    rqi_request_free(r);
}

static void on_protocol_error(rqi_conn *c)
{
    refq_error err;
    bool alert = strstr(c->reader->errstr, "\"\\x15\"") != NULL; /* how TLS says no */
    (void)rqi_fail(&err, REFQ_ERR_PROTO, "what answers at %s does not speak Redis: %.100s%s",
                   c->shown, c->reader->errstr, alert ? "; it speaks TLS: write rediss://" : "");
    drop(c, &err);
}

/* Takes every complete reply out of the reader. */
static void take_replies(rqi_conn *c)
{
    void *reply = NULL;
    while (c->reader != NULL && !c->freed) {
        if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
            on_protocol_error(c);
            return;
        }
        if (reply == NULL) {
            return;
        }
        c->reply_bytes = 0;
        deliver(c, reply);
        freeReplyObject(reply);
    }
}

static void on_bytes(void *arg, struct evbuffer *in)
{
    rqi_conn *c = arg;
    c->busy++;
    while (c->reader != NULL && !c->freed && evbuffer_get_length(in) > 0) {
        struct evbuffer_iovec piece;
        if (evbuffer_peek(in, -1, NULL, &piece, 1) < 1) {
            break;
        }
        size_t len = piece.iov_len;
        c->reply_bytes += len;
        int rc = redisReaderFeed(c->reader, piece.iov_base, len);
        (void)evbuffer_drain(in, len);
        if (rc != REDIS_OK || c->reply_bytes > RQI_REPLY_MAX) {
            rqi_conn_reset(c, "the server sent more than this program can take");
            break;
        }
        take_replies(c);
    }
    leave(c);
}

static void on_broken(void *arg, const refq_error *why)
{
    drop(arg, why);
}

/* The timer means "try again" while down and "this takes too long" while connecting. */
static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_conn *c = arg;
    if (c->state == CONN_DOWN) {
        connect_now(c);
        return;
    }
    refq_error err;
    (void)rqi_stream_too_slow(c->stream, c->timeout_ms, &err);
    drop(c, &err);
}

static void on_found(void *arg, const refq_error *err, const rqi_endpoint *at)
{
    rqi_conn *c = arg;
    if (err != NULL) {
        drop(c, err);
        return;
    }
    c->at = *at;
    (void)snprintf(c->shown, sizeof c->shown,
                   strchr(at->host, ':') ? "[%s]:%d (master '%s')" : "%s:%d (master '%s')",
                   at->host, at->port, c->url.master);
    open_stream(c);
}

static void connect_now(rqi_conn *c)
{
    c->state = CONN_CONNECTING;
    if (c->sentinel != NULL) {
        rqi_sentinel_find(c->sentinel);
    } else {
        open_stream(c);
    }
}

static void open_stream(rqi_conn *c)
{
    refq_error err;
    c->reader = rqi_reader_new();
    if (c->reader == NULL) {
        (void)rqi_fail(&err, REFQ_ERR_NOMEM, "out of memory while connecting");
        drop(c, &err);
        return;
    }
    rqi_stream_options o = {.base = c->base,
                            .dns = &c->dns,
                            .url = &c->url,
                            .at = &c->at,
                            .shown = c->shown,
                            .on_open = on_open,
                            .on_bytes = on_bytes,
                            .on_broken = on_broken,
                            .arg = c};
    if (rqi_stream_new(&o, &c->stream, &err) != REFQ_OK) {
        drop(c, &err);
        return;
    }
    arm(c->retry, c->timeout_ms);
}

/* --- Public ----------------------------------------------------------------------------------- */

refq_err rqi_conn_new(const rqi_conn_options *options, rqi_conn **ret, refq_error *err)
{
    rqi_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    c->base = options->base;
    c->url = *options->url;
    (void)snprintf(c->at.host, sizeof c->at.host, "%s", c->url.host);
    c->at.port = c->url.port;
    (void)snprintf(c->shown, sizeof c->shown, "%s", c->url.shown);
    c->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : RQI_TIMEOUT_MS;
    c->retry_most_ms = options->retry_most_ms > 0 ? options->retry_most_ms : RETRY_MOST_MS;
    c->retry_most_ms = c->retry_most_ms > RETRY_FIRST_MS ? c->retry_most_ms : RETRY_FIRST_MS;
    c->log = options->log;
    c->patient = options->patient;
    c->on_up = options->on_up;
    c->on_down = options->on_down;
    c->on_push = options->on_push;
    c->arg = options->arg;
    c->next_deadline_ms = RQI_NEVER;
    (void)snprintf(c->name, sizeof c->name, "%s", options->name);
    TAILQ_INIT(&c->waiting);
    TAILQ_INIT(&c->sent);
    c->retry = evtimer_new(c->base, on_retry, c);
    c->deadline = evtimer_new(c->base, on_deadline, c);
    if (c->retry == NULL || c->deadline == NULL) {
        destroy(c);
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    if (c->url.scheme == RQI_SCHEME_SENTINEL) {
        rqi_sentinel_options ask = {.base = c->base,
                                    .url = &c->url,
                                    .log = c->log,
                                    .timeout_ms = c->timeout_ms,
                                    .on_found = on_found,
                                    .arg = c};
        refq_err rc = rqi_sentinel_new(&ask, &c->sentinel, err);
        if (rc != REFQ_OK) {
            destroy(c);
            return rc;
        }
    }
    arm(c->retry, 0); /* from the loop, so that no callback comes from inside this call */
    *ret = c;
    return REFQ_OK;
}

static size_t queued_bytes(const rqi_conn *c)
{
    size_t out = c->stream != NULL ? rqi_stream_queued(c->stream) : 0;
    return out + c->waiting_bytes;
}

void rqi_conn_send_bytes(rqi_conn *c, const char *bytes, size_t len, int64_t timeout_ms,
                         rqi_reply_cb cb, void *arg)
{
    if (c->freed) {
        refq_error err;
        (void)rqi_fail(&err, REFQ_ERR_CLOSED, "the connection was closed by this program");
        cb(arg, &err, NULL);
        return;
    }
    if (queued_bytes(c) + len > RQI_OUT_MAX) {
        rqi_request_refuse(c->base, REFQ_ERR_FULL, cb, arg);
        return;
    }
    rqi_request *r = rqi_request_new(timeout_ms != 0 ? timeout_ms : c->timeout_ms, cb, arg);
    if (r == NULL) {
        rqi_request_refuse(c->base, REFQ_ERR_NOMEM, cb, arg);
        return;
    }
    if (c->state == CONN_UP) {
        rqi_stream_write(c->stream, bytes, len);
        TAILQ_INSERT_TAIL(&c->sent, r, link);
    } else if (rqi_request_keep(r, bytes, len)) {
        c->waiting_bytes += len;
        TAILQ_INSERT_TAIL(&c->waiting, r, link);
    } else {
        rqi_request_free(r);
        rqi_request_refuse(c->base, REFQ_ERR_NOMEM, cb, arg);
        return;
    }
    if (r->deadline_ms != RQI_NEVER) {
        arm_deadline(c, r->deadline_ms);
    }
}

void rqi_conn_send(rqi_conn *c, rqi_cmd *cmd, int64_t timeout_ms, rqi_reply_cb cb, void *arg)
{
    char *bytes = NULL;
    size_t len = 0;
    if (rqi_cmd_encode(cmd, &bytes, &len) != REFQ_OK) {
        rqi_request_refuse(c->base, REFQ_ERR_NOMEM, cb, arg);
        return;
    }
    rqi_conn_send_bytes(c, bytes, len, timeout_ms, cb, arg);
    rqi_cmd_bytes_free(bytes);
}

bool rqi_conn_is_up(const rqi_conn *c)
{
    return c->state == CONN_UP;
}

void rqi_conn_free(rqi_conn *c)
{
    if (c == NULL || c->freed) {
        return;
    }
    refq_error err;
    (void)rqi_fail(&err, REFQ_ERR_CLOSED, "the connection was closed by this program");
    c->busy++;
    c->freed = true;
    c->state = CONN_DOWN;
    (void)evtimer_del(c->retry);
    (void)evtimer_del(c->deadline);
    rqi_requests_fail(&c->sent, &err);
    fail_waiting(c, &err);
    leave(c);
}
