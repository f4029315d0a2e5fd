/* SPDX-License-Identifier: MIT */
/* DESIGN. Written anew from what the specification says about each keyword's value, under the URIs
 * and names that it prescribes, without titles and comments. A part is only parsed when some schema
 * refers to it. */
#include "schema/metaschema.h"

#include <string.h>

#define BASE   "https://json-schema.org/draft/2020-12/"
#define META   "{\"$dynamicRef\":\"#meta\"}"
#define DEF(n) "{\"$ref\":\"#/$defs/" n "\"}"
#define MAP    "{\"type\":\"object\",\"additionalProperties\":" META "}"
#define STRING "{\"type\":\"string\"}"
#define BOOL   "{\"type\":\"boolean\"}"
#define NUMBER "{\"type\":\"number\"}"
#define COUNT  DEF("nonNegativeInteger")
#define COUNT0 DEF("nonNegativeIntegerDefault0")

/* clang-format off */

/* How each part begins. */
#define PART(part)                                  \
    "{\"$schema\":\"" BASE "schema\","              \
    "\"$id\":\"" BASE "meta/" part "\","            \
    "\"$vocabulary\":{\"" BASE "vocab/" part "\":true}," \
    "\"$dynamicAnchor\":\"meta\","                  \
    "\"type\":[\"object\",\"boolean\"],"

static const char schema[] =
    "{\"$schema\":\"" BASE "schema\","
    "\"$id\":\"" BASE "schema\","
    "\"$vocabulary\":{"
        "\"" BASE "vocab/core\":true,"
        "\"" BASE "vocab/applicator\":true,"
        "\"" BASE "vocab/unevaluated\":true,"
        "\"" BASE "vocab/validation\":true,"
        "\"" BASE "vocab/meta-data\":true,"
        "\"" BASE "vocab/format-annotation\":true,"
        "\"" BASE "vocab/content\":true},"
    "\"$dynamicAnchor\":\"meta\","
    "\"type\":[\"object\",\"boolean\"],"
    "\"allOf\":["
        "{\"$ref\":\"meta/core\"},"
        "{\"$ref\":\"meta/applicator\"},"
        "{\"$ref\":\"meta/unevaluated\"},"
        "{\"$ref\":\"meta/validation\"},"
        "{\"$ref\":\"meta/meta-data\"},"
        "{\"$ref\":\"meta/format-annotation\"},"
        "{\"$ref\":\"meta/content\"}],"
    "\"properties\":{"
        "\"definitions\":" MAP ","
        "\"dependencies\":{\"type\":\"object\",\"additionalProperties\":{\"anyOf\":["
            META ",{\"$ref\":\"meta/validation#/$defs/stringArray\"}]}},"
        "\"$recursiveAnchor\":{\"$ref\":\"meta/core#/$defs/anchorString\"},"
        "\"$recursiveRef\":{\"$ref\":\"meta/core#/$defs/uriReferenceString\"}}}";

static const char core[] =
    PART("core")
    "\"properties\":{"
        "\"$id\":{\"$ref\":\"#/$defs/uriReferenceString\",\"pattern\":\"^[^#]*#?$\"},"
        "\"$schema\":" DEF("uriString") ","
        "\"$ref\":" DEF("uriReferenceString") ","
        "\"$anchor\":" DEF("anchorString") ","
        "\"$dynamicRef\":" DEF("uriReferenceString") ","
        "\"$dynamicAnchor\":" DEF("anchorString") ","
        "\"$vocabulary\":{\"type\":\"object\",\"propertyNames\":" DEF("uriString") ","
            "\"additionalProperties\":" BOOL "},"
        "\"$comment\":" STRING ","
        "\"$defs\":" MAP "},"
    "\"$defs\":{"
        "\"anchorString\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][-A-Za-z0-9._]*$\"},"
        "\"uriString\":{\"type\":\"string\",\"format\":\"uri\"},"
        "\"uriReferenceString\":{\"type\":\"string\",\"format\":\"uri-reference\"}}}";

