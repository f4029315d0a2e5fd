/* SPDX-License-Identifier: MIT */
/* $ref and $dynamicRef. */
#ifndef RQI_SCHEMA_REF_H
#define RQI_SCHEMA_REF_H

#include "schema/compile.h"

/* Looks up all targets that are still open, which may load documents with references of their own.
 */
REFQ_MUST_USE refq_err rqi_js_refs_resolve(rqi_js_compile *c);

#endif
