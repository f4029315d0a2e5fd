/* SPDX-License-Identifier: MIT */
/*
 * Errors of refq.
 *
 * A function that can fail returns a refq_err and, where a person may have to
 * act on it, fills a refq_error with one sentence: what went wrong, where, and
 * what to do instead. The text lives inside the caller's struct, so the error
 * path never allocates. Out-parameters are left untouched on failure.
 */
#ifndef REFQ_ERROR_H
#define REFQ_ERROR_H

#include <refq/export.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum refq_err {
    REFQ_OK = 0,
    REFQ_ERR_IO,          /* could not connect, read or write */
    REFQ_ERR_CLOSED,      /* the connection went away: the outcome is unknown */
    REFQ_ERR_TIMEOUT,     /* no answer within the deadline */
    REFQ_ERR_PROTO,       /* the other side said something unexpected */
    REFQ_ERR_AUTH,        /* wrong password, user or permission */
    REFQ_ERR_VERSION,     /* the server is too old, or another format version */
    REFQ_ERR_NOTFOUND,    /* no such task, reference or name */
    REFQ_ERR_CONFLICT,    /* the state does not allow it (anymore) */
    REFQ_ERR_FENCED,      /* this attempt no longer owns its task */
    REFQ_ERR_LIMIT,       /* a size, depth, count or time is out of bounds */
    REFQ_ERR_FULL,        /* the queue or Redis takes no more now: try later */
    REFQ_ERR_INVALID,     /* the input is malformed */
    REFQ_ERR_UNSUPPORTED, /* this backend or build does not offer it */
    REFQ_ERR_NOMEM,       /* out of memory in this process */
    REFQ_ERR_INTERNAL,    /* a bug in refq */
    REFQ_ERR_DENIED       /* the policy or the namespace does not let this actor */
} refq_err;

/* Where a failure is explained. `text` is always terminated; empty when code is REFQ_OK. */
typedef struct refq_error {
    refq_err code;
    char text[256];
} refq_error;

/* A short constant name such as "timeout". Never NULL. Any thread. */
REFQ_API const char *refq_strerror(refq_err code);

/* 1 when the same call may succeed later without the caller changing anything. Any thread. */
REFQ_API int refq_err_retryable(refq_err code);

#ifdef __cplusplus
}
#endif
#endif
