/* SPDX-License-Identifier: MIT */
/* The policy that a task's result will have, from the task's scope. */
#ifndef RQI_ENTRY_SCOPE_POLICY_H
#define RQI_ENTRY_SCOPE_POLICY_H

#include <refq/access.h>

typedef struct rqi_scope_policy {
    refq_policy policy;         /* borrows from the scope, too */
    const char *namespace_name; /* borrowed from the scope */
    refq_policy *read;          /* owned */
} rqi_scope_policy;

/* Free *ret with rqi_scope_policy_done(). REFQ_ERR_INVALID, REFQ_ERR_LIMIT, REFQ_ERR_NOMEM. */
REFQ_MUST_USE refq_err rqi_scope_policy_read(const refq_scope *scope, rqi_scope_policy *ret,
                                             refq_error *err);
void rqi_scope_policy_done(rqi_scope_policy *p);

#endif
