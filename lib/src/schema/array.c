/* SPDX-License-Identifier: MIT */
/* minItems, maxItems, uniqueItems. */
#include "schema/count.h"
#include "schema/equal.h"
#include "schema/keyword.h"
#include "schema/report.h"
#include "schema/words.h"

#include <stdlib.h>

static bool eval_min(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return !json_is_array(at->value) || json_array_size(at->value) >= check->count;
}

static bool eval_max(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    (void)run;
    (void)marks;
    return !json_is_array(at->value) || json_array_size(at->value) <= check->count;
}

static void explain_min(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    rqi_buf_adds(out, "at least ");
    rqi_js_words_count(out, check->count, "item", "items");
}

static void explain_max(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    rqi_buf_adds(out, "at most ");
    rqi_js_words_count(out, check->count, "item", "items");
}

/* --- uniqueItems ------------------------------------------------------------------------------ */

typedef struct item {
    uint64_t hash;
    size_t index;
} item;

static refq_err compile_unique(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                               rqi_js_check *ret)
{
    if (!json_is_boolean(value)) {
        return rqi_js_compile_expected(c, site, "uniqueItems", "true or false", value);
    }
    if (json_is_false(value)) {
        ret->keyword = NULL;
    }
    return REFQ_OK;
}

/* By hash, those of one hash in the array's order. */
static int compare_items(const void *a, const void *b)
{
    const item *x = a;
    const item *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

static bool differ(rqi_js_run *run, const json_t *array, const item *x, const item *y)
{
    return !rqi_js_equal(run, json_array_get(array, x->index), json_array_get(array, y->index)) &&
           run->stop == REFQ_OK;
}

/* Only items of the same hash are compared: hashing all and sorting is not quadratic. */
static bool find_equal(rqi_js_run *run, const json_t *array, item *items, size_t n,
                       const item **ret_first, const item **ret_second)
{
    qsort(items, n, sizeof *items, compare_items);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n && items[k].hash == items[i].hash; k++) {
            if (!differ(run, array, &items[i], &items[k])) {
                *ret_first = &items[i];
                *ret_second = &items[k];
                return true;
            }
        }
    }
    return false;
}

static bool eval_unique(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                        rqi_js_marks *marks)
{
    (void)marks;
    size_t n = json_is_array(at->value) ? json_array_size(at->value) : 0;
    if (n < 2) {
        return true;
    }
    item *items = calloc(n, sizeof *items);
    if (items == NULL) {
        return rqi_js_stop(run, REFQ_ERR_NOMEM, "out of memory while comparing items");
    }
    for (size_t i = 0; i < n && run->stop == REFQ_OK; i++) {
        items[i] = (item){rqi_js_hash(run, json_array_get(at->value, i)), i};
    }
    const item *first;
    const item *second;
    bool unique = run->stop == REFQ_OK && !find_equal(run, at->value, items, n, &first, &second);
    if (!unique && run->stop == REFQ_OK) {
        rqi_js_report_say(run, check, at,
                          "expected no two equal items, got the same at %zu and %zu", first->index,
                          second->index);
    }
    free(items);
    return unique;
}

const rqi_js_keyword rqi_js_array_keywords[] = {
    {"minItems", RQI_JS_VALIDATION, rqi_js_compile_count, eval_min, explain_min, false},
    {"maxItems", RQI_JS_VALIDATION, rqi_js_compile_count, eval_max, explain_max, false},
    {"uniqueItems", RQI_JS_VALIDATION, compile_unique, eval_unique, NULL, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
