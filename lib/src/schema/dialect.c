/* SPDX-License-Identifier: MIT */
#include "schema/dialect.h"

#include "schema/keyword.h"
#include "schema/resource.h"

#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define SPEC    "https://json-schema.org/draft/2020-12/"

static const struct old_draft {
    const char *uri;
    const char *name;
    bool lone_ref;
} old_drafts[] = {
    {"http://json-schema.org/draft-06/schema", "draft-06", true},
    {"http://json-schema.org/draft-07/schema", "draft-07", true},
    {"https://json-schema.org/draft-07/schema", "draft-07", true},
    {"https://json-schema.org/draft/2019-09/schema", "2019-09", false},
};

static const struct vocabulary {
    const char *uri;
    unsigned bit;
} vocabularies[] = {
    {SPEC "vocab/core", RQI_JS_CORE},
    {SPEC "vocab/applicator", RQI_JS_APPLICATOR},
    {SPEC "vocab/unevaluated", RQI_JS_UNEVALUATED},
    {SPEC "vocab/validation", RQI_JS_VALIDATION},
    {SPEC "vocab/meta-data", RQI_JS_META_DATA},
    {SPEC "vocab/format-annotation", RQI_JS_FORMAT_ANNOTATE},
    {SPEC "vocab/format-assertion", RQI_JS_FORMAT_ASSERT},
    {SPEC "vocab/content", RQI_JS_CONTENT},
};

/* Keywords that 2020-12 gave up. */
static const struct given_up {
    const char *name;
    const char *instead;
} given_up[] = {
    {"additionalItems", "'items' beside 'prefixItems'"},
    {"$recursiveRef", "'$dynamicRef'"},
};

unsigned rqi_js_dialect_default(void)
{
    return RQI_JS_ALL_VOCABULARIES;
}

/* The place of "$schema" itself. */
static rqi_js_place below(const rqi_js_place *place)
{
    return (rqi_js_place){.up = place, .key = "$schema", .key_len = 7};
}

static unsigned bit_of(const char *uri)
{
    for (size_t i = 0; i < N_OF(vocabularies); i++) {
        if (strcmp(uri, vocabularies[i].uri) == 0) {
            return vocabularies[i].bit;
        }
    }
    return 0;
}

/* The vocabularies that a metaschema of somebody's own asks for. */
static refq_err read_vocabularies(rqi_js_compile *c, rqi_js_resource *r, const json_t *metaschema,
                                  const rqi_js_place *place)
{
    json_t *wanted = json_object_get(metaschema, "$vocabulary");
    if (wanted == NULL) {
        r->dialect = (rqi_js_dialect){.vocabularies = RQI_JS_ALL_VOCABULARIES};
        return REFQ_OK;
    }
    unsigned bits = RQI_JS_CORE;
    const char *uri;
    json_t *required;
    json_object_foreach(wanted, uri, required)
    {
        unsigned bit = bit_of(uri);
        if (bit == 0 && json_is_true(required)) {
            const rqi_js_place at = below(place);
            return rqi_js_compile_fail_at(
                c, r, &at, REFQ_ERR_UNSUPPORTED,
                "the dialect needs the vocabulary '%.100s', which is not known here", uri);
        }
        bits |= bit;
    }
    r->dialect = (rqi_js_dialect){.vocabularies = bits};
    return REFQ_OK;
}

static bool is_old(const char *uri, rqi_js_dialect *ret)
{
    for (size_t i = 0; i < N_OF(old_drafts); i++) {
        if (strcmp(uri, old_drafts[i].uri) == 0) {
            *ret = (rqi_js_dialect){.vocabularies = RQI_JS_ALL_VOCABULARIES,
                                    .old = old_drafts[i].name,
                                    .lone_ref = old_drafts[i].lone_ref};
            return true;
        }
    }
    return false;
}

static refq_err read_uri(rqi_js_compile *c, rqi_js_resource *r, const char *uri,
                         const rqi_js_place *place)
{
    if (strcmp(uri, SPEC "schema") == 0) {
        r->dialect = (rqi_js_dialect){.vocabularies = RQI_JS_ALL_VOCABULARIES};
        return REFQ_OK;
    }
    if (is_old(uri, &r->dialect)) {
        return REFQ_OK;
    }
    for (size_t i = 0; i < c->options->n_documents; i++) {
        if (strcmp(c->options->documents[i].uri, uri) == 0) {
            rqi_js_resource *metaschema;
            refq_err rc = rqi_js_resource_find(c, uri, &metaschema);
            return rc == REFQ_OK ? read_vocabularies(c, r, metaschema->root, place) : rc;
        }
    }
    const rqi_js_place at = below(place);
    return rqi_js_compile_fail_at(
        c, r, &at, REFQ_ERR_UNSUPPORTED,
        "the dialect '%.80s' is not known; leave \"$schema\" out or write \"" SPEC "schema\"", uri);
}

refq_err rqi_js_dialect_read(rqi_js_compile *c, rqi_js_resource *resource, const json_t *schema,
                             const rqi_js_place *place)
{
    const json_t *value = json_object_get(schema, "$schema");
    if (value == NULL) {
        return REFQ_OK;
    }
    const char *text = json_string_value(value);
    if (text == NULL) {
        const rqi_js_place at = below(place);
        return rqi_js_compile_fail_at(c, resource, &at, REFQ_ERR_INVALID,
                                      "expected a URI as a string");
    }
    size_t len = strlen(text);
    len -= len > 0 && text[len - 1] == '#'; /* older drafts' names end like this */
    char *uri = rqi_arena_copy(&c->schema->arena, text, len);
    return uri == NULL ? rqi_js_compile_nomem(c) : read_uri(c, resource, uri, place);
}

refq_err rqi_js_dialect_check(rqi_js_compile *c, const rqi_js_site *site)
{
    const rqi_js_dialect *dialect = &site->resource->dialect;
    if (dialect->old == NULL) {
        return REFQ_OK;
    }
    for (size_t i = 0; i < N_OF(given_up); i++) {
        if (json_object_get(site->schema, given_up[i].name) != NULL) {
            return rqi_js_compile_fail(c, site, given_up[i].name, REFQ_ERR_UNSUPPORTED,
                                       "%s has this keyword, 2020-12 does not; write %s",
                                       dialect->old, given_up[i].instead);
        }
    }
    if (dialect->lone_ref && json_object_get(site->schema, "$ref") != NULL &&
        site->node->n_checks > 1) {
        return rqi_js_compile_fail(c, site, "$ref", REFQ_ERR_UNSUPPORTED,
                                   "%s ignores what stands beside \"$ref\", 2020-12 does not; "
                                   "remove it, or the \"$schema\"",
                                   dialect->old);
    }
    return REFQ_OK;
}
