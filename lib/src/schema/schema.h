/* SPDX-License-Identifier: MIT */
/*
 * A compiled schema, as the files of this folder see it.
 *
 * DESIGN. A schema document is turned into nodes, one for each subschema; a node is a list of
 * checks, one for each keyword that can fail, in the order in which they are best evaluated. What a
 * keyword does is a row of a table (keyword.h): how it is compiled, how it is evaluated, how its
 * failure is put into words. "$ref" points to its node directly, so validation knows no URIs. All
 * memory has the lifetime of the schema (base/arena.h) and is never written after compilation,
 * which is what makes a schema shareable between threads; texts and constants stay in the jansson
 * trees they came in, of which only readers are used.
 */
#ifndef RQI_SCHEMA_SCHEMA_H
#define RQI_SCHEMA_SCHEMA_H

#include "base/arena.h"
#include "schema/place.h"

#include <refq/schema.h>

#include <jansson.h>

#include <stdatomic.h>

typedef struct rqi_js_node rqi_js_node;
typedef struct rqi_js_check rqi_js_check;
typedef struct rqi_js_resource rqi_js_resource;
typedef struct rqi_js_keyword rqi_js_keyword;

/* What a schema's "$schema" means. */
typedef struct rqi_js_dialect {
    unsigned vocabularies; /* bits RQI_JS_... of keyword.h */
    const char *old;       /* name of the older draft it claims to be; NULL = 2020-12 */
    bool lone_ref;         /* of a draft in which "$ref" silences its neighbours */
} rqi_js_dialect;

/* A name within a resource. */
typedef struct rqi_js_anchor {
    struct rqi_js_anchor *next;
    const char *name;
    const rqi_js_node *node;
    bool dynamic;
} rqi_js_anchor;

/* A schema document, or a part of one with a "$id" of its own. */
struct rqi_js_resource {
    rqi_js_resource *next;
    const char *uri;      /* absolute, or "" */
    const char *document; /* URI of the document it is in; "" = the schema itself */
    const json_t *root;
    const rqi_js_node *node; /* of root */
    const rqi_js_place *place;
    rqi_js_anchor *anchors;
    rqi_js_dialect dialect;
};

/* One keyword of a node. */
struct rqi_js_check {
    const rqi_js_keyword *keyword;
    const rqi_js_node *owner;
    union {
        uint64_t count;
        unsigned types;          /* bits of type.h */
        const json_t *value;     /* borrowed from the document */
        const rqi_js_node *node; /* one subschema */
        const void *data;        /* what the keyword's file says */
    };
};

struct rqi_js_node {
    const rqi_js_resource *resource;
    const rqi_js_place *place; /* in its document */
    rqi_js_check *checks;
    size_t n_checks;
    enum { RQI_JS_NEVER, RQI_JS_ALWAYS, RQI_JS_CHECKED } verdict;
    bool wants_marks; /* has an unevaluated... keyword */
};

/* A list of subschemas. */
typedef struct rqi_js_nodes {
    const rqi_js_node **items;
    size_t n;
} rqi_js_nodes;

struct refq_schema {
    atomic_uint refs;
    rqi_arena arena;
    json_t **documents; /* owned */
    size_t n_documents;
    struct rqi_js_regex *regexes; /* owned list */
    rqi_js_resource *resources;
    const rqi_js_node *root;
    uint64_t max_steps;
    bool assert_formats;
};

#endif
