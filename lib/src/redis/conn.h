/* SPDX-License-Identifier: MIT */
/*
 * One connection to Redis on an event loop.
 *
 * DESIGN. hiredis is the codec, libevent moves the bytes, and this file keeps
 * the two honest:
 *
 *   waiting --(connected)--> sent --(reply)--> done
 *      |                      |
 *      +----(deadline)--------+---> callback with REFQ_ERR_TIMEOUT
 *
 * - Requests are answered in order. A request whose deadline passes after it was
 *   sent stays in line as a ghost, so that the replies behind it still find
 *   their requests; one ghost that stays unanswered for another timeout is the
 *   sign of a hung server, and the connection is dropped.
 * - When the connection drops, requests that were sent fail with
 *   REFQ_ERR_CLOSED: nobody knows whether the server ran them. Requests that
 *   were not sent yet wait for the next connection until their deadline.
 * - It reconnects by itself, 50 ms to 2 s (`retry_most_ms`) with jitter, until freed.
 * - Until it has been up once, a failure to connect fails what waits at once: a
 *   person who mistyped the address should not wait for a timeout.
 * - Callbacks come from the loop only, exactly once, and may call anything here.
 *
 * All calls come from the loop's thread.
 */
#ifndef RQI_REDIS_CONN_H
#define RQI_REDIS_CONN_H

#include "redis/cmd.h"
#include "redis/reply.h"
#include "redis/url.h"

#include <refq/log.h>

#include <stdbool.h>

struct event_base;

typedef struct rqi_conn rqi_conn;

/* err NULL: reply is valid, and not an error reply. Both are borrowed. */
typedef void (*rqi_reply_cb)(void *arg, const refq_error *err, const redisReply *reply);

typedef struct rqi_conn_options {
    struct event_base *base; /* borrowed */
    const rqi_url *url;      /* copied */
    const char *name;        /* for CLIENT SETNAME; copied; no blanks */
    int64_t timeout_ms;      /* default deadline of a request and of connecting; 0 = 5 s */
    int64_t retry_most_ms; /* longest pause between two attempts to connect, at least 50; 0 = 2 s */
    const refq_logger *log; /* borrowed; may be NULL */
    bool patient;           /* true: wait for the deadline even before the first connection */
    void (*on_up)(
        void *arg); /* after each handshake, before waiting requests are sent; may be NULL */
    void (*on_down)(void *arg, const refq_error *why);     /* may be NULL */
    void (*on_push)(void *arg, const redisReply *message); /* pub/sub messages; may be NULL */
    void *arg;
} rqi_conn_options;

#define RQI_TIMEOUT_MS   5000
#define RQI_OUT_MAX      ((size_t)256 * 1024 * 1024) /* bytes queued towards the server */
#define RQI_REPLY_MAX    ((size_t)256 * 1024 * 1024) /* bytes of one reply */
#define RQI_ELEMENTS_MAX 4194304                     /* elements of one array reply */

/* Starts connecting in the background. */
refq_err rqi_conn_new(const rqi_conn_options *options, rqi_conn **ret, refq_error *err);

/* Sends a command; the command may be cleared or freed right after. timeout_ms 0 = the default,
 * < 0 = none. */
void rqi_conn_send(rqi_conn *conn, rqi_cmd *cmd, int64_t timeout_ms, rqi_reply_cb cb, void *arg);

/* The same for an already encoded command; bytes are copied. */
void rqi_conn_send_bytes(rqi_conn *conn, const char *bytes, size_t len, int64_t timeout_ms,
                         rqi_reply_cb cb, void *arg);

bool rqi_conn_is_up(const rqi_conn *conn);

/* Drops the connection and connects anew. */
void rqi_conn_reset(rqi_conn *conn, const char *why);

/* Fails everything outstanding with REFQ_ERR_CLOSED (callbacks run inside this call), then frees.
 * NULL is fine; allowed inside callbacks. */
void rqi_conn_free(rqi_conn *conn);

#endif
