/* SPDX-License-Identifier: MIT */
/*
 * Commands to the server behind a client, several at once, whose arguments and replies may be any
 * bytes.
 *
 * DESIGN. Unlike rqi_client_raw(), which is for people's questions, this is for data: lengths both
 * ways, nil told apart from nothing, an answer of its own for each command, and one round trip for
 * all of them. A reply still comes as its leaves.
 */
#ifndef RQI_CLIENT_ASK_H
#define RQI_CLIENT_ASK_H

#include <refq/client.h>

typedef struct rqi_leaf {
    char *ptr; /* owned, terminated; numbers as text; NULL = nil */
    size_t len;
} rqi_leaf;

typedef struct rqi_ask {
    const refq_bytes *argv; /* borrowed */
    size_t n;
    int64_t timeout_ms; /* 0 = the client's */

    rqi_leaf *leaves; /* owned; see rqi_asks_done() */
    size_t leaves_n;
    refq_error err; /* of this command; code REFQ_OK = the leaves are valid */

    struct rqi_asking *asking; /* private */
} rqi_ask;

/* Sends n (at least one) commands together and waits until each has an answer or has failed.
 * Returns the first failure there was: those of the others are theirs. */
refq_err rqi_client_ask(refq_client *client, rqi_ask *asks, size_t n, refq_error *err);

/* Frees the leaves; the commands may be asked again. */
void rqi_asks_done(rqi_ask *asks, size_t n);

#endif
