/* SPDX-License-Identifier: MIT */
/*
 * Rules for what people write.
 *
 * DESIGN. In what other programs have stored, a member that is not known comes from a newer writer,
 * and a name that nobody has may be had tomorrow. In a task file or on a command line both are
 * slips, and a slip in a policy opens what it was meant to close. So these are refused here, and
 * nowhere else.
 */
#ifndef RQI_ACCESS_STRICT_H
#define RQI_ACCESS_STRICT_H

#include <refq/access.h>

/* A policy's JSON. whole: it may name the owner and the session, too. Free *ret with
 * refq_policy_free(). */
REFQ_MUST_USE refq_err rqi_strict_policy(const char *json, bool whole, refq_policy **ret,
                                         refq_error *err);

/* A template: no {name} that is nearly one of the built-in names, no brace without its partner. */
REFQ_MUST_USE refq_err rqi_strict_template(const char *text, refq_error *err);

/* A namespace that somebody may enter. */
REFQ_MUST_USE refq_err rqi_strict_namespace(const char *text, refq_error *err);

/* An owner that somebody is. */
REFQ_MUST_USE refq_err rqi_strict_owner(const char *text, refq_error *err);

#endif
