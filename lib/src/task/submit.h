/* SPDX-License-Identifier: MIT */
/* The `submit` function: from specs to its arguments, from its reply to what became of them. */
#ifndef RQI_TASK_SUBMIT_H
#define RQI_TASK_SUBMIT_H

#include "redis/cmd.h"
#include "redis/reply.h"
#include "task/scope.h"

#include <refq/backend.h>

#define RQI_SUBMIT_MAX   128               /* tasks in one call: MAX_ITEMS of common.lua */
#define RQI_SUBMIT_BYTES ((size_t)4 << 20) /* arguments in one call, unless one task has more */
#define RQI_CALL_LEN     32                /* hex digits of a call's digest */
#define RQI_ARGS_IN_HASH 64                /* bytes that keep Redis' compact hash encoding */

/* What a check makes of a spec. */
typedef struct rqi_args {
    rqi_buf stored; /* the arguments: a codec byte ('m' = msgpack), then the bytes */
    char preview[RQI_ARGS_IN_HASH + 1];
    rqi_scope scope;             /* a copy */
    char call[RQI_CALL_LEN + 1]; /* "" = identical calls do not matter */
    rqi_buf after;               /* references separated by blanks; empty = none */
} rqi_args;

/* Checks everything about a spec and encodes its arguments. Free with rqi_args_done(). */
refq_err rqi_submit_check(const refq_spec *spec, rqi_args *ret, refq_error *err);
void rqi_args_done(rqi_args *args);

/* The word of a record; not for REFQ_REUSE_NONE. */
const char *rqi_reuse_name(refq_reuse reuse);

/* Adds one task to a command begun with RQI_FN("submit") and the count. All are borrowed until the
 * command is encoded. */
void rqi_submit_add(rqi_cmd *cmd, const refq_spec *spec, const rqi_args *args);

/* Reads one task's triple. REFQ_ERR_FULL when the queue took it not. */
refq_err rqi_submit_read(rqi_cursor *cur, const refq_spec *spec, refq_submitted *ret,
                         refq_error *err);

#endif
