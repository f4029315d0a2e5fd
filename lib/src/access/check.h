/* SPDX-License-Identifier: MIT */
/* One question to whoever decides: the program's own checker, or the built-in rules. */
#ifndef RQI_ACCESS_CHECK_H
#define RQI_ACCESS_CHECK_H

#include <refq/access.h>

/* access may be NULL. All that is given must have been checked; wanted is not 0. */
refq_denial rqi_access_ask(const refq_access *access, const refq_actor *actor,
                           const refq_policy *policy, const char *namespace_name, unsigned wanted);

#endif
