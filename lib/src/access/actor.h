/* SPDX-License-Identifier: MIT */
/* Who asks, inside the library: what a usable actor is, and lists of patterns. */
#ifndef RQI_ACCESS_ACTOR_H
#define RQI_ACCESS_ACTOR_H

#include <refq/access.h>

/* REFQ_OK when the actor may be used: its type exists, its texts are names. */
REFQ_MUST_USE refq_err rqi_actor_check(const refq_actor *actor, refq_error *err);

/* "User", "Agent", "System", as sentences begin. */
const char *rqi_actor_title(const refq_actor *actor);

/* True when one of n patterns means the actor. */
bool rqi_actor_listed(const refq_actor *actor, const char *const *patterns, size_t n);

#endif
