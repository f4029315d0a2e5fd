/* SPDX-License-Identifier: MIT */
#include "schema/resource.h"

#include "base/error.h"
#include "codec/json.h"
#include "schema/dialect.h"
#include "schema/metaschema.h"
#include "schema/uri.h"

#include <string.h>

/* --- Resources -------------------------------------------------------------------------------- */

static rqi_js_resource *look_up(const rqi_js_compile *c, const char *uri)
{
    rqi_js_resource *r = c->schema->resources;
    while (r != NULL && strcmp(r->uri, uri) != 0) {
        r = r->next;
    }
    return r;
}

/* One that has a place and perhaps a dialect to start from; the caller fills in the rest. */
static refq_err add_resource(rqi_js_compile *c, const char *uri, const json_t *root,
                             const rqi_js_resource *start, const rqi_js_place *place,
                             rqi_js_resource **ret)
{
    if (++c->n_resources > RQI_JS_MAX_RESOURCES) {
        return rqi_js_compile_fail_at(c, start, place, REFQ_ERR_LIMIT,
                                      "more than %d schemas have a \"$id\"", RQI_JS_MAX_RESOURCES);
    }
    rqi_js_resource *r = rqi_js_alloc(c, 1, sizeof *r);
    char *copy = rqi_arena_copy(&c->schema->arena, uri, strlen(uri));
    if (r == NULL || copy == NULL) {
        return rqi_js_compile_nomem(c);
    }
    *r = (rqi_js_resource){.next = c->schema->resources,
                           .uri = copy,
                           .document = start->document,
                           .root = root,
                           .place = place,
                           .dialect = start->dialect};
    c->schema->resources = r;
    *ret = r;
    return REFQ_OK;
}

static refq_err bad_id(rqi_js_compile *c, const rqi_js_resource *in, const rqi_js_place *place,
                       const char *why)
{
    const rqi_js_place at = {.up = place, .key = "$id", .key_len = 3};
    return rqi_js_compile_fail_at(c, in, &at, REFQ_ERR_INVALID, "%s", why);
}

/* Makes the absolute URI of a "$id"; an empty fragment is allowed. */
static refq_err read_id(rqi_js_compile *c, const json_t *id, const rqi_js_resource *in,
                        const rqi_js_place *place, rqi_buf *out)
{
    const char *text = json_string_value(id);
    if (text == NULL) {
        return bad_id(c, in, place, "expected a URI as a string");
    }
    if (strlen(text) != json_string_length(id) || !rqi_js_uri_resolve(in->uri, text, out)) {
        return bad_id(c, in, place, "this is no URI of at most 2048 bytes");
    }
    const char *fragment = rqi_js_uri_cut_fragment(out);
    if (fragment != NULL && fragment[0] != '\0') {
        return bad_id(c, in, place, "expected a URI without a fragment; a name is an \"$anchor\"");
    }
    return REFQ_OK;
}

refq_err rqi_js_resource_enter(rqi_js_compile *c, const json_t *schema, const rqi_js_place *place,
                               rqi_js_resource **resource)
{
    const json_t *id = json_object_get(schema, "$id");
    rqi_js_resource *in = *resource;
    bool is_root = in->root == schema;
    rqi_buf uri = rqi_buf_make(RQI_JS_URI_MAX + 1);
    refq_err rc = REFQ_OK;
    if (id != NULL) {
        rc = read_id(c, id, in, place, &uri);
    }
    const rqi_js_resource *known = id != NULL ? look_up(c, rqi_buf_str(&uri)) : NULL;
    if (rc == REFQ_OK && known != NULL && !(is_root && known == in)) {
        rc = bad_id(c, in, place, "another schema has this \"$id\" already");
    }
    if (rc == REFQ_OK && id != NULL && known == NULL) {
        rc = add_resource(c, rqi_buf_str(&uri), schema, in, place, resource);
    }
    rqi_buf_done(&uri);
    if (rc != REFQ_OK || (*resource)->root != schema) {
        return rc;
    }
    return rqi_js_dialect_read(c, *resource, schema, place);
}

/* --- Anchors ---------------------------------------------------------------------------------- */

const rqi_js_anchor *rqi_js_anchor_find(const rqi_js_resource *resource, const char *name)
{
    const rqi_js_anchor *anchor = resource->anchors;
    while (anchor != NULL && strcmp(anchor->name, name) != 0) {
        anchor = anchor->next;
    }
    return anchor;
}

