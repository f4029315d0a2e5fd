/* SPDX-License-Identifier: MIT */
/* Requests of one connection: what waits to be sent, what waits for its reply, and their deadlines.
 * All functions run on the connection's loop; callbacks may add requests to any queue. */
#ifndef RQI_REDIS_REQUEST_H
#define RQI_REDIS_REQUEST_H

#include "redis/conn.h"

#include <sys/queue.h>

#define RQI_NEVER INT64_MAX

typedef struct rqi_request {
    TAILQ_ENTRY(rqi_request) link;
    rqi_reply_cb cb; /* NULL once it has been called: a ghost that waits for its reply */
    void *arg;
    int64_t deadline_ms; /* monotonic; RQI_NEVER = none */
    char *bytes;         /* owned; only while waiting for a connection */
    size_t len;
} rqi_request;
TAILQ_HEAD(rqi_requests, rqi_request);

/* timeout_ms < 0 = no deadline. NULL when out of memory. */
rqi_request *rqi_request_new(int64_t timeout_ms, rqi_reply_cb cb, void *arg);
void rqi_request_free(rqi_request *r);

/* A request that cannot be queued still gets its callback from the loop: REFQ_ERR_FULL or _NOMEM.
 */
void rqi_request_refuse(struct event_base *base, refq_err code, rqi_reply_cb cb, void *arg);

/* Keeps a copy of the bytes until there is a connection; false when out of memory. */
bool rqi_request_keep(rqi_request *r, const char *bytes, size_t len);

/* Calls back with an error; the request itself stays where it is, as a ghost. */
void rqi_request_fail(rqi_request *r, const refq_error *err);

/* Fails, removes and frees everything in a queue. What callbacks add to it stays. */
void rqi_requests_fail(struct rqi_requests *queue, const refq_error *err);

/* Moves what is overdue to the end of *late, in order; returns the next deadline. */
int64_t rqi_requests_overdue(struct rqi_requests *queue, int64_t now, struct rqi_requests *late);

/* What the deadlines of sent requests say at one moment. */
typedef struct rqi_overdue {
    rqi_request *late; /* the first that has to be told, NULL = none; then the rest is unknown */
    int64_t next_ms;   /* the next deadline, a ghost's limit included */
    bool hung;         /* a ghost has been silent for ghost_ms more */
} rqi_overdue;

rqi_overdue rqi_requests_sent(const struct rqi_requests *queue, int64_t now, int64_t ghost_ms);

#endif
