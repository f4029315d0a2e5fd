/* SPDX-License-Identifier: MIT */
/*
 * Asking Sentinels where the master is. For conn.c, which asks before each connection.
 *
 * DESIGN. The Sentinels of the URL are asked one after the other, beginning with the one that
 * answered last, each on a connection made for the question: failovers are rare, and a standing
 * subscription for each of a program's connections would cost more than it tells. Whether the
 * answer is true is checked by the caller (ROLE), since a Sentinel may be behind.
 */
#ifndef RQI_REDIS_SENTINEL_H
#define RQI_REDIS_SENTINEL_H

#include "redis/url.h"

#include <refq/log.h>

#include <stdint.h>

struct event_base;

typedef struct rqi_sentinel rqi_sentinel;

typedef struct rqi_sentinel_options {
    struct event_base *base; /* borrowed, as are the next two, for the object's life */
    const rqi_url *url;
    const refq_logger *log; /* may be NULL */
    int64_t timeout_ms;     /* of a whole connection; one Sentinel gets a part of it */
    /* err NULL: at is valid. Both are borrowed. May free the object. */
    void (*on_found)(void *arg, const refq_error *err, const rqi_endpoint *at);
    void *arg;
} rqi_sentinel_options;

refq_err rqi_sentinel_new(const rqi_sentinel_options *options, rqi_sentinel **ret, refq_error *err);

/* Asks; on_found is called once. Not while a question is under way. */
void rqi_sentinel_find(rqi_sentinel *s);

/* Forgets the question under way: on_found is not called. */
void rqi_sentinel_stop(rqi_sentinel *s);

/* The last answer led nowhere: the next question begins with another Sentinel. */
void rqi_sentinel_doubt(rqi_sentinel *s);

/* NULL is fine. */
void rqi_sentinel_free(rqi_sentinel *s);

#endif
