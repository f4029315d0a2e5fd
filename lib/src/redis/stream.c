/* SPDX-License-Identifier: MIT */
#include "redis/stream.h"

#include "base/error.h"
#include "redis/tls.h"

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
    rqi_tls_notes notes;
    bool secured; /* bev speaks TLS */
    bool open;    /* on_open was called */
    bool heard;   /* the server has sent something */
    bool busy;    /* a callback runs that looks at this again afterwards */
    bool freed;   /* rqi_stream_free() was called meanwhile */
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
    const char *host = s->o.at->host;
    if (*s->o.dns == NULL && !is_address(host)) {
        *s->o.dns = evdns_base_new(s->o.base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                  EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    }
    return bufferevent_socket_connect_hostname(s->bev, *s->o.dns, AF_UNSPEC, host, s->o.at->port);
}

/* --- Events ----------------------------------------------------------------------------------- */

static bool is_tcp(const rqi_stream *s)
{
    return s->o.url->scheme != RQI_SCHEME_UNIX;
}

static void explain_plain(const rqi_stream *s, short what, int saved, refq_error *err)
{
    const char *shown = s->o.shown;
    const char *reason =
        (what & BEV_EVENT_EOF) ? "the server closed the connection" : strerror(saved);
    int dns = bufferevent_socket_get_dns_error(s->bev);
    if (dns != 0) {
        (void)rqi_fail(err, REFQ_ERR_IO, "cannot find the host '%s': %s", s->o.at->host,
                       evutil_gai_strerror(dns));
    } else if (!s->open) {
        (void)rqi_fail(err, REFQ_ERR_IO, "cannot connect to Redis at %s: %s", shown,
                       strerror(saved));
    } else if (!s->heard && is_tcp(s)) {
        (void)rqi_fail(err, REFQ_ERR_IO,
                       "%s at %s before its first answer; if it wants TLS, write rediss://", reason,
                       shown);
    } else {
        (void)rqi_fail(err, REFQ_ERR_IO, "%s at %s", reason, shown);
    }
}

static void explain(const rqi_stream *s, short what, int saved, refq_error *err)
{
    if (s->secured) {
        (void)rqi_tls_explain(s->bev, &s->notes, s->o.shown, s->heard, saved, err);
    } else {
        explain_plain(s, what, saved, err);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    rqi_stream *s = arg;
    s->heard = true;
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
    s->heard = true;
    s->busy = true;
    s->o.on_bytes(s->o.arg, in);
    s->busy = false;
    if (s->freed) {
        free(s);
        return false;
    }
    return true;
}

static void on_event(struct bufferevent *bev, short what, void *arg);

static void listen_to(rqi_stream *s, short events)
{
    bufferevent_setcb(s->bev, on_read, NULL, on_event, s);
    (void)bufferevent_enable(s->bev, events);
}

/* The socket is connected: it goes from the plain bufferevent to one that speaks TLS. */
static void secure(rqi_stream *s)
{
    refq_error err;
    int fd = (int)bufferevent_getfd(s->bev);
    (void)bufferevent_setfd(s->bev, -1);
    bufferevent_free(s->bev);
    s->bev = NULL;
    if (rqi_tls_start(s->o.base, &s->o.url->tls, s->o.at->host, fd, &s->notes, &s->bev, &err) !=
        REFQ_OK) {
        s->o.on_broken(s->o.arg, &err);
        return;
    }
    s->secured = true;
    listen_to(s, EV_READ | EV_WRITE);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    rqi_stream *s = arg;
    int saved = EVUTIL_SOCKET_ERROR();
    if ((what & BEV_EVENT_CONNECTED) && s->o.url->tls.on && !s->secured) {
        secure(s);
        return;
    }
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
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory while connecting to %s", s->o.shown);
    }
    int rc = s->o.url->scheme == RQI_SCHEME_UNIX ? connect_unix(s->bev, s->o.url) : connect_tcp(s);
    if (rc != 0) {
        return rqi_fail(err, REFQ_ERR_IO, "cannot connect to Redis at %s: %s", s->o.shown,
                        strerror(errno));
    }
    /* What comes before TLS has begun belongs to TLS. */
    listen_to(s, s->o.url->tls.on ? EV_WRITE : EV_READ | EV_WRITE);
    return REFQ_OK;
}

refq_err rqi_stream_new(const rqi_stream_options *options, rqi_stream **ret, refq_error *err)
{
    rqi_stream *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory while connecting to %s",
                        options->shown);
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

refq_err rqi_stream_too_slow(const rqi_stream *s, int64_t ms, refq_error *err)
{
    if (s->secured && !s->open) {
        return rqi_fail(err, REFQ_ERR_TIMEOUT,
                        "%.120s did not answer to TLS within %lld ms; if it has no TLS, write "
                        "redis:// instead of rediss://",
                        s->o.shown, (long long)ms);
    }
    return rqi_fail(err, REFQ_ERR_TIMEOUT, "connecting to Redis at %s took longer than %lld ms",
                    s->o.shown, (long long)ms);
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
        if (s->secured) {
            rqi_tls_leave(s->bev);
        }
        bufferevent_free(s->bev);
        s->bev = NULL;
    }
    if (s->busy) {
        s->freed = true;
    } else {
        free(s);
    }
}
