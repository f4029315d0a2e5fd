/* SPDX-License-Identifier: MIT */
/* Keywords whose value is a count: minLength, maxItems and the like. */
#ifndef RQI_SCHEMA_COUNT_H
#define RQI_SCHEMA_COUNT_H

#include "schema/keyword.h"

/* Reads a count into ret->count: a whole number from 0 on. */
refq_err rqi_js_compile_count(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                              rqi_js_check *ret);

/* The same for a keyword that another one reads. */
refq_err rqi_js_read_count(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                           const json_t *value, uint64_t *ret);

#endif
