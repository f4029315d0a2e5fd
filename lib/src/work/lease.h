/* SPDX-License-Identifier: MIT */
/*
 * The leases: a worker's signs of life, from a thread and connection of their own.
 *
 * DESIGN. A handler that blocks the worker's loop, or a large result on its
 * connection, must not make the fleet believe that the worker is dead. So beats
 * come from a thread that does nothing else; it also reaps dead neighbours when
 * a beat's reply asks for it. One thread and connection serve all queues, with
 * one beat for each. What the loop has to know is left in notices under a mutex,
 * and an eventfd wakes the loop.
 */
#ifndef RQI_WORK_LEASE_H
#define RQI_WORK_LEASE_H

#include "redis/url.h"
#include "run/handlers.h"
#include "task/keys.h"

#include <refq/log.h>

typedef struct rqi_lease rqi_lease;

/* One queue: borrowed until rqi_lease_start() returns, but for the keys. */
typedef struct rqi_lease_line {
    const rqi_keys *keys;
    refq_handlers *handlers;
    const char *id; /* the incarnation that the first beat registers */
} rqi_lease_line;

typedef struct rqi_lease_options {
    const rqi_url *url; /* borrowed for the lease's life, as log */
    const refq_logger *log;
    int64_t lease_ms;
    int64_t beat_ms;
    int64_t record_ttl_ms;
    unsigned slots;
    int notify_fd; /* eventfd written to when there is a notice */
} rqi_lease_options;

#define RQI_LEASE_ORDERS 64
#define RQI_ORDER_MAX    48 /* "answer:" and a hex id */

/* What the loop is told about one queue. Taking it clears it. */
typedef struct rqi_notice {
    bool started;      /* the incarnation is registered: claims may begin */
    bool gone;         /* the incarnation was reaped: everything it runs is fenced out */
    bool ended;        /* the goodbye was said (or could not be) */
    bool recount;      /* Redis and we disagree about what is held: ask `mine` */
    bool beaten;       /* `standing` and `orders` are of a new beat */
    refq_error failed; /* registering failed for good; code REFQ_OK = it did not */
    char standing[8];  /* the order to this worker: "", "quiet" or "drain" */
    size_t orders_n;   /* what it has not confirmed: "<hex>" was cancelled, "answer:<hex>" */
    char orders[RQI_LEASE_ORDERS][RQI_ORDER_MAX];
} rqi_notice;

/* What the next beat of a queue says. */
typedef struct rqi_lease_words {
    const char *state; /* "running", "quiet" or "draining"; lives for ever */
    size_t running;    /* attempts held */
    size_t stuck;      /* attempts that were told to stop and do not */
} rqi_lease_words;

/* Starts the thread; the first beats register the incarnations. */
refq_err rqi_lease_start(const rqi_lease_options *options, const rqi_lease_line *lines, size_t n,
                         rqi_lease **ret, refq_error *err);

/* The rest is for the loop's thread; `line` is the place in the list given to rqi_lease_start(). */
void rqi_lease_say(rqi_lease *lease, unsigned line, const rqi_lease_words *words);

/* False when there is nothing new. */
bool rqi_lease_take(rqi_lease *lease, unsigned line, rqi_notice *ret);

/* Registers anew under another id, after `gone`. */
void rqi_lease_renew(rqi_lease *lease, unsigned line, const char *id);

/* The next beat tells the catalog what is offered from now on. Takes a reference. */
void rqi_lease_offer(rqi_lease *lease, unsigned line, refq_handlers *handlers);

/* Ends the incarnation; a notice with `ended` follows. */
void rqi_lease_bye(rqi_lease *lease, unsigned line);

/* Monotonic time of the last beat that was answered; 0 = none yet. Any thread. */
int64_t rqi_lease_last_ms(rqi_lease *lease, unsigned line);

/* By how much the thread has missed the time of its next beats; 0 = it has not. Any thread. */
int64_t rqi_lease_late_ms(rqi_lease *lease);

/* Stops the thread and frees. NULL is fine. */
void rqi_lease_stop(rqi_lease *lease);

#endif
