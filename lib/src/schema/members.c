/* SPDX-License-Identifier: MIT */
/*
 * properties, patternProperties, additionalProperties; propertyNames; dependentSchemas.
 *
 * DESIGN. The first three are one check: what is additional depends on the others, and going over
 * the object's members once, each with a binary search among the known names, costs the same
 * whether the schema or the value is the larger one. The member's position is at hand for the
 * marks, and failures come in the value's order.
 */
#include "base/parse.h"
#include "schema/keyword.h"
#include "schema/regex.h"
#include "schema/report.h"
#include "schema/words.h"

#include <stdlib.h>
#include <string.h>

typedef struct property {
    const char *name;
    size_t len;
    const rqi_js_node *node;
} property;

typedef struct pattern {
    const rqi_js_regex *regex;
    const rqi_js_node *node;
} pattern;

typedef struct members {
    property *properties; /* sorted by name */
    size_t n_properties;
    pattern *patterns;
    size_t n_patterns;
    const rqi_js_node *additional; /* NULL: whatever it is */
} members;

/* --- Compiling -------------------------------------------------------------------------------- */

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_properties(const void *a, const void *b)
{
    const property *x = a;
    const property *y = b;
    return compare_names(x->name, x->len, y->name, y->len);
}

/* The named subschemas of a keyword, sorted when they are to be looked up. */
static refq_err read_map(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                         property **ret, size_t *ret_n)
{
    json_t *value = json_object_get(site->schema, keyword);
    if (value == NULL) {
        return REFQ_OK;
    }
    rqi_js_nodes nodes;
    refq_err rc = rqi_js_compile_map(c, site, keyword, value, &nodes);
    if (rc != REFQ_OK) {
        return rc;
    }
    property *list = rqi_js_alloc(c, nodes.n, sizeof *list);
    if (list == NULL) {
        return rqi_js_compile_nomem(c);
    }
    void *iter = json_object_iter(value);
    for (size_t i = 0; iter != NULL; i++) {
        list[i] =
            (property){json_object_iter_key(iter), json_object_iter_key_len(iter), nodes.items[i]};
        iter = json_object_iter_next(value, iter);
    }
    *ret = list;
    *ret_n = nodes.n;
    return REFQ_OK;
}

static refq_err read_patterns(rqi_js_compile *c, const rqi_js_site *site, members *m)
{
    property *list = NULL;
    refq_err rc = read_map(c, site, "patternProperties", &list, &m->n_patterns);
    m->patterns = rc == REFQ_OK ? rqi_js_alloc(c, m->n_patterns, sizeof *m->patterns) : NULL;
    if (rc == REFQ_OK && m->patterns == NULL) {
        return rqi_js_compile_nomem(c);
    }
    for (size_t i = 0; rc == REFQ_OK && i < m->n_patterns; i++) {
        m->patterns[i].node = list[i].node;
        rc = rqi_js_regex_compile(c, site, "patternProperties", list[i].name, list[i].len,
                                  &m->patterns[i].regex);
    }
    return rc;
}

static bool is_first_of_three(const rqi_js_site *site, const char *keyword)
{
    static const char *const three[] = {"properties", "patternProperties", "additionalProperties"};
    size_t i = 0;
    while (json_object_get(site->schema, three[i]) == NULL) {
        i++;
    }
    return strcmp(three[i], keyword) == 0;
}

static refq_err compile_members(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                                rqi_js_check *ret)
{
    (void)value;
    if (!is_first_of_three(site, ret->keyword->name)) {
        ret->keyword = NULL;
        return REFQ_OK;
    }
    members *m = rqi_js_alloc(c, 1, sizeof *m);
    if (m == NULL) {
        return rqi_js_compile_nomem(c);
    }
    ret->data = m;
    const json_t *additional = json_object_get(site->schema, "additionalProperties");
    refq_err rc = read_map(c, site, "properties", &m->properties, &m->n_properties);
    if (rc == REFQ_OK) {
        rc = read_patterns(c, site, m);
    }
    if (rc == REFQ_OK && additional != NULL) {
        rc = rqi_js_compile_sub(c, site, "additionalProperties", additional, &m->additional);
    }
    if (rc == REFQ_OK && m->n_properties > 0) {
        qsort(m->properties, m->n_properties, sizeof *m->properties, compare_properties);
    }
    return rc;
}

/* --- Evaluating ------------------------------------------------------------------------------- */

static const rqi_js_node *property_of(const members *m, const rqi_js_place *place)
{
    const property wanted = {.name = place->key, .len = place->key_len};
    const property *found = m->n_properties > 0 ? bsearch(&wanted, m->properties, m->n_properties,
                                                          sizeof *m->properties, compare_properties)
                                                : NULL;
    return found != NULL ? found->node : NULL;
}

