/* SPDX-License-Identifier: MIT */
#include "schema/schema.h"

#include "base/error.h"
#include "codec/json.h"
#include "schema/ref.h"
#include "schema/regex.h"
#include "schema/resource.h"
#include "schema/run.h"
#include "schema/uri.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_OF_FIRST_OPTIONS sizeof(refq_schema_options)

/* --- Lifetime --------------------------------------------------------------------------------- */

static void free_schema(refq_schema *schema)
{
    rqi_js_regex_free(schema->regexes);
    for (size_t i = 0; i < schema->n_documents; i++) {
        json_decref(schema->documents[i]);
    }
    free(schema->documents);
    rqi_arena_done(&schema->arena);
    free(schema);
}

refq_schema *refq_schema_ref(refq_schema *schema)
{
    atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
    return schema;
}

void refq_schema_unref(refq_schema *schema)
{
    if (schema != NULL && atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) == 1) {
        free_schema(schema);
    }
}

/* --- Compiling -------------------------------------------------------------------------------- */

static refq_err check_documents(const refq_schema_options *options, refq_error *err)
{
    if (options->n_documents > REFQ_SCHEMA_MAX_DOCUMENTS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%zu documents were handed over; at most %d may be",
                        options->n_documents, REFQ_SCHEMA_MAX_DOCUMENTS);
    }
    for (size_t i = 0; i < options->n_documents; i++) {
        const char *uri = options->documents[i].uri;
        if (uri == NULL || !rqi_js_uri_is_absolute(uri) || strchr(uri, '#') != NULL) {
            return rqi_fail(err, REFQ_ERR_INVALID,
                            "document %zu: its URI must be absolute and have no fragment", i);
        }
    }
    return REFQ_OK;
}

static refq_err check_options(const refq_schema_options *options, refq_error *err)
{
    if (options->struct_size < SIZE_OF_FIRST_OPTIONS) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "refq_schema_options.struct_size is %zu; set it to the struct's size",
                        options->struct_size);
    }
    if (options->base_uri != NULL && (!rqi_js_uri_is_absolute(options->base_uri) ||
                                      strlen(options->base_uri) > RQI_JS_URI_MAX)) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the base URI must be absolute and at most %d bytes",
                        RQI_JS_URI_MAX);
    }
    return check_documents(options, err);
}

static refq_err compile(rqi_js_compile *c, const char *json, size_t len)
{
    const refq_schema_options *options = c->options;
    const char *base = options->base_uri != NULL ? options->base_uri : "";
    rqi_js_resource *resource;
    refq_err rc = rqi_js_document_add(c, base, "", (refq_bytes){json, len}, &resource);
    if (rc == REFQ_OK) {
        c->schema->root = resource->node;
        rc = rqi_js_refs_resolve(c);
    }
    rqi_js_nodemap_done(&c->nodes);
    return rc;
}

refq_err refq_schema_compile(const char *json, size_t len, const refq_schema_options *options,
                             refq_schema **ret, refq_error *err)
{
    static const refq_schema_options defaults = {.struct_size = sizeof defaults};
    refq_error ignored;
    rqi_js_compile c = {.options = options != NULL ? options : &defaults,
                        .err = err != NULL ? err : &ignored};
    refq_err rc = check_options(c.options, c.err);
    if (rc != REFQ_OK) {
        return rc;
    }
    c.schema = calloc(1, sizeof *c.schema);
    if (c.schema == NULL) {
        return rqi_js_compile_nomem(&c);
    }
    atomic_init(&c.schema->refs, 1);
    c.schema->max_steps = c.options->max_steps != 0 ? c.options->max_steps : REFQ_SCHEMA_MAX_STEPS;
    c.schema->assert_formats = c.options->assert_formats;
    rc = compile(&c, json, len);
    if (rc != REFQ_OK) {
        free_schema(c.schema);
        return rc;
    }
    *ret = c.schema;
    return REFQ_OK;
}

/* --- Validating ------------------------------------------------------------------------------- */

static bool ignore(void *arg, const refq_schema_violation *violation)
{
    (void)arg;
    (void)violation;
    return false;
}

refq_err refq_schema_validate(const refq_schema *schema, const char *json, size_t len,
                              refq_error *err)
{
    return refq_schema_explain(schema, json, len, 1, ignore, NULL, err);
}

refq_err refq_schema_explain(const refq_schema *schema, const char *json, size_t len, size_t max,
                             refq_schema_on_violation on, void *arg, refq_error *err)
{
    json_t *value;
    refq_err rc = rqi_json_load_any(json, len, REFQ_SCHEMA_INSTANCE_BYTES,
                                    REFQ_SCHEMA_INSTANCE_DEPTH, &value, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rc = rqi_js_validate(schema, value, max > 0 ? max : 1, on, arg, err);
    json_decref(value);
    return rc;
}
