/* SPDX-License-Identifier: MIT */
/* unevaluatedItems, unevaluatedProperties: for what no other keyword has looked at. */
#include "schema/keyword.h"
#include "schema/report.h"
#include "schema/words.h"

static refq_err compile(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                        rqi_js_check *ret)
{
    return rqi_js_compile_sub(c, site, ret->keyword->name, value, &ret->node);
}

static bool eval_items(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       rqi_js_marks *marks)
{
    size_t n = json_is_array(at->value) ? json_array_size(at->value) : 0;
    bool ok = rqi_js_spend(run, n / 8);
    for (size_t i = 0; i < n && (ok || rqi_js_go_on(run)); i++) {
        const rqi_js_at item = rqi_js_at_item(at, i);
        ok = (rqi_js_marks_has(marks, i) || rqi_js_eval(run, check->node, &item, NULL)) && ok;
    }
    rqi_js_marks_fill(marks, n);
    return ok;
}

static bool eval_properties(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                            rqi_js_marks *marks)
{
    json_t *object = (json_t *)(uintptr_t)at->value;
    size_t n = json_object_size(object);
    bool ok = rqi_js_spend(run, n / 8);
    void *iter = json_object_iter(object);
    for (size_t i = 0; iter != NULL && (ok || rqi_js_go_on(run)); i++) {
        const rqi_js_at member = rqi_js_at_member(at, iter);
        ok = (rqi_js_marks_has(marks, i) || rqi_js_eval(run, check->node, &member, NULL)) && ok;
        iter = json_object_iter_next(object, iter);
    }
    rqi_js_marks_fill(marks, n);
    return ok;
}

const rqi_js_keyword rqi_js_unevaluated_keywords[] = {
    {"unevaluatedItems", RQI_JS_UNEVALUATED, compile, eval_items, NULL, true},
    {"unevaluatedProperties", RQI_JS_UNEVALUATED, compile, eval_properties, NULL, true},
    {NULL, 0, NULL, NULL, NULL, false},
};
