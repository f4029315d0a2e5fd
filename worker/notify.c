/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The protocol is one datagram to a socket whose name is in the
 * environment; a library would be more than it. The socket is connected once, at
 * start-up, where a wrong name can still be told to somebody. What cannot be sent
 * within a second is dropped: a service manager that hangs must not stop the work.
 */
#include "notify.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/parse.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WATCHDOG_MIN_US ((int64_t)10 * 1000)
#define WATCHDOG_MAX_US ((int64_t)24 * 3600 * 1000 * 1000)

static int notify_fd = -1;
static int64_t watchdog_us;

/* "/path", or "@name" in the abstract namespace. */
static refq_err address_of(const char *name, struct sockaddr_un *ret, socklen_t *ret_len,
                           refq_error *err)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof ret->sun_path) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "NOTIFY_SOCKET is '%.120s': only /path and @name of up to %zu bytes are "
                        "known",
                        name, sizeof ret->sun_path - 1);
    }
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, name, len);
    if (name[0] == '@') {
        ret->sun_path[0] = '\0';
    }
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return REFQ_OK;
}

static refq_err open_socket(const char *name, refq_error *err)
{
    static const struct timeval patience = {.tv_sec = 1};
    struct sockaddr_un address;
    socklen_t len = 0;
    refq_err e = address_of(name, &address, &len, err);
    if (e != REFQ_OK) {
        return e;
    }
    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify_fd < 0 ||
        setsockopt(notify_fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        connect(notify_fd, (const struct sockaddr *)&address, len) != 0) {
        (void)rqi_fail(err, REFQ_ERR_IO, "cannot reach the service manager at '%.120s': %s", name,
                       strerror(errno));
        rqi_notify_close();
        return REFQ_ERR_IO;
    }
    return REFQ_OK;
}

/* They are for us only when WATCHDOG_PID is absent or ours. */
static int64_t read_watchdog(void)
{
    const char *text = getenv("WATCHDOG_USEC");
    const char *pid_text = getenv("WATCHDOG_PID");
    int64_t us = 0;
    int64_t pid = getpid();
    if (text == NULL ||
        rqi_parse_int(text, WATCHDOG_MIN_US, WATCHDOG_MAX_US, &us, NULL) != REFQ_OK) {
        return 0;
    }
    if (pid_text != NULL && rqi_parse_int(pid_text, 1, INT64_MAX, &pid, NULL) != REFQ_OK) {
        return 0;
    }
    return pid == getpid() ? us : 0;
}

refq_err rqi_notify_open(refq_error *err)
{
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    const char *name = getenv(variables[0]);
    refq_err e = name != NULL && name[0] != '\0' ? open_socket(name, err) : REFQ_OK;
    watchdog_us = notify_fd >= 0 ? read_watchdog() : 0;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        (void)unsetenv(variables[i]);
    }
    return e;
}

int64_t rqi_notify_watchdog_us(void)
{
    return watchdog_us;
}

void rqi_notify_send(const char *lines)
{
    if (notify_fd >= 0) {
        (void)send(notify_fd, lines, strlen(lines), MSG_NOSIGNAL);
    }
}

void rqi_notify_reloading(void)
{
    char lines[96];
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading",
                   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    rqi_notify_send(lines);
}

void rqi_notify_close(void)
{
    if (notify_fd >= 0) {
        (void)close(notify_fd);
        notify_fd = -1;
    }
}