/* No member of that name may be there: perhaps another was meant. */
static void say_unexpected(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at)
{
    const members *m = check->data;
    const char *names[32];
    size_t n = m->n_properties < 32 ? m->n_properties : 32;
    for (size_t i = 0; i < n; i++) {
        names[i] = m->properties[i].name;
    }
    const char *nearest =
        at->place.key_len <= RQI_JS_WORDS_VALUE ? rqi_nearest(at->place.key, names, n) : NULL;
    rqi_buf name = {0};
    rqi_js_words_text(&name, at->place.key, at->place.key_len);
    if (nearest != NULL) {
        rqi_buf_adds(&name, "; did you mean ");
        rqi_js_words_text(&name, nearest, strlen(nearest));
        rqi_buf_addc(&name, '?');
    }
    rqi_js_report_say(run, check, at, "expected no member %s", rqi_buf_str(&name));
    rqi_buf_done(&name);
}

static bool eval_additional(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at)
{
    const members *m = check->data;
    if (m->additional->verdict == RQI_JS_NEVER) {
        if (run->report != NULL) {
            say_unexpected(run, check, at);
        }
        return false;
    }
    return rqi_js_eval(run, m->additional, at, NULL);
}

/* *ret_seen: some keyword has looked at the member. */
static bool eval_member(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                        bool *ret_seen)
{
    const members *m = check->data;
    const rqi_js_node *node = property_of(m, &at->place);
    bool ok = node == NULL || rqi_js_eval(run, node, at, NULL);
    bool seen = node != NULL;
    for (size_t i = 0; i < m->n_patterns && (ok || rqi_js_go_on(run)); i++) {
        if (rqi_js_regex_match(run, m->patterns[i].regex, at->place.key, at->place.key_len)) {
            seen = true;
            ok = rqi_js_eval(run, m->patterns[i].node, at, NULL) && ok;
        }
    }
    if (!seen && m->additional != NULL && run->stop == REFQ_OK) {
        seen = true;
        ok = eval_additional(run, check, at);
    }
    *ret_seen = seen;
    return ok;
}

static bool eval_members(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                         rqi_js_marks *marks)
{
    if (!json_is_object(at->value)) {
        return true;
    }
    json_t *object = (json_t *)(uintptr_t)at->value;
    bool ok = true;
    void *iter = json_object_iter(object);
    for (size_t i = 0; iter != NULL && (ok || rqi_js_go_on(run)); i++) {
        const rqi_js_at member = rqi_js_at_member(at, iter);
        bool seen = false;
        ok = rqi_js_spend(run, 1) && eval_member(run, check, &member, &seen) && ok;
        if (seen) {
            rqi_js_marks_set(marks, i);
        }
        iter = json_object_iter_next(object, iter);
    }
    return ok;
}

/* --- propertyNames ---------------------------------------------------------------------------- */

static refq_err compile_names(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                              rqi_js_check *ret)
{
    return rqi_js_compile_sub(c, site, "propertyNames", value, &ret->node);
}

static bool eval_name(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *member)
{
    json_t *name = json_stringn_nocheck(member->place.key, member->place.key_len);
    if (name == NULL) {
        return rqi_js_stop(run, REFQ_ERR_NOMEM, "out of memory while checking names");
    }
    const rqi_js_at at = {.place = member->place, .value = name, .is_name = true};
    bool ok = rqi_js_eval(run, node, &at, NULL);
    json_decref(name);
    return ok;
}

static bool eval_names(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       rqi_js_marks *marks)
{
    (void)marks;
    if (!json_is_object(at->value)) {
        return true;
    }
    json_t *object = (json_t *)(uintptr_t)at->value;
    bool ok = true;
    void *iter = json_object_iter(object);
    while (iter != NULL && (ok || rqi_js_go_on(run))) {
        const rqi_js_at member = rqi_js_at_member(at, iter);
        ok = eval_name(run, check->node, &member) && ok;
        iter = json_object_iter_next(object, iter);
    }
    return ok;
}

/* --- dependentSchemas ------------------------------------------------------------------------- */

static refq_err compile_dependent(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                                  rqi_js_check *ret)
{
    (void)value;
    members *m = rqi_js_alloc(c, 1, sizeof *m);
    if (m == NULL) {
        return rqi_js_compile_nomem(c);
    }
    ret->data = m;
    return read_map(c, site, "dependentSchemas", &m->properties, &m->n_properties);
}

static bool eval_dependent(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                           rqi_js_marks *marks)
{
    const members *m = check->data;
    if (!json_is_object(at->value) || !rqi_js_spend(run, m->n_properties)) {
        return true;
    }
    bool ok = true;
    for (size_t i = 0; i < m->n_properties && (ok || rqi_js_go_on(run)); i++) {
        const property *p = &m->properties[i];
        if (json_object_getn(at->value, p->name, p->len) != NULL) {
            ok = rqi_js_eval(run, p->node, at, marks) && ok;
        }
    }
    return ok;
}

const rqi_js_keyword rqi_js_members_keywords[] = {
    {"properties", RQI_JS_APPLICATOR, compile_members, eval_members, NULL, false},
    {"patternProperties", RQI_JS_APPLICATOR, compile_members, eval_members, NULL, false},
    {"additionalProperties", RQI_JS_APPLICATOR, compile_members, eval_members, NULL, false},
    {"propertyNames", RQI_JS_APPLICATOR, compile_names, eval_names, NULL, false},
    {"dependentSchemas", RQI_JS_APPLICATOR, compile_dependent, eval_dependent, NULL, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
