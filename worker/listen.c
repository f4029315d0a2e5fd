/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Numbers only, no names: what a name means is decided elsewhere and may
 * change, and this is about who can reach the worker. A port alone is one of the
 * loopback address, because the pages are meant for this machine.
 */
#include "listen.h"

#include "base/error.h"
#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG     64
#define UNIX_PREFIX "unix:"
#define LOOPBACK    "127.0.0.1"

static refq_err failed(const char *address, int why, refq_error *err)
{
    if (why == EADDRINUSE) {
        return rqi_fail(err, REFQ_ERR_IO,
                        "--health %.100s: another program listens there already; choose another "
                        "port or path",
                        address);
    }
    return rqi_fail(err, REFQ_ERR_IO, "--health %.100s: cannot listen there: %s", address,
                    strerror(why));
}

static refq_err open_at(const char *address, const struct sockaddr *at, socklen_t len,
                        rqi_listener *ret, refq_error *err)
{
    static const int on = 1;
    int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return failed(address, errno, err);
    }
    if (at->sa_family != AF_UNIX) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (bind(fd, at, len) != 0 || listen(fd, BACKLOG) != 0) {
        int why = errno;
        (void)close(fd);
        return failed(address, why, err);
    }
    ret->fd = fd;
    return REFQ_OK;
}

/* --- Unix sockets ----------------------------------------------------------------------------- */

/* A worker that was killed leaves its socket behind. */
static void remove_if_dead(const struct sockaddr_un *at)
{
    struct stat st;
    if (lstat(at->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        if (connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED) {
            (void)unlink(at->sun_path);
        }
        (void)close(fd);
    }
}

static refq_err listen_unix(const char *address, rqi_listener *ret, refq_error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const char *path = address + strlen(UNIX_PREFIX);
    if (path[0] == '\0' || strlen(path) >= sizeof at.sun_path) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "--health %.100s: the path of a socket has 1 to %zu bytes", address,
                        sizeof at.sun_path - 1);
    }
    memcpy(at.sun_path, path, strlen(path) + 1);
    remove_if_dead(&at);
    refq_err e = open_at(address, (const struct sockaddr *)&at, sizeof at, ret, err);
    if (e == REFQ_OK) {
        (void)snprintf(ret->path, sizeof ret->path, "%s", path);
        (void)snprintf(ret->shown, sizeof ret->shown, "%s", address);
    }
    return e;
}

/* --- TCP -------------------------------------------------------------------------------------- */

static void show(const struct sockaddr *at, char *out, size_t size)
{
    char ip[INET6_ADDRSTRLEN] = "";
    if (at->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)at;
        (void)inet_ntop(AF_INET6, &six->sin6_addr, ip, sizeof ip);
        (void)snprintf(out, size, "[%s]:%u", ip, ntohs(six->sin6_port));
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)at;
        (void)inet_ntop(AF_INET, &four->sin_addr, ip, sizeof ip);
        (void)snprintf(out, size, "%s:%u", ip, ntohs(four->sin_port));
    }
}

static refq_err bad_address(const char *address, refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_INVALID,
                    "--health %.100s: write PORT (0 to 65535, of 127.0.0.1), IP:PORT with the "
                    "address in numbers (an IPv6 one in brackets), or unix:PATH",
                    address);
}

/* The address in numbers; the length of its struct, 0 when it is none. */
static socklen_t parse_ip(const char *host, size_t len, uint16_t port, struct sockaddr_storage *ret)
{
    char ip[INET6_ADDRSTRLEN];
    bool six = len >= 2 && host[0] == '[' && host[len - 1] == ']';
    size_t bare = six ? len - 2 : len;
    (void)snprintf(ip, sizeof ip, "%.*s", (int)bare, host + six);
    if (bare >= sizeof ip) {
        return 0;
    }
    if (six) {
        struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        bool good = inet_pton(AF_INET6, ip, &at.sin6_addr) == 1;
        memcpy(ret, &at, sizeof at);
        return good ? sizeof at : 0;
    }
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    bool good = inet_pton(AF_INET, ip, &at.sin_addr) == 1;
    memcpy(ret, &at, sizeof at);
    return good ? sizeof at : 0;
}

static socklen_t parse(const char *address, struct sockaddr_storage *ret)
{
    int64_t port = 0;
    const char *colon = strrchr(address, ':');
    const char *digits = colon != NULL ? colon + 1 : address;
    if (rqi_parse_int(digits, 0, UINT16_MAX, &port, NULL) != REFQ_OK) {
        return 0;
    }
    if (colon == NULL) {
        return parse_ip(LOOPBACK, strlen(LOOPBACK), (uint16_t)port, ret);
    }
    return parse_ip(address, (size_t)(colon - address), (uint16_t)port, ret);
}

static refq_err listen_tcp(const char *address, rqi_listener *ret, refq_error *err)
{
    struct sockaddr_storage at = {0};
    socklen_t len = parse(address, &at);
    if (len == 0) {
        return bad_address(address, err);
    }
    refq_err e = open_at(address, (const struct sockaddr *)&at, len, ret, err);
    if (e == REFQ_OK) {
        socklen_t size = sizeof at;
        (void)getsockname(ret->fd, (struct sockaddr *)&at, &size);
        show((const struct sockaddr *)&at, ret->shown, sizeof ret->shown);
    }
    return e;
}

/* --- Public ----------------------------------------------------------------------------------- */

refq_err rqi_listen(const char *address, rqi_listener *ret, refq_error *err)
{
    *ret = RQI_LISTENER_NONE;
    return strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0 ? listen_unix(address, ret, err)
                                                                   : listen_tcp(address, ret, err);
}

void rqi_listener_close(rqi_listener *listener)
{
    if (listener->fd >= 0) {
        (void)close(listener->fd);
    }
    if (listener->path[0] != '\0') {
        (void)unlink(listener->path);
    }
    *listener = RQI_LISTENER_NONE;
}
