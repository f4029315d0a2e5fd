/* SPDX-License-Identifier: MIT */
/* The metaschema of 2020-12 and its parts, for a "$ref" to them. */
#ifndef RQI_SCHEMA_METASCHEMA_H
#define RQI_SCHEMA_METASCHEMA_H

#include <refq/schema.h>

/* NULL for a URI that is none of them. */
const refq_schema_document *rqi_js_metaschema(const char *uri);

#endif
