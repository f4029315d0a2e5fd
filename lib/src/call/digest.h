/* SPDX-License-Identifier: MIT */
/* What makes two calls the same call. */
#ifndef RQI_CALL_DIGEST_H
#define RQI_CALL_DIGEST_H

#include <refq/bytes.h>
#include <refq/error.h>

enum { RQI_DIGEST_LEN = 32 };

/* The strings may be NULL, which counts as empty. */
typedef struct rqi_identical {
    const char *task;
    const char *namespace_name;
    const char *owner;
    const char *session; /* that the result is bound to */
    const char *policy;  /* JSON text of what it differs in */
    refq_bytes args;     /* JSON text of an object: content.h */
    const char
        *references; /* JSON text: where in args which references are; NULL = there are none */
} rqi_identical;

/* Writes 32 hex digits and a terminator. Arguments are the same when their values are: the order of
 * keys, blanks and escapes do not count, 1 and 1.0 differ. */
REFQ_MUST_USE refq_err rqi_call_digest(const rqi_identical *call, char out[RQI_DIGEST_LEN + 1],
                                       refq_error *err);

#endif
