/* SPDX-License-Identifier: MIT */
/* All that an actor may do with a value: the sum of what a check would allow, bit by bit, so that
 * it is right for a program's own checker as well. */
#include "access/check.h"
#include "access/rules.h"

unsigned refq_access_permissions(const refq_access *access, const refq_actor *actor,
                                 const refq_policy *policy, const char *namespace_name)
{
    if (rqi_rules_check(actor, policy, namespace_name, NULL) != REFQ_OK) {
        return REFQ_PERM_NONE;
    }
    if (access == NULL || access->check == NULL) {
        return rqi_rules_decide(access, actor, policy, namespace_name).granted;
    }
    unsigned granted = REFQ_PERM_NONE;
    for (unsigned bit = REFQ_READ; bit <= REFQ_EXECUTE; bit <<= 1) {
        refq_denial denial = rqi_access_ask(access, actor, policy, namespace_name, bit);
        granted |= denial == REFQ_DENIAL_NONE ? bit : 0;
    }
    return granted;
}
