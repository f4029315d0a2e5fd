/* SPDX-License-Identifier: MIT */
#include "redis/stream.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

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

static int connect_tcp(struct event_base *base, struct bufferevent *bev, const rqi_url *url,
                       struct evdns_base **dns)
{
    if (*dns == NULL && !is_address(url->host)) {
        *dns = evdns_base_new(base,
                              EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    }
    return bufferevent_socket_connect_hostname(bev, *dns, AF_UNSPEC, url->host, url->port);
}

refq_err rqi_stream_open(struct event_base *base, const rqi_url *url, struct evdns_base **dns,
                         struct bufferevent **ret, refq_error *err)
{
    struct bufferevent *bev =
        bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (bev == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory while connecting to %s", url->shown);
    }
    int rc =
        url->scheme == RQI_SCHEME_UNIX ? connect_unix(bev, url) : connect_tcp(base, bev, url, dns);
    if (rc != 0) {
        int saved = errno;
        bufferevent_free(bev);
        return rqi_fail(err, REFQ_ERR_IO, "cannot connect to Redis at %s: %s", url->shown,
                        strerror(saved));
    }
    *ret = bev;
    return REFQ_OK;
}
