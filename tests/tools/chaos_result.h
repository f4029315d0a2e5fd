/* SPDX-License-Identifier: MIT */
/* What the handlers of a chaos run return: a value that says which attempt of which task made it.
 */
#ifndef RQT_CHAOS_RESULT_H
#define RQT_CHAOS_RESULT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* What a handler is told to do; all in the task's arguments. */
typedef struct rqt_chaos_args {
    int64_t ms;     /* how long it works */
    int64_t fail;   /* attempts up to this number fail */
    int64_t bytes;  /* padding of the value */
    bool permanent; /* its failure is for good */
} rqt_chaos_args;

rqt_chaos_args rqt_chaos_args_read(const char *json);

/* Writes the value into out and the end of the attempt into the history. */
void rqt_chaos_done(int history, const char *ref, unsigned attempt, const char *fence,
                    int64_t bytes, rqi_buf *out);

#endif
