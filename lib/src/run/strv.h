/* SPDX-License-Identifier: MIT */
/* A vector of strings under construction: argv or envp of a program. */
#ifndef RQI_RUN_STRV_H
#define RQI_RUN_STRV_H

#include "base/buf.h"

typedef struct rqi_strv {
    rqi_buf text; /* all strings, each with its terminator; append the current one here */
    size_t n;     /* strings that are complete */
    char **ptr;   /* owned; set by rqi_strv_make() */
} rqi_strv;

/* Completes the string that was appended to text. */
void rqi_strv_end(rqi_strv *v);

/* The NULL-terminated vector, borrowed from v; NULL when out of memory or over the limit. Nothing
 * may be appended afterwards. */
char **rqi_strv_make(rqi_strv *v);

void rqi_strv_done(rqi_strv *v);

#endif
