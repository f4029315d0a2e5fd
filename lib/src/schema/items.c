/* SPDX-License-Identifier: MIT */
/* prefixItems and items, which are one check; contains with minContains and maxContains. */
#include "schema/count.h"
#include "schema/keyword.h"
#include "schema/report.h"
#include "schema/words.h"

#include <inttypes.h>
#include <string.h>

/* --- prefixItems, items ----------------------------------------------------------------------- */

typedef struct items {
    rqi_js_nodes prefix;
    const rqi_js_node *rest; /* NULL: whatever it is */
} items;

static refq_err compile_items(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                              rqi_js_check *ret)
{
    const json_t *prefix = json_object_get(site->schema, "prefixItems");
    const json_t *rest = json_object_get(site->schema, "items");
    if (prefix != NULL && value != prefix) {
        ret->keyword = NULL;
        return REFQ_OK;
    }
    if (json_is_array(rest)) {
        return rqi_js_compile_fail(c, site, "items", REFQ_ERR_INVALID,
                                   "expected one schema for all items, found an array; write "
                                   "'prefixItems' for a schema of each");
    }
    items *data = rqi_js_alloc(c, 1, sizeof *data);
    if (data == NULL) {
        return rqi_js_compile_nomem(c);
    }
    ret->data = data;
    refq_err rc = REFQ_OK;
    if (prefix != NULL) {
        rc = rqi_js_compile_list(c, site, "prefixItems", prefix, &data->prefix);
    }
    if (rc == REFQ_OK && rest != NULL) {
        rc = rqi_js_compile_sub(c, site, "items", rest, &data->rest);
    }
    return rc;
}

static bool eval_items(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       rqi_js_marks *marks)
{
    const items *data = check->data;
    size_t n = json_is_array(at->value) ? json_array_size(at->value) : 0;
    bool ok = true;
    if (data->rest == NULL && n > data->prefix.n) {
        n = data->prefix.n;
    }
    for (size_t i = 0; i < n && (ok || rqi_js_go_on(run)); i++) {
        const rqi_js_at item = rqi_js_at_item(at, i);
        const rqi_js_node *node = i < data->prefix.n ? data->prefix.items[i] : data->rest;
        ok = rqi_js_eval(run, node, &item, NULL) && ok;
    }
    if (n > 0) {
        rqi_js_marks_fill(marks, n);
    }
    return ok;
}

/* --- contains --------------------------------------------------------------------------------- */

typedef struct contains {
    const rqi_js_node *node;
    uint64_t min;
    uint64_t max;
} contains;

static refq_err read_bound(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                           uint64_t *ret)
{
    const json_t *value = json_object_get(site->schema, keyword);
    bool holds = (site->resource->dialect.vocabularies & RQI_JS_VALIDATION) != 0;
    return value != NULL && holds ? rqi_js_read_count(c, site, keyword, value, ret) : REFQ_OK;
}

static refq_err compile_contains(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                                 rqi_js_check *ret)
{
    contains *data = rqi_js_alloc(c, 1, sizeof *data);
    if (data == NULL) {
        return rqi_js_compile_nomem(c);
    }
    ret->data = data;
    *data = (contains){.min = 1, .max = UINT64_MAX};
    refq_err rc = read_bound(c, site, "minContains", &data->min);
    if (rc == REFQ_OK) {
        rc = read_bound(c, site, "maxContains", &data->max);
    }
    return rc == REFQ_OK ? rqi_js_compile_sub(c, site, "contains", value, &data->node) : rc;
}

static void say_contained(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                          uint64_t found)
{
    const contains *data = check->data;
    bool few = found < data->min;
    rqi_buf text = {0};
    rqi_js_words_count(&text, few ? data->min : data->max, "item", "items");
    rqi_js_report_say(
        run, check, at,
        "expected at %s %s that fit the schema of 'contains', got %" PRIu64 " among %zu",
        few ? "least" : "most", rqi_buf_str(&text), found, json_array_size(at->value));
    rqi_buf_done(&text);
}

/* All items are looked at even when there are enough, if somebody wants the marks. */
static bool eval_contains(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                          rqi_js_marks *marks)
{
    const contains *data = check->data;
    if (!json_is_array(at->value)) {
        return true;
    }
    size_t n = json_array_size(at->value);
    uint64_t found = 0;
    bool all = marks != NULL || data->max != UINT64_MAX || run->report != NULL;
    for (size_t i = 0; i < n && (all || found < data->min) && run->stop == REFQ_OK; i++) {
        const rqi_js_at item = rqi_js_at_item(at, i);
        if (rqi_js_eval_quietly(run, data->node, &item, NULL)) {
            found++;
            rqi_js_marks_set(marks, i);
        }
    }
    bool ok = found >= data->min && found <= data->max;
    if (!ok && run->stop == REFQ_OK && run->report != NULL) {
        say_contained(run, check, at, found);
    }
    return ok;
}

const rqi_js_keyword rqi_js_items_keywords[] = {
    {"prefixItems", RQI_JS_APPLICATOR, compile_items, eval_items, NULL, false},
    {"items", RQI_JS_APPLICATOR, compile_items, eval_items, NULL, false},
    {"contains", RQI_JS_APPLICATOR, compile_contains, eval_contains, NULL, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
