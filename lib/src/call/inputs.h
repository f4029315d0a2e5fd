/* SPDX-License-Identifier: MIT */
/* References in a call's arguments. */
#ifndef RQI_CALL_INPUTS_H
#define RQI_CALL_INPUTS_H

#include "base/buf.h"
#include "call/content.h"

#include <refq/cache.h>

#include <jansson.h>

enum { RQI_INPUTS_MAX = RQI_CONTENT_MAX };

#define RQI_INPUT_NAMES_BYTES ((size_t)4 << 10) /* what a scope takes: task.h */

typedef struct rqi_inputs {
    size_t n;                       /* references that will be replaced by their values */
    refq_ref after[RQI_INPUTS_MAX]; /* tasks that have to be over before */
    size_t n_after;
    rqi_content content; /* borrows from the arguments; free it with rqi_content_done() */
    rqi_buf names;       /* of all of them, one blank between two; done by the caller */
} rqi_inputs;

/* Finds the references in args and checks that the actor may use each: READ or EXECUTE. A text that
 * only looks like one (nothing is there, and its name is that of no queue and none of `known`) is a
 * text. `queue` is one that exists.
 * REFQ_ERR_NOTFOUND for one that leads nowhere or must not be used; REFQ_ERR_LIMIT for too many. */
refq_err rqi_inputs_check(refq_cache *cache, const char *queue, const char *const *known,
                          const json_t *args, const refq_actor *actor, rqi_inputs *ret,
                          refq_error *err);

#endif
