/* SPDX-License-Identifier: MIT */
/*
 * Questions to the server behind a client: what tools ask (doctor), no part of the task interface.
 *
 * DESIGN. A reply is handed over as its leaves, in order, as texts: what INFO, TIME, CONFIG GET,
 * ACL, FUNCTION LIST and SCAN answer is read by position or by the name before it, so the nesting
 * carries nothing, and a caller needs no second kind of reply. It goes over the client's own
 * connection: what works for the doctor works for the commands.
 */
#ifndef RQI_CLIENT_RAW_H
#define RQI_CLIENT_RAW_H

#include <refq/client.h>

struct rqi_redis;

/* The backend as what it is, for the I/O thread; NULL unless it is redis. */
struct rqi_redis *rqi_client_redis(refq_client *client);

/* One command. *ret (refq_texts_free) is valid on success only; nil is "". REFQ_ERR_UNSUPPORTED
 * unless the backend is redis. */
refq_err rqi_client_raw(refq_client *client, const char *const *argv, size_t n, refq_texts *ret,
                        refq_error *err);

/* One function of the library on a queue: FCALL refq_<digest>_<name> 1 <meta> argv... */
refq_err rqi_client_fcall(refq_client *client, const char *queue, const char *name,
                          const char *const *argv, size_t n, refq_texts *ret, refq_error *err);

/* The prefix of all keys; borrowed from the client. NULL unless the backend is redis. */
const char *rqi_client_prefix(refq_client *client);

/* The name of the function library this program was built with. */
const char *rqi_client_library(void);

#endif
