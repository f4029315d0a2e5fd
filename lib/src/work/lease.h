/* SPDX-License-Identifier: MIT */
/*
 * The lease: a worker's signs of life, from a thread and connection of their own.
 *
 * DESIGN. A handler that blocks the worker's loop, or a large result on its
 * connection, must not make the fleet believe that the worker is dead. So beats
 * come from a thread that does nothing else; it also reaps dead neighbours when
 * a beat's reply asks for it. What the loop has to know is left in a notice
 * under a mutex, and an eventfd wakes the loop.
 */
#ifndef RQI_WORK_LEASE_H
#define RQI_WORK_LEASE_H

#include "redis/url.h"
#include "task/keys.h"
#include "run/handlers.h"

#include <refq/log.h>

typedef struct rqi_lease rqi_lease;

typedef struct rqi_lease_options {
    const rqi_url *url; /* these are borrowed for the lease's life */
    const rqi_keys *keys;
    const refq_handlers *handlers;
    const refq_logger *log;
    int64_t lease_ms;
    int64_t beat_ms;
    int64_t record_ttl_ms;
    unsigned slots;
    int notify_fd; /* eventfd written to when there is a notice */
} rqi_lease_options;

#define RQI_LEASE_ORDERS 64

/* What the loop is told. Taking it clears it. */
typedef struct rqi_notice {
    bool started;      /* the incarnation is registered: claims may begin */
    bool gone;         /* the incarnation was reaped: everything it runs is fenced out */
    bool ended;        /* the goodbye was said (or could not be) */
    bool recount;      /* Redis and we disagree about what is held: ask `mine` */
    refq_error failed; /* registering failed for good; code REFQ_OK = it did not */
    size_t orders_n;   /* cancellations not confirmed yet */
    char orders[RQI_LEASE_ORDERS][REFQ_HEX_LEN + 1];
} rqi_notice;

/* Starts the thread; the first beat registers incarnation `id`. */
refq_err rqi_lease_start(const rqi_lease_options *options, const char *id, rqi_lease **ret,
                         refq_error *err);

/* The loop's thread: what the next beat will say. */
void rqi_lease_say(rqi_lease *lease, size_t running, bool draining);

void rqi_lease_take(rqi_lease *lease, rqi_notice *ret);

/* Registers anew under another id, after `gone`. */
void rqi_lease_renew(rqi_lease *lease, const char *id);

/* Ends the incarnation; a notice with `ended` follows. */
void rqi_lease_bye(rqi_lease *lease);

/* Monotonic time of the last beat that was answered; 0 = none yet. */
int64_t rqi_lease_last_ms(rqi_lease *lease);

/* Stops the thread and frees. NULL is fine. */
void rqi_lease_stop(rqi_lease *lease);

#endif
