/* SPDX-License-Identifier: MIT */
/* required, dependentRequired, minProperties, maxProperties. */
#include "schema/object.h"

#include "schema/count.h"
#include "schema/keyword.h"
#include "schema/report.h"
#include "schema/words.h"

typedef struct all_names {
    rqi_js_names *items;
    size_t n;
} all_names;

refq_err rqi_js_names_check(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                            const json_t *value)
{
    if (!json_is_array(value)) {
        return rqi_js_compile_expected(c, site, keyword, "an array of names", value);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i))) {
            return rqi_js_compile_expected(c, site, keyword, "an array of names",
                                           json_array_get(value, i));
        }
    }
    return REFQ_OK;
}

static refq_err compile_required(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                                 rqi_js_check *ret)
{
    ret->value = value;
    return rqi_js_names_check(c, site, "required", value);
}

/* The first that is not there; NULL when all are. */
static const json_t *missing_of(rqi_js_run *run, const json_t *object, const json_t *list)
{
    size_t n = json_array_size(list);
    (void)rqi_js_spend(run, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *name = json_array_get(list, i);
        if (json_object_getn(object, json_string_value(name), json_string_length(name)) == NULL) {
            return name;
        }
    }
    return NULL;
}

static void say_missing(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                        const json_t *name, const rqi_js_names *because)
{
    rqi_buf text = {0};
    rqi_js_words_json(&text, name);
    if (because != NULL) {
        rqi_buf_adds(&text, " beside ");
        rqi_js_words_text(&text, because->when, because->when_len);
    }
    rqi_js_report_say(run, check, at, "expected a member %s, which is missing", rqi_buf_str(&text));
    rqi_buf_done(&text);
}

/* Reports each missing name, as far as more than one is wanted. */
bool rqi_js_names_eval(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       const json_t *list, const rqi_js_names *because)
{
    if (missing_of(run, at->value, list) == NULL) {
        return true;
    }
    for (size_t i = 0; i < json_array_size(list) && rqi_js_go_on(run); i++) {
        const json_t *name = json_array_get(list, i);
        if (json_object_getn(at->value, json_string_value(name), json_string_length(name)) ==
            NULL) {
            say_missing(run, check, at, name, because);
        }
    }
    return false;
}

static bool eval_required(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                          rqi_js_marks *marks)
{
    (void)marks;
    return !json_is_object(at->value) || rqi_js_names_eval(run, check, at, check->value, NULL);
}

static refq_err compile_dependent(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                                  rqi_js_check *ret)
{
    if (!json_is_object(value)) {
        return rqi_js_compile_expected(c, site, "dependentRequired", "an object", value);
    }
    all_names *all = rqi_js_alloc(c, 1, sizeof *all);
    rqi_js_names *items = rqi_js_alloc(c, json_object_size(value), sizeof *items);
    if (all == NULL || items == NULL) {
        return rqi_js_compile_nomem(c);
    }
    *all = (all_names){items, json_object_size(value)};
    ret->data = all;
    json_t *object = (json_t *)(uintptr_t)value;
    refq_err rc = REFQ_OK;
    for (void *iter = json_object_iter(object); rc == REFQ_OK && iter != NULL;
         iter = json_object_iter_next(object, iter)) {
        *items = (rqi_js_names){json_object_iter_value(iter), json_object_iter_key(iter),
                                json_object_iter_key_len(iter)};
        rc = rqi_js_names_check(c, site, "dependentRequired", items->list);
        items++;
    }
    return rc;
}

static bool eval_dependent(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                           rqi_js_marks *marks)
{
    (void)marks;
    const all_names *all = check->data;
    bool ok = true;
    if (!json_is_object(at->value) || !rqi_js_spend(run, all->n)) {
        return true;
    }
    for (size_t i = 0; i < all->n && (ok || rqi_js_go_on(run)); i++) {
        const rqi_js_names *item = &all->items[i];
        if (json_object_getn(at->value, item->when, item->when_len) != NULL) {
            ok = rqi_js_names_eval(run, check, at, item->list, item) && ok;
        }
    }
    return ok;
}

static bool eval_min(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return !json_is_object(at->value) || json_object_size(at->value) >= check->count;
}

static bool eval_max(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return !json_is_object(at->value) || json_object_size(at->value) <= check->count;
}

static void explain_min(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    rqi_buf_adds(out, "at least ");
    rqi_js_words_count(out, check->count, "member", "members");
}

static void explain_max(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    rqi_buf_adds(out, "at most ");
    rqi_js_words_count(out, check->count, "member", "members");
}

const rqi_js_keyword rqi_js_object_keywords[] = {
    {"required", RQI_JS_VALIDATION, compile_required, eval_required, NULL, false},
    {"dependentRequired", RQI_JS_VALIDATION, compile_dependent, eval_dependent, NULL, false},
    {"minProperties", RQI_JS_VALIDATION, rqi_js_compile_count, eval_min, explain_min, false},
    {"maxProperties", RQI_JS_VALIDATION, rqi_js_compile_count, eval_max, explain_max, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
