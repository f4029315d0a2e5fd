/* SPDX-License-Identifier: MIT */
/* format, which says something about a value and only fails when asked to; contentSchema, which
 * never does, but holds a schema that others may refer to. */
#include "schema/format.h"
#include "schema/keyword.h"

static refq_err compile_format(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                               rqi_js_check *ret)
{
    unsigned vocabularies = site->resource->dialect.vocabularies;
    bool asserted = c->schema->assert_formats || (vocabularies & RQI_JS_FORMAT_ASSERT) != 0;
    if (!json_is_string(value)) {
        return rqi_js_compile_expected(c, site, "format", "the name of a format", value);
    }
    const rqi_js_format *format = rqi_js_format_find(json_string_value(value));
    ret->data = format;
    if (!asserted || format == NULL) {
        ret->keyword = NULL;
    }
    return REFQ_OK;
}

static bool eval_format(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                        rqi_js_marks *marks)
{
    (void)marks;
    const rqi_js_format *format = check->data;
    size_t len = json_string_length(at->value);
    return !json_is_string(at->value) || !rqi_js_spend(run, len / 8) ||
           format->fits(json_string_value(at->value), len);
}

static void explain_format(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    const rqi_js_format *format = check->data;
    rqi_buf_addf(out, "a text in the format '%s'", format->name);
}

static refq_err compile_content(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                                rqi_js_check *ret)
{
    (void)ret;
    const rqi_js_node *node;
    return rqi_js_compile_sub(c, site, "contentSchema", value, &node);
}

const rqi_js_keyword rqi_js_annotation_keywords[] = {
    {"format", RQI_JS_FORMAT_ANNOTATE | RQI_JS_FORMAT_ASSERT, compile_format, eval_format,
     explain_format, false},
    {"contentSchema", RQI_JS_CONTENT, compile_content, NULL, NULL, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
