/* SPDX-License-Identifier: MIT */
/*
 * The scope of a task: whose its result will be, and who submitted it.
 *
 * DESIGN. A scope is seven texts under the names they have in a record, and most
 * tasks have none of them. So it is dealt with by name everywhere: a loop over
 * rqi_scope_at() writes it into a call or a snapshot, and adding an eighth is
 * one line of a table.
 */
#ifndef RQI_TASK_SCOPE_H
#define RQI_TASK_SCOPE_H

#include <refq/access.h>
#include <refq/task.h>

#include <stdbool.h>

#define RQI_SCOPE_TEXT_MAX  REFQ_ACCESS_NAME_MAX /* bytes in each text but the next two */
#define RQI_POLICY_MAX      ((size_t)16 << 10)   /* bytes in the policy */
#define RQI_INPUT_NAMES_MAX ((size_t)4 << 10)    /* bytes in the names of inputs */
#define RQI_SCOPE_FIELDS    7

/* An owned copy; its texts are NULL when they are not set. Zeroed = a scope without any. */
typedef struct rqi_scope {
    refq_scope pub;
    char *block; /* owned: all its texts */
} rqi_scope;

/* Checks what a caller gave; NULL is fine. */
refq_err rqi_scope_check(const refq_scope *scope, refq_error *err);

/* Copies it. A namespace of "public" is the default, and so is left out. NULL = none. */
refq_err rqi_scope_copy(const refq_scope *scope, rqi_scope *ret, refq_error *err);

/* Reads what a claim hands out: a JSON object of texts, or nothing at all. What it does not know is
 * passed over; what it knows has to be as rqi_scope_check() wants it. */
refq_err rqi_scope_read(refq_bytes json, rqi_scope *ret, refq_error *err);

void rqi_scope_done(rqi_scope *scope);

/* Text i of a scope and its name in a record; the text is NULL when it is not set. False past the
 * end. */
bool rqi_scope_at(const refq_scope *scope, unsigned i, const char **ret_name,
                  const char **ret_text);

#endif
