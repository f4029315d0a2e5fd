/* SPDX-License-Identifier: MIT */
/*
 * Opening a byte stream to the server: the one place that knows kinds of transport.
 *
 * DESIGN. Everything above works on a libevent bufferevent and does not know what is below it.
 * Another transport (TLS) is another file with a function of this shape, chosen by the URL.
 */
#ifndef RQI_REDIS_STREAM_H
#define RQI_REDIS_STREAM_H

#include "redis/url.h"

struct bufferevent;
struct event_base;
struct evdns_base;

/* Starts connecting; the bufferevent reports BEV_EVENT_CONNECTED or an error by itself. `dns` is
 * created when first needed and owned by the caller. *ret is owned by the caller. */
refq_err rqi_stream_open(struct event_base *base, const rqi_url *url, struct evdns_base **dns,
                         struct bufferevent **ret, refq_error *err);

#endif
