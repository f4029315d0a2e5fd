/* SPDX-License-Identifier: MIT */
#include "redis/stream.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

struct rqi_stream {
    rqi_stream_options o;
    struct bufferevent *bev; /* owned */
    bool open;               /* on_open was called */
    bool busy;               /* a callback runs that looks at this again afterwards */
    bool freed;              /* rqi_stream_free() was called meanwhile */
};

/* --- Connecting ------------------------------------------------------------------------------- */

/* Connected by hand: a unix socket answers at once, and libevent loses the reason of a refusal. */
static int connect_unix(struct bufferevent *bev, const rqi_url *url)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", url->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&addr, (socklen_t)sizeof addr) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    if (bufferevent_setfd(bev, fd) != 0) {
        (void)close(fd);
        return -1;
    }
    return bufferevent_socket_connect(bev, NULL, 0); /* reports "connected" from the loop */
}

/* 1 when host is an IP address, so that no resolver is needed. */
static int is_address(const char *host)
{
    unsigned char raw[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

static int connect_tcp(rqi_stream *s)
{
    const char *host = s->o.url->host;
    if (*s->o.dns == NULL && !is_address(host)) {
        *s->o.dns = evdns_base_new(s->o.base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                  EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    }
    return bufferevent_socket_connect_hostname(s->bev, *s->o.dns, AF_UNSPEC, host, s->o.url->port);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void explain(const rqi_stream *s, short what, int saved, refq_error *err)
{
    const char *shown = s->o.url->shown;
    int dns = bufferevent_socket_get_dns_error(s->bev);
    if (dns != 0) {
        (void)rqi_fail(err, REFQ_ERR_IO, "cannot find the host '%s': %s", s->o.url->host,
                       evutil_gai_strerror(dns));
    } else if (!s->open) {
        (void)rqi_fail(err, REFQ_ERR_IO, "cannot connect to Redis at %s: %s", shown,
                       strerror(saved));
    } else {
        (void)rqi_fail(
            err, REFQ_ERR_IO, "%s at %s",
            (what & BEV_EVENT_EOF) ? "the server closed the connection" : strerror(saved), shown);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    rqi_stream *s = arg;
    s->o.on_bytes(s->o.arg, bufferevent_get_input(bev));
}

/* What came before the end is handed on first: it may say why. True when the stream is still there.
 */
static bool hand_on_the_rest(rqi_stream *s)
{
    struct evbuffer *in = bufferevent_get_input(s->bev);
    if (!s->open || evbuffer_get_length(in) == 0) {
        return true;
    }
    s->busy = true;
    s->o.on_bytes(s->o.arg, in);
    s->busy = false;
    if (s->freed) {
        free(s);
        return false;
    }
    return true;
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    rqi_stream *s = arg;
    int saved = EVUTIL_SOCKET_ERROR();
    if (what & BEV_EVENT_CONNECTED) {
        s->open = true;
        s->o.on_open(s->o.arg);
        return;
    }
    if (hand_on_the_rest(s)) {
        refq_error err;
        explain(s, what, saved, &err);
        s->o.on_broken(s->o.arg, &err);
    }
}

/* --- Public ----------------------------------------------------------------------------------- */

static refq_err connect_stream(rqi_stream *s, refq_error *err)
{
    s->bev = bufferevent_socket_new(s->o.base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (s->bev == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory while connecting to %s",
                        s->o.url->shown);
    }
    int rc = s->o.url->scheme == RQI_SCHEME_UNIX ? connect_unix(s->bev, s->o.url) : connect_tcp(s);
    if (rc != 0) {
        return rqi_fail(err, REFQ_ERR_IO, "cannot connect to Redis at %s: %s", s->o.url->shown,
                        strerror(errno));
    }
    bufferevent_setcb(s->bev, on_read, NULL, on_event, s);
    (void)bufferevent_enable(s->bev, EV_READ | EV_WRITE);
    return REFQ_OK;
}

refq_err rqi_stream_new(const rqi_stream_options *options, rqi_stream **ret, refq_error *err)
{
    rqi_stream *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory while connecting to %s",
                        options->url->shown);
    }
    s->o = *options;
    refq_err rc = connect_stream(s, err);
    if (rc != REFQ_OK) {
        rqi_stream_free(s);
        return rc;
    }
    *ret = s;
    return REFQ_OK;
}

void rqi_stream_write(rqi_stream *s, const char *bytes, size_t len)
{
    (void)bufferevent_write(s->bev, bytes, len);
}

size_t rqi_stream_queued(const rqi_stream *s)
{
    return evbuffer_get_length(bufferevent_get_output(s->bev));
}

void rqi_stream_free(rqi_stream *s)
{
    if (s == NULL) {
        return;
    }
    if (s->bev != NULL) {
        bufferevent_free(s->bev);
        s->bev = NULL;
    }
    if (s->busy) {
        s->freed = true;
    } else {
        free(s);
    }
}
