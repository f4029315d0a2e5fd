/* SPDX-License-Identifier: MIT */
/* Types of JSON values as sets of bits. */
#ifndef RQI_SCHEMA_TYPE_H
#define RQI_SCHEMA_TYPE_H

#include "schema/schema.h"

#define RQI_JS_NULL    1u
#define RQI_JS_BOOLEAN 2u
#define RQI_JS_INTEGER 4u /* a number, too */
#define RQI_JS_NUMBER  8u
#define RQI_JS_STRING  16u
#define RQI_JS_ARRAY   32u
#define RQI_JS_OBJECT  64u

unsigned rqi_js_type_of(const json_t *value);

/* "integer", "string or null" */
void rqi_js_type_write(rqi_buf *out, unsigned types);

/* True for the check of "type". */
bool rqi_js_type_is_check(const rqi_js_check *check);

#endif