static const char applicator[] =
    PART("applicator")
    "\"properties\":{"
        "\"prefixItems\":" DEF("schemaArray") ","
        "\"items\":" META ","
        "\"contains\":" META ","
        "\"additionalProperties\":" META ","
        "\"properties\":" MAP ","
        "\"patternProperties\":{\"type\":\"object\",\"additionalProperties\":" META ","
            "\"propertyNames\":{\"format\":\"regex\"}},"
        "\"dependentSchemas\":" MAP ","
        "\"propertyNames\":" META ","
        "\"if\":" META ","
        "\"then\":" META ","
        "\"else\":" META ","
        "\"allOf\":" DEF("schemaArray") ","
        "\"anyOf\":" DEF("schemaArray") ","
        "\"oneOf\":" DEF("schemaArray") ","
        "\"not\":" META "},"
    "\"$defs\":{\"schemaArray\":{\"type\":\"array\",\"minItems\":1,\"items\":" META "}}}";

static const char unevaluated[] =
    PART("unevaluated")
    "\"properties\":{\"unevaluatedItems\":" META ",\"unevaluatedProperties\":" META "}}";

static const char validation[] =
    PART("validation")
    "\"properties\":{"
        "\"type\":{\"anyOf\":[" DEF("simpleTypes") ",{\"type\":\"array\","
            "\"items\":" DEF("simpleTypes") ",\"minItems\":1,\"uniqueItems\":true}]},"
        "\"const\":true,"
        "\"enum\":{\"type\":\"array\",\"items\":true},"
        "\"multipleOf\":{\"type\":\"number\",\"exclusiveMinimum\":0},"
        "\"maximum\":" NUMBER ","
        "\"exclusiveMaximum\":" NUMBER ","
        "\"minimum\":" NUMBER ","
        "\"exclusiveMinimum\":" NUMBER ","
        "\"maxLength\":" COUNT ","
        "\"minLength\":" COUNT0 ","
        "\"pattern\":{\"type\":\"string\",\"format\":\"regex\"},"
        "\"maxItems\":" COUNT ","
        "\"minItems\":" COUNT0 ","
        "\"uniqueItems\":" BOOL ","
        "\"maxContains\":" COUNT ","
        "\"minContains\":" COUNT ","
        "\"maxProperties\":" COUNT ","
        "\"minProperties\":" COUNT0 ","
        "\"required\":" DEF("stringArray") ","
        "\"dependentRequired\":{\"type\":\"object\","
            "\"additionalProperties\":" DEF("stringArray") "}},"
    "\"$defs\":{"
        "\"nonNegativeInteger\":{\"type\":\"integer\",\"minimum\":0},"
        "\"nonNegativeIntegerDefault0\":{\"$ref\":\"#/$defs/nonNegativeInteger\",\"default\":0},"
        "\"simpleTypes\":{\"enum\":[\"array\",\"boolean\",\"integer\",\"null\",\"number\","
            "\"object\",\"string\"]},"
        "\"stringArray\":{\"type\":\"array\",\"items\":" STRING ",\"uniqueItems\":true,"
            "\"default\":[]}}}";

static const char meta_data[] =
    PART("meta-data")
    "\"properties\":{"
        "\"title\":" STRING ","
        "\"description\":" STRING ","
        "\"default\":true,"
        "\"deprecated\":" BOOL ","
        "\"readOnly\":" BOOL ","
        "\"writeOnly\":" BOOL ","
        "\"examples\":{\"type\":\"array\",\"items\":true}}}";

static const char format_annotation[] =
    PART("format-annotation") "\"properties\":{\"format\":" STRING "}}";

static const char format_assertion[] =
    PART("format-assertion") "\"properties\":{\"format\":" STRING "}}";

static const char content[] =
    PART("content")
    "\"properties\":{"
        "\"contentEncoding\":" STRING ","
        "\"contentMediaType\":" STRING ","
        "\"contentSchema\":" META "}}";

/* clang-format on */

static const refq_schema_document documents[] = {
    {BASE "schema", {schema, sizeof schema - 1}},
    {BASE "meta/core", {core, sizeof core - 1}},
    {BASE "meta/applicator", {applicator, sizeof applicator - 1}},
    {BASE "meta/unevaluated", {unevaluated, sizeof unevaluated - 1}},
    {BASE "meta/validation", {validation, sizeof validation - 1}},
    {BASE "meta/meta-data", {meta_data, sizeof meta_data - 1}},
    {BASE "meta/format-annotation", {format_annotation, sizeof format_annotation - 1}},
    {BASE "meta/format-assertion", {format_assertion, sizeof format_assertion - 1}},
    {BASE "meta/content", {content, sizeof content - 1}},
};

const refq_schema_document *rqi_js_metaschema(const char *uri)
{
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        if (strcmp(documents[i].uri, uri) == 0) {
            return &documents[i];
        }
    }
    return NULL;
}
