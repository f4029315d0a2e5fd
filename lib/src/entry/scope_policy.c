/* SPDX-License-Identifier: MIT */
#include "entry/scope_policy.h"

#include <string.h>

refq_err rqi_scope_policy_read(const refq_scope *scope, rqi_scope_policy *ret, refq_error *err)
{
    const char *json = scope->policy != NULL ? scope->policy : "{}";
    refq_policy *read = NULL;
    refq_err rc = refq_policy_parse(json, strlen(json), &read, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    *ret = (rqi_scope_policy){.policy = *read,
                              .namespace_name =
                                  scope->namespace_name != NULL ? scope->namespace_name : "public",
                              .read = read};
    ret->policy.owner = scope->owner;
    ret->policy.bound_session = scope->session;
    return REFQ_OK;
}

void rqi_scope_policy_done(rqi_scope_policy *p)
{
    refq_policy_free(p->read);
    *p = (rqi_scope_policy){0};
}
