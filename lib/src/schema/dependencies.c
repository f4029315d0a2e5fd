/* SPDX-License-Identifier: MIT */
/* dependencies: what older drafts wrote for dependentRequired and dependentSchemas, in one. 2020-12
 * keeps the word free for this meaning. */
#include "schema/keyword.h"
#include "schema/object.h"

typedef struct dependency {
    rqi_js_names names;      /* list: NULL when it is a schema */
    const rqi_js_node *node; /* NULL when it is a list */
} dependency;

typedef struct dependencies {
    dependency *items;
    size_t n;
} dependencies;

static refq_err read_one(rqi_js_compile *c, const rqi_js_site *site, const rqi_js_place *place,
                         void *iter, dependency *ret)
{
    const json_t *value = json_object_iter_value(iter);
    ret->names = (rqi_js_names){.when = json_object_iter_key(iter),
                                .when_len = json_object_iter_key_len(iter)};
    if (json_is_array(value)) {
        ret->names.list = value;
        return rqi_js_names_check(c, site, "dependencies", value);
    }
    return rqi_js_compile_node(c, site->resource, value,
                               rqi_js_step_key(c, place, ret->names.when, ret->names.when_len),
                               &ret->node);
}

static refq_err compile(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                        rqi_js_check *ret)
{
    if (!json_is_object(value)) {
        return rqi_js_compile_expected(c, site, "dependencies", "an object", value);
    }
    dependencies *all = rqi_js_alloc(c, 1, sizeof *all);
    dependency *items = rqi_js_alloc(c, json_object_size(value), sizeof *items);
    const rqi_js_place *place = rqi_js_step_key(c, site->node->place, "dependencies", 12);
    if (all == NULL || items == NULL || place == NULL) {
        return rqi_js_compile_nomem(c);
    }
    *all = (dependencies){items, json_object_size(value)};
    ret->data = all;
    json_t *object = (json_t *)(uintptr_t)value;
    refq_err rc = REFQ_OK;
    for (void *iter = json_object_iter(object); rc == REFQ_OK && iter != NULL;
         iter = json_object_iter_next(object, iter)) {
        rc = read_one(c, site, place, iter, items++);
    }
    return rc;
}

static bool eval(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                 rqi_js_marks *marks)
{
    const dependencies *all = check->data;
    bool ok = true;
    if (!json_is_object(at->value) || !rqi_js_spend(run, all->n)) {
        return true;
    }
    for (size_t i = 0; i < all->n && (ok || rqi_js_go_on(run)); i++) {
        const dependency *d = &all->items[i];
        if (json_object_getn(at->value, d->names.when, d->names.when_len) == NULL) {
            continue;
        }
        ok = (d->node != NULL ? rqi_js_eval(run, d->node, at, marks)
                              : rqi_js_names_eval(run, check, at, d->names.list, &d->names)) &&
             ok;
    }
    return ok;
}

const rqi_js_keyword rqi_js_dependencies_keywords[] = {
    {"dependencies", RQI_JS_APPLICATOR, compile, eval, NULL, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
