/* SPDX-License-Identifier: MIT */
/*
 * What "$schema" says.
 *
 * DESIGN. Without "$schema" a schema is one of 2020-12. Many generators write draft-07 or 2019-09
 * into schemas that mean the same in 2020-12, so drafts 06, 07 and 2019-09 are read as 2020-12, but
 * what means something else there (an array as "items", "additionalItems", "$recursiveRef", a
 * "$ref" that silences its neighbours) is an error that says what to write instead. Other dialects
 * are refused, unless their metaschema was handed over: then its "$vocabulary" decides which
 * keywords hold.
 */
#ifndef RQI_SCHEMA_DIALECT_H
#define RQI_SCHEMA_DIALECT_H

#include "schema/compile.h"

/* The vocabularies of 2020-12. */
unsigned rqi_js_dialect_default(void);

/* Reads the "$schema" of a resource's root, if it has one. */
REFQ_MUST_USE refq_err rqi_js_dialect_read(rqi_js_compile *c, rqi_js_resource *resource,
                                           const json_t *schema, const rqi_js_place *place);

/* Refuses what an older draft means differently. */
REFQ_MUST_USE refq_err rqi_js_dialect_check(rqi_js_compile *c, const rqi_js_site *site);

#endif
