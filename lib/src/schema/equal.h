/* SPDX-License-Identifier: MIT */
/* Equality as JSON Schema has it: 1 equals 1.0, the order of members does not matter, false is not
 * 0. */
#ifndef RQI_SCHEMA_EQUAL_H
#define RQI_SCHEMA_EQUAL_H

#include "schema/run.h"

/* Both spend steps of the run (NULL: of nobody); once it has stopped, the answers mean nothing. */
bool rqi_js_equal(rqi_js_run *run, const json_t *a, const json_t *b);

/* Equal values have equal hashes. */
uint64_t rqi_js_hash(rqi_js_run *run, const json_t *value);

#endif
