/* SPDX-License-Identifier: MIT */
/* Documents and the names in them: "$id", "$anchor", "$dynamicAnchor". */
#ifndef RQI_SCHEMA_RESOURCE_H
#define RQI_SCHEMA_RESOURCE_H

#include "schema/compile.h"

/* Loads and compiles a document, once. `uri` is copied. */
REFQ_MUST_USE refq_err rqi_js_document_add(rqi_js_compile *c, const char *uri, const char *name,
                                           refq_bytes text, rqi_js_resource **ret);

/* What a URI without fragment names: a part of what is loaded, or a document that was handed over
 * or comes with the library, which is loaded now. *ret is NULL when nobody knows it. */
REFQ_MUST_USE refq_err rqi_js_resource_find(rqi_js_compile *c, const char *uri,
                                            rqi_js_resource **ret);

/* The resource that a schema object belongs to: a new one when it has a "$id". *resource is what it
 * stands in. */
REFQ_MUST_USE refq_err rqi_js_resource_enter(rqi_js_compile *c, const json_t *schema,
                                             const rqi_js_place *place, rqi_js_resource **resource);

/* Notes the names that the site's node has in its resource. */
REFQ_MUST_USE refq_err rqi_js_anchors_add(rqi_js_compile *c, const rqi_js_site *site);

/* The node of that name; NULL when there is none. */
const rqi_js_anchor *rqi_js_anchor_find(const rqi_js_resource *resource, const char *name);

#endif
