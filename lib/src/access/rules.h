/* SPDX-License-Identifier: MIT */
/*
 * The built-in rules.
 *
 * DESIGN. They are asked once for all permissions: the answer is what is granted, and the reason
 * for what is not. Checking one permission and listing all of them are then the same decision, so
 * they cannot differ (in mcp-refcache the list forgets the allow list).
 *
 *     1 deny list -> 2 bound session -> 3 namespace -> 4 allow list -> 5 owner -> 6 role
 *
 * The first rule that applies decides. Rules 1 to 3 hold for the system and the owner, too.
 */
#ifndef RQI_ACCESS_RULES_H
#define RQI_ACCESS_RULES_H

#include <refq/access.h>

typedef struct rqi_verdict {
    unsigned granted;    /* permissions */
    refq_denial lacking; /* why the others are not */
} rqi_verdict;

/* access may be NULL. All that is given must have been checked. */
rqi_verdict rqi_rules_decide(const refq_access *access, const refq_actor *actor,
                             const refq_policy *policy, const char *namespace_name);

/* REFQ_OK when the rules can be asked: actor, policy and namespace are well-formed. */
REFQ_MUST_USE refq_err rqi_rules_check(const refq_actor *actor, const refq_policy *policy,
                                       const char *namespace_name, refq_error *err);

#endif
