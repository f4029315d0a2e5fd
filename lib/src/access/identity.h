/* SPDX-License-Identifier: MIT */
/* What an identity holds, by name. */
#ifndef RQI_ACCESS_IDENTITY_H
#define RQI_ACCESS_IDENTITY_H

#include "base/buf.h"

#include <refq/access.h>

/* REFQ_OK when names and values are within their bounds and valid. identity may be NULL. */
REFQ_MUST_USE refq_err rqi_identity_check(const refq_identity *identity, refq_error *err);

/* The value called so, as it is; NULL when it is not known. */
const char *rqi_identity_value(const refq_identity *identity, refq_bytes name);

/* What stands for a value that is not known. */
const char *rqi_identity_fallback(refq_bytes name);

/* Appends a value so that it is one level of a namespace and one id. */
void rqi_identity_escape(rqi_buf *out, const char *value);

/* The length of a name at the start of text; 0 when there is none. */
size_t rqi_identity_name(const char *text);

#endif
