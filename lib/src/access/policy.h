/* SPDX-License-Identifier: MIT */
/* What a usable policy is, and its JSON. */
#ifndef RQI_ACCESS_POLICY_H
#define RQI_ACCESS_POLICY_H

#include "base/buf.h"

#include <refq/access.h>

/* REFQ_OK when the policy may be used and written: permissions of 0..31, texts that are names,
 * lists within their bounds, JSON of at most REFQ_POLICY_BYTES. */
REFQ_MUST_USE refq_err rqi_policy_check(const refq_policy *policy, refq_error *err);

/* Appends the JSON of a policy that rqi_policy_check() took. */
void rqi_policy_write(const refq_policy *policy, rqi_buf *out);

/* Appends, to an empty buffer, what a task's scope holds of it: the permissions and lists that are
 * not the default policy's. "{}" when all are. */
void rqi_policy_write_own(const refq_policy *policy, rqi_buf *out);

#endif
