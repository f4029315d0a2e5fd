/* SPDX-License-Identifier: MIT */
/* A listening socket from its written address. */
#ifndef REFQ_WORKER_LISTEN_H
#define REFQ_WORKER_LISTEN_H

#include <refq/error.h>

#include <sys/un.h>

typedef struct rqi_listener {
    int fd;                                                 /* -1 = none */
    char shown[sizeof(struct sockaddr_un) + 16];            /* with the port the kernel chose */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* of a unix socket; "" = none */
} rqi_listener;

#define RQI_LISTENER_NONE ((rqi_listener){.fd = -1})

/* "9090" (of 127.0.0.1), "0.0.0.0:9090", "[::1]:9090" or "unix:/path"; port 0 lets the kernel
 * choose. A socket file that nobody listens at is replaced. */
refq_err rqi_listen(const char *address, rqi_listener *ret, refq_error *err);

/* Closes it and removes its file. */
void rqi_listener_close(rqi_listener *listener);

#endif
