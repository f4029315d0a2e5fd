/* SPDX-License-Identifier: MIT */
/* References in a call's arguments. */
#ifndef RQI_CALL_INPUTS_H
#define RQI_CALL_INPUTS_H

#include "call/content.h"

#include <refq/cache.h>

#include <jansson.h>

enum { RQI_INPUTS_MAX = RQI_CONTENT_MAX };

typedef struct rqi_inputs {
    size_t n;                       /* references that will be replaced by their values */
    refq_ref after[RQI_INPUTS_MAX]; /* tasks that have to be over before */
    size_t n_after;
    rqi_content content; /* borrows from the arguments; free it with rqi_content_done() */
} rqi_inputs;

/* True for text of the form of a reference: a letter, letters, digits, _ and -, a colon, and eight
 * or more lower-case hex digits. */
bool rqi_is_reference(const char *text, size_t len);

/* Finds the references in args and checks that the actor may use each: READ or EXECUTE. A text that
 * only looks like one (nothing is there, and its name is that of no queue and none of `known`) is a
 * text. `queue` is one that exists.
 * REFQ_ERR_NOTFOUND for one that leads nowhere or must not be used; REFQ_ERR_LIMIT for too many. */
refq_err rqi_inputs_check(refq_cache *cache, const char *queue, const char *const *known,
                          const json_t *args, const refq_actor *actor, rqi_inputs *ret,
                          refq_error *err);

#endif
