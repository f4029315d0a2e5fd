/* SPDX-License-Identifier: MIT */
/* Names of members that must be there. */
#ifndef RQI_SCHEMA_OBJECT_H
#define RQI_SCHEMA_OBJECT_H

#include "schema/compile.h"
#include "schema/run.h"

typedef struct rqi_js_names {
    const json_t *list; /* array of strings */
    const char *when;   /* only when this member is there */
    size_t when_len;
} rqi_js_names;

/* Refuses what is no array of strings. */
refq_err rqi_js_names_check(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                            const json_t *value);

/* True when the object has all of the list; reports each that is missing, as far as more than one
 * is wanted. because: the member that asks for them; NULL = they are always needed. */
bool rqi_js_names_eval(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       const json_t *list, const rqi_js_names *because);

#endif
