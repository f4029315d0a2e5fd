/* SPDX-License-Identifier: MIT */
/* const and enum. */
#include "schema/equal.h"
#include "schema/keyword.h"
#include "schema/words.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 8 /* values of an enum that an error names */

typedef struct choice {
    uint64_t hash;
    const json_t *value;
} choice;

typedef struct choices {
    choice *sorted; /* by hash */
    size_t n;
    const json_t *list; /* as written */
} choices;

static refq_err compile_const(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                              rqi_js_check *ret)
{
    (void)c;
    (void)site;
    ret->value = value;
    return REFQ_OK;
}

static bool eval_const(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       rqi_js_marks *marks)
{
    (void)marks;
    return rqi_js_equal(run, at->value, check->value);
}

static void explain_const(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    rqi_js_words_json(out, check->value);
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const choice *)a)->hash;
    uint64_t y = ((const choice *)b)->hash;
    return (x > y) - (x < y);
}

static refq_err compile_enum(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                             rqi_js_check *ret)
{
    if (!json_is_array(value)) {
        return rqi_js_compile_expected(c, site, "enum", "an array of values", value);
    }
    choices *set = rqi_js_alloc(c, 1, sizeof *set);
    choice *sorted = rqi_js_alloc(c, json_array_size(value), sizeof *sorted);
    if (set == NULL || sorted == NULL) {
        return rqi_js_compile_nomem(c);
    }
    *set = (choices){sorted, json_array_size(value), value};
    for (size_t i = 0; i < set->n; i++) {
        const json_t *item = json_array_get(value, i);
        sorted[i] = (choice){rqi_js_hash(NULL, item), item};
    }
    qsort(sorted, set->n, sizeof *sorted, by_hash);
    ret->data = set;
    return REFQ_OK;
}

static bool eval_enum(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                      rqi_js_marks *marks)
{
    (void)marks;
    const choices *set = check->data;
    const choice wanted = {rqi_js_hash(run, at->value), at->value};
    if (run->stop != REFQ_OK || set->n == 0) {
        return false;
    }
    const choice *found = bsearch(&wanted, set->sorted, set->n, sizeof wanted, by_hash);
    if (found == NULL) {
        return false;
    }
    while (found > set->sorted && found[-1].hash == wanted.hash) {
        found--;
    }
    for (; found < set->sorted + set->n && found->hash == wanted.hash; found++) {
        if (rqi_js_equal(run, at->value, found->value)) {
            return true;
        }
    }
    return false;
}

static void explain_enum(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)at;
    const choices *set = check->data;
    rqi_buf_adds(out, set->n == 0 ? "nothing: its enum is empty" : set->n > 1 ? "one of " : "");
    for (size_t i = 0; i < set->n && i < SHOWN; i++) {
        rqi_buf_adds(out, i > 0 ? ", " : "");
        rqi_js_words_json(out, json_array_get(set->list, i));
    }
    rqi_buf_adds(out, set->n > SHOWN ? ", ..." : "");
}

const rqi_js_keyword rqi_js_value_keywords[] = {
    {"const", RQI_JS_VALIDATION, compile_const, eval_const, explain_const, false},
    {"enum", RQI_JS_VALIDATION, compile_enum, eval_enum, explain_enum, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
