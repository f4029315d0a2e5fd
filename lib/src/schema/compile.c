/* SPDX-License-Identifier: MIT */
#include "schema/compile.h"

#include "base/error.h"
#include "schema/dialect.h"
#include "schema/keyword.h"
#include "schema/resource.h"
#include "schema/words.h"

#include <stdarg.h>
#include <string.h>

#define MAX_CHECKS 48 /* rows of all groups */

/* --- Errors and memory ------------------------------------------------------------------------ */

REFQ_PRINTF(5, 0)
static refq_err fail_at(rqi_js_compile *c, const rqi_js_resource *resource,
                        const rqi_js_place *place, refq_err code, const char *fmt, va_list ap)
{
    rqi_buf where = {0};
    rqi_buf text = {0};
    const char *document = resource != NULL ? resource->document : "";
    rqi_js_place_write(&where, place);
    rqi_js_words_shorten(&where, RQI_JS_WORDS_POINTER);
    rqi_buf_addf(&text, "schema%s%.80s%s%s: ", document[0] != '\0' ? " " : "", document,
                 where.len > 0 ? " at " : "", rqi_buf_str(&where));
    rqi_buf_addvf(&text, fmt, ap);
    (void)rqi_js_words_fail(c->err, code, &text);
    rqi_buf_done(&where);
    rqi_buf_done(&text);
    return code;
}

refq_err rqi_js_compile_fail_at(rqi_js_compile *c, const rqi_js_resource *resource,
                                const rqi_js_place *place, refq_err code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fail_at(c, resource, place, code, fmt, ap);
    va_end(ap);
    return code;
}

refq_err rqi_js_compile_fail(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                             refq_err code, const char *fmt, ...)
{
    rqi_js_place at = {.up = site->node->place, .key = keyword};
    at.key_len = keyword != NULL ? strlen(keyword) : 0;
    va_list ap;
    va_start(ap, fmt);
    (void)fail_at(c, site->resource, keyword != NULL ? &at : site->node->place, code, fmt, ap);
    va_end(ap);
    return code;
}

refq_err rqi_js_compile_expected(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                                 const char *want, const json_t *found)
{
    rqi_buf text = {0};
    rqi_js_words_value(&text, found);
    refq_err rc = rqi_js_compile_fail(c, site, keyword, REFQ_ERR_INVALID, "expected %s, found %s",
                                      want, rqi_buf_str(&text));
    rqi_buf_done(&text);
    return rc;
}

refq_err rqi_js_compile_nomem(rqi_js_compile *c)
{
    return rqi_fail(c->err, REFQ_ERR_NOMEM, "out of memory while compiling a schema");
}

void *rqi_js_alloc(rqi_js_compile *c, size_t n, size_t size)
{
    return rqi_arena_alloc(&c->schema->arena, n > 0 ? n : 1, size);
}

static const rqi_js_place *step(rqi_js_compile *c, rqi_js_place place)
{
    rqi_js_place *kept = rqi_js_alloc(c, 1, sizeof *kept);
    if (kept != NULL) {
        *kept = place;
    }
    return kept;
}

const rqi_js_place *rqi_js_step_key(rqi_js_compile *c, const rqi_js_place *up, const char *key,
                                    size_t len)
{
    return step(c, (rqi_js_place){.up = up, .key = key, .key_len = len});
}

const rqi_js_place *rqi_js_step_index(rqi_js_compile *c, const rqi_js_place *up, size_t index)
{
    return step(c, (rqi_js_place){.up = up, .index = index});
}

/* --- One node --------------------------------------------------------------------------------- */

/* Compiles one keyword that the schema has, and keeps the check if there is one. */
static refq_err compile_keyword(rqi_js_compile *c, const rqi_js_site *site,
                                const rqi_js_keyword *keyword, const json_t *value,
                                rqi_js_check *checks)
{
    rqi_js_node *node = site->node;
    rqi_js_check *check = &checks[node->n_checks];
    *check = (rqi_js_check){.keyword = keyword->eval != NULL ? keyword : NULL, .owner = node};
    refq_err rc = keyword->compile(c, site, value, check);
    if (rc == REFQ_OK && check->keyword != NULL) {
        node->n_checks++;
        node->wants_marks = node->wants_marks || keyword->needs_marks;
    }
    return rc;
}

