/* SPDX-License-Identifier: MIT */
/*
 * A byte stream to a server: the one place that knows kinds of transport.
 *
 * DESIGN. Everything above writes bytes, is handed bytes, and is told once, in a
 * sentence for a person, why a stream has ended. A stream never reconnects:
 * its owner frees it and opens another one.
 *
 * All calls come from the loop's thread; callbacks come from the loop only, and
 * may free the stream.
 */
#ifndef RQI_REDIS_STREAM_H
#define RQI_REDIS_STREAM_H

#include "redis/url.h"

#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct event_base;
struct evdns_base;

typedef struct rqi_stream rqi_stream;

typedef struct rqi_stream_options {
    struct event_base *base;    /* borrowed */
    struct evdns_base **dns;    /* made when first needed; owned by the caller */
    const rqi_url *url;         /* kind and settings; this and the next two are borrowed for the
                                   stream's life */
    const rqi_endpoint *at;     /* TCP: where to */
    const char *shown;          /* the server, for messages */
    void (*on_open)(void *arg); /* bytes may be written */
    void (*on_bytes)(void *arg, struct evbuffer *in);    /* drain what was used */
    void (*on_broken)(void *arg, const refq_error *why); /* at most once; free it then or later */
    void *arg;
} rqi_stream_options;

/* Starts connecting. *ret is owned by the caller. */
refq_err rqi_stream_new(const rqi_stream_options *options, rqi_stream **ret, refq_error *err);

void rqi_stream_write(rqi_stream *s, const char *bytes, size_t len);

/* Says that the stream has been opening for ms: what it waits for. */
refq_err rqi_stream_too_slow(const rqi_stream *s, int64_t ms, refq_error *err);

/* Bytes written that the kernel has not taken yet. */
size_t rqi_stream_queued(const rqi_stream *s);

/* No callback comes after this. NULL is fine. */
void rqi_stream_free(rqi_stream *s);

#endif