/* A letter or '_', then letters, digits, '-', '_' and '.'. */
static bool is_anchor(const char *text)
{
    static const char later[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789-.";
    return strspn(text, later) == strlen(text) && text[0] != '\0' &&
           strchr("0123456789-.", text[0]) == NULL;
}

static refq_err add_anchor(rqi_js_compile *c, const rqi_js_site *site, const char *keyword)
{
    const json_t *value = json_object_get(site->schema, keyword);
    if (value == NULL) {
        return REFQ_OK;
    }
    const char *name = json_string_value(value);
    if (name == NULL || strlen(name) != json_string_length(value) || !is_anchor(name)) {
        return rqi_js_compile_expected(c, site, keyword, "a name such as \"item\"", value);
    }
    const rqi_js_anchor *known = rqi_js_anchor_find(site->resource, name);
    if (known != NULL && known->node != site->node) {
        return rqi_js_compile_fail(c, site, keyword, REFQ_ERR_INVALID,
                                   "the name '%.60s' is taken by another subschema", name);
    }
    if (++c->n_anchors > RQI_JS_MAX_ANCHORS) {
        return rqi_js_compile_fail(c, site, keyword, REFQ_ERR_LIMIT, "more than %d anchors",
                                   RQI_JS_MAX_ANCHORS);
    }
    rqi_js_anchor *anchor = rqi_js_alloc(c, 1, sizeof *anchor);
    if (anchor == NULL) {
        return rqi_js_compile_nomem(c);
    }
    *anchor = (rqi_js_anchor){site->resource->anchors, name, site->node, keyword[1] == 'd'};
    site->resource->anchors = anchor;
    return REFQ_OK;
}

/* The dynamic one last, so that it is found first when both have the same name. */
refq_err rqi_js_anchors_add(rqi_js_compile *c, const rqi_js_site *site)
{
    refq_err rc = add_anchor(c, site, "$anchor");
    return rc == REFQ_OK ? add_anchor(c, site, "$dynamicAnchor") : rc;
}

/* --- Documents -------------------------------------------------------------------------------- */

static refq_err load(rqi_js_compile *c, const char *name, refq_bytes text, json_t **ret)
{
    c->bytes += text.len;
    if (c->bytes > REFQ_SCHEMA_MAX_BYTES) {
        return rqi_fail(c->err, REFQ_ERR_LIMIT,
                        "schema%s%.100s: together with what it refers to it has %zu bytes; at most "
                        "%zu bytes are allowed",
                        name[0] != '\0' ? " " : "", name, c->bytes, REFQ_SCHEMA_MAX_BYTES);
    }
    refq_err rc = rqi_json_load_any(text.ptr, text.len, REFQ_SCHEMA_MAX_BYTES,
                                    REFQ_SCHEMA_MAX_DEPTH, ret, c->err);
    if (rc != REFQ_OK) {
        return rqi_fail_in(c->err, rc, "schema%s%.100s", name[0] != '\0' ? " " : "", name);
    }
    return REFQ_OK;
}

/* Hands the tree over to the schema. */
static refq_err keep(rqi_js_compile *c, json_t *json)
{
    refq_schema *s = c->schema;
    json_t **more = reallocarray(s->documents, s->n_documents + 1, sizeof(json_t *));
    if (more == NULL) {
        json_decref(json);
        return rqi_js_compile_nomem(c);
    }
    s->documents = more;
    s->documents[s->n_documents++] = json;
    return REFQ_OK;
}

refq_err rqi_js_document_add(rqi_js_compile *c, const char *uri, const char *name, refq_bytes text,
                             rqi_js_resource **ret)
{
    json_t *json;
    refq_err rc = load(c, name, text, &json);
    if (rc == REFQ_OK) {
        rc = keep(c, json);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    char *document = rqi_arena_copy(&c->schema->arena, name, strlen(name));
    rqi_js_place *root = rqi_js_alloc(c, 1, sizeof *root);
    if (document == NULL || root == NULL) {
        return rqi_js_compile_nomem(c);
    }
    const rqi_js_resource start = {.document = document,
                                   .dialect = {.vocabularies = rqi_js_dialect_default()}};
    rqi_js_resource *r;
    rc = add_resource(c, uri, json, &start, root, &r);
    if (rc != REFQ_OK) {
        return rc;
    }
    const rqi_js_node *node;
    rc = rqi_js_compile_node(c, r, json, root, &node);
    r->node = node;
    *ret = r;
    return rc;
}

static const refq_schema_document *handed_over(const rqi_js_compile *c, const char *uri)
{
    for (size_t i = 0; i < c->options->n_documents; i++) {
        const refq_schema_document *document = &c->options->documents[i];
        if (strcmp(document->uri, uri) == 0) {
            return document;
        }
    }
    return rqi_js_metaschema(uri);
}

refq_err rqi_js_resource_find(rqi_js_compile *c, const char *uri, rqi_js_resource **ret)
{
    *ret = look_up(c, uri);
    if (*ret != NULL) {
        return REFQ_OK;
    }
    const refq_schema_document *document = handed_over(c, uri);
    return document == NULL ? REFQ_OK
                            : rqi_js_document_add(c, uri, document->uri, document->json, ret);
}