static refq_err compile_group(rqi_js_compile *c, const rqi_js_site *site,
                              const rqi_js_keyword *keyword, rqi_js_check *checks)
{
    for (; keyword->name != NULL; keyword++) {
        const json_t *value = json_object_get(site->schema, keyword->name);
        if (value == NULL || (keyword->vocabularies & site->resource->dialect.vocabularies) == 0) {
            continue;
        }
        refq_err rc = compile_keyword(c, site, keyword, value, checks);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    return REFQ_OK;
}

static refq_err compile_keywords(rqi_js_compile *c, const rqi_js_site *site)
{
    rqi_js_check checks[MAX_CHECKS];
    rqi_js_node *node = site->node;
    for (size_t i = 0; rqi_js_keyword_groups[i] != NULL; i++) {
        refq_err rc = compile_group(c, site, rqi_js_keyword_groups[i], checks);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    node->checks = rqi_js_alloc(c, node->n_checks, sizeof *checks);
    if (node->checks == NULL) {
        return rqi_js_compile_nomem(c);
    }
    memcpy(node->checks, checks, node->n_checks * sizeof *checks);
    node->verdict = node->n_checks > 0 ? RQI_JS_CHECKED : RQI_JS_ALWAYS;
    return rqi_js_dialect_check(c, site);
}

static refq_err compile_object(rqi_js_compile *c, rqi_js_resource *resource, const json_t *value,
                               rqi_js_node *node)
{
    if (!rqi_js_nodemap_put(&c->nodes, value, node)) {
        return rqi_js_compile_nomem(c);
    }
    refq_err rc = rqi_js_resource_enter(c, value, node->place, &resource);
    if (rc != REFQ_OK) {
        return rc;
    }
    node->resource = resource;
    node->verdict = RQI_JS_CHECKED;
    if (resource->root == value) {
        resource->node = node;
    }
    const rqi_js_site site = {value, node, resource};
    rc = rqi_js_anchors_add(c, &site);
    return rc == REFQ_OK ? compile_keywords(c, &site) : rc;
}

refq_err rqi_js_compile_node(rqi_js_compile *c, rqi_js_resource *resource, const json_t *value,
                             const rqi_js_place *place, const rqi_js_node **ret)
{
    if (place == NULL) {
        return rqi_js_compile_nomem(c);
    }
    rqi_js_node *node = json_is_object(value) ? rqi_js_nodemap_get(&c->nodes, value) : NULL;
    if (node != NULL) {
        *ret = node;
        return REFQ_OK;
    }
    if (++c->n_nodes > REFQ_SCHEMA_MAX_NODES) {
        return rqi_js_compile_fail_at(c, resource, place, REFQ_ERR_LIMIT, "more than %d subschemas",
                                      REFQ_SCHEMA_MAX_NODES);
    }
    node = rqi_js_alloc(c, 1, sizeof *node);
    if (node == NULL) {
        return rqi_js_compile_nomem(c);
    }
    *node = (rqi_js_node){.resource = resource, .place = place};
    *ret = node;
    if (json_is_object(value)) {
        return compile_object(c, resource, value, node);
    }
    node->verdict = json_is_true(value) ? RQI_JS_ALWAYS : RQI_JS_NEVER;
    const rqi_js_site site = {value, node, resource};
    return json_is_boolean(value)
               ? REFQ_OK
               : rqi_js_compile_expected(c, &site, NULL, "a schema: an object, true or false",
                                         value);
}

/* --- Those below a keyword -------------------------------------------------------------------- */

static const rqi_js_place *keyword_place(rqi_js_compile *c, const rqi_js_site *site,
                                         const char *keyword)
{
    return rqi_js_step_key(c, site->node->place, keyword, strlen(keyword));
}

refq_err rqi_js_compile_sub(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                            const json_t *value, const rqi_js_node **ret)
{
    return rqi_js_compile_node(c, site->resource, value, keyword_place(c, site, keyword), ret);
}

static refq_err make_room(rqi_js_compile *c, size_t n, rqi_js_nodes *ret)
{
    ret->n = n;
    ret->items = rqi_js_alloc(c, n, sizeof *ret->items);
    return ret->items != NULL ? REFQ_OK : rqi_js_compile_nomem(c);
}

refq_err rqi_js_compile_list(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                             const json_t *value, rqi_js_nodes *ret)
{
    if (!json_is_array(value) || json_array_size(value) == 0) {
        return rqi_js_compile_expected(c, site, keyword, "an array of schemas, at least one",
                                       value);
    }
    const rqi_js_place *place = keyword_place(c, site, keyword);
    refq_err rc = make_room(c, json_array_size(value), ret);
    for (size_t i = 0; rc == REFQ_OK && i < ret->n; i++) {
        rc = rqi_js_compile_node(c, site->resource, json_array_get(value, i),
                                 rqi_js_step_index(c, place, i), &ret->items[i]);
    }
    return rc;
}

refq_err rqi_js_compile_map(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                            const json_t *value, rqi_js_nodes *ret)
{
    if (!json_is_object(value)) {
        return rqi_js_compile_expected(c, site, keyword, "an object of schemas", value);
    }
    const rqi_js_place *place = keyword_place(c, site, keyword);
    refq_err rc = make_room(c, json_object_size(value), ret);
    json_t *object = (json_t *)(uintptr_t)value;
    void *iter = json_object_iter(object);
    for (size_t i = 0; rc == REFQ_OK && iter != NULL; i++) {
        rc = rqi_js_compile_node(
            c, site->resource, json_object_iter_value(iter),
            rqi_js_step_key(c, place, json_object_iter_key(iter), json_object_iter_key_len(iter)),
            &ret->items[i]);
        iter = json_object_iter_next(object, iter);
    }
    return rc;
}
