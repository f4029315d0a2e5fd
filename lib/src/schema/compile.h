/* SPDX-License-Identifier: MIT */
/* What the keywords' files need to compile themselves. */
#ifndef RQI_SCHEMA_COMPILE_H
#define RQI_SCHEMA_COMPILE_H

#include "schema/nodemap.h"
#include "schema/schema.h"

#define RQI_JS_MAX_RESOURCES 512
#define RQI_JS_MAX_ANCHORS   1024

/* A "$ref" or "$dynamicRef" whose target is looked up once all names are known. */
typedef struct rqi_js_pending {
    struct rqi_js_pending *next;
    const rqi_js_resource *resource; /* where it stands */
    const rqi_js_place *place;       /* of the keyword */
    const char *text;
    struct rqi_js_link *link; /* what to fill in */
} rqi_js_pending;

typedef struct rqi_js_compile {
    refq_schema *schema;
    const refq_schema_options *options; /* never NULL */
    refq_error *err;
    rqi_js_nodemap nodes;
    rqi_js_pending *pending; /* in the order they were met */
    rqi_js_pending *pending_end;
    size_t n_nodes;
    size_t n_resources;
    size_t n_anchors;
    size_t bytes;       /* of all documents */
    size_t regex_bytes; /* of all compiled patterns */
} rqi_js_compile;

/* The schema object a keyword stands in. */
typedef struct rqi_js_site {
    const json_t *schema;
    rqi_js_node *node;
    rqi_js_resource *resource;
} rqi_js_site;

/* --- Nodes ------------------------------------------------------------------------------------ */

/* Compiles the subschema `value`, which stands at `place` (kept). What is compiled already is found
 * again. */
REFQ_MUST_USE refq_err rqi_js_compile_node(rqi_js_compile *c, rqi_js_resource *resource,
                                           const json_t *value, const rqi_js_place *place,
                                           const rqi_js_node **ret);

/* The subschema that is the value of a keyword; the subschemas in a keyword's array, which must not
 * be empty; those in a keyword's object, in its order. */
REFQ_MUST_USE refq_err rqi_js_compile_sub(rqi_js_compile *c, const rqi_js_site *site,
                                          const char *keyword, const json_t *value,
                                          const rqi_js_node **ret);
REFQ_MUST_USE refq_err rqi_js_compile_list(rqi_js_compile *c, const rqi_js_site *site,
                                           const char *keyword, const json_t *value,
                                           rqi_js_nodes *ret);
REFQ_MUST_USE refq_err rqi_js_compile_map(rqi_js_compile *c, const rqi_js_site *site,
                                          const char *keyword, const json_t *value,
                                          rqi_js_nodes *ret);

/* --- Errors and memory ------------------------------------------------------------------------ */

/* Says what is wrong with the keyword (NULL: with the schema that has it), and where it is. */
refq_err rqi_js_compile_fail(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                             refq_err code, const char *fmt, ...) REFQ_PRINTF(5, 6);
refq_err rqi_js_compile_fail_at(rqi_js_compile *c, const rqi_js_resource *resource,
                                const rqi_js_place *place, refq_err code, const char *fmt, ...)
    REFQ_PRINTF(5, 6);

/* "expected WANT, found ..." */
refq_err rqi_js_compile_expected(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                                 const char *want, const json_t *found);
refq_err rqi_js_compile_nomem(rqi_js_compile *c);

/* These live as long as the schema; NULL when out of memory. The place has one step more. */
void *rqi_js_alloc(rqi_js_compile *c, size_t n, size_t size);
const rqi_js_place *rqi_js_step_key(rqi_js_compile *c, const rqi_js_place *up, const char *key,
                                    size_t len);
const rqi_js_place *rqi_js_step_index(rqi_js_compile *c, const rqi_js_place *up, size_t index);

#endif
