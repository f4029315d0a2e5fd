/* SPDX-License-Identifier: MIT */
/* A very small HTTP server: one GET or HEAD for each connection, answered from memory. */
#ifndef REFQ_WORKER_HTTP_H
#define REFQ_WORKER_HTTP_H

#include "base/buf.h"

#define RQI_HTTP_CONNECTIONS 32   /* at a time; more wait in the kernel */
#define RQI_HTTP_HEAD_MAX    8192 /* bytes of a request's head; as many of its body */
#define RQI_HTTP_PATIENCE_S  5    /* for all of a connection */

struct event_base;
typedef struct rqi_http rqi_http;

/* Fills in the body and its type (lives for ever) and returns the status; 404 needs no body. The
 * path is without what follows a '?'. */
typedef int rqi_http_answer(void *arg, const char *path, rqi_buf *body, const char **ret_type);

/* Serves on a listening, non-blocking socket, which is borrowed. One a process, for one thread. */
refq_err rqi_http_new(struct event_base *base, int fd, rqi_http_answer *answer, void *arg,
                      rqi_http **ret, refq_error *err);

/* Closes all connections and frees. NULL is fine. */
void rqi_http_free(rqi_http *http);

#endif
