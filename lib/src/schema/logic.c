/* SPDX-License-Identifier: MIT */
/*
 * allOf, anyOf, oneOf, not, if with then and else.
 *
 * DESIGN. When no alternative fits, a list of everything that is wrong with each helps nobody. One
 * violation is told: of the alternative that went furthest into the value, or, among those that
 * went equally far, of one whose type was right. If all of them only wanted another type, their
 * types are told together: "expected string or null".
 */
#include "schema/keyword.h"
#include "schema/report.h"
#include "schema/type.h"
#include "schema/words.h"

/* --- allOf ------------------------------------------------------------------------------------ */

static refq_err compile_list(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                             rqi_js_check *ret)
{
    rqi_js_nodes *nodes = rqi_js_alloc(c, 1, sizeof *nodes);
    ret->data = nodes;
    return nodes == NULL ? rqi_js_compile_nomem(c)
                         : rqi_js_compile_list(c, site, ret->keyword->name, value, nodes);
}

static bool eval_all(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    const rqi_js_nodes *nodes = check->data;
    bool ok = true;
    for (size_t i = 0; i < nodes->n && (ok || rqi_js_go_on(run)); i++) {
        ok = rqi_js_eval(run, nodes->items[i], at, marks) && ok;
    }
    return ok;
}

/* --- Alternatives ----------------------------------------------------------------------------- */

/* Evaluates an alternative: its marks count only if it fits. */
static bool eval_apart(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at,
                       rqi_js_marks *marks)
{
    rqi_js_marks own;
    if (marks == NULL) {
        return rqi_js_eval(run, node, at, NULL);
    }
    if (!rqi_js_spend(run, rqi_js_marks_cost(at->value))) {
        return false;
    }
    if (!rqi_js_marks_init(&own, at->value)) {
        return rqi_js_stop(run, REFQ_ERR_NOMEM, "out of memory while validating");
    }
    bool ok = rqi_js_eval(run, node, at, &own);
    if (ok) {
        rqi_js_marks_merge(marks, &own);
    }
    rqi_js_marks_done(&own);
    return ok;
}

/* Which of two failures says more. */
static size_t rank_of(const rqi_js_report *report)
{
    return report->depth * 2 + (report->types == 0);
}

/* Keeps what the best of the failed alternatives says; types are added up while that is all. */
static void keep_best(rqi_js_report *best, rqi_js_report *one)
{
    unsigned types = best->n == 0 || best->types != 0 ? best->types | one->types : 0;
    bool is_same_depth = best->n == 0 || best->depth == one->depth;
    if (best->n == 0 || rank_of(one) > rank_of(best)) {
        rqi_js_report_done(best);
        *best = *one;
        types = is_same_depth && one->types != 0 ? types : one->types;
    } else {
        rqi_js_report_done(one);
        types = is_same_depth && one->types != 0 ? types : best->types;
    }
    best->types = types;
}

static bool eval_alternative(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at,
                             rqi_js_marks *marks, rqi_js_report *best)
{
    rqi_js_report one;
    rqi_js_report *saved;
    rqi_js_report_begin(run, &one, &saved);
    bool ok = eval_apart(run, node, at, marks);
    rqi_js_report_end(run, saved);
    if (ok || one.n == 0) {
        rqi_js_report_done(&one);
    } else {
        keep_best(best, &one);
    }
    return ok;
}

static void say_types(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                      unsigned types)
{
    rqi_buf text = {0};
    rqi_js_type_write(&text, types);
    rqi_buf_adds(&text, ", got ");
    rqi_js_words_value(&text, at->value);
    rqi_js_report_say(run, check, at, "expected %s", rqi_buf_str(&text));
    rqi_buf_done(&text);
}

static void say_none(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     const rqi_js_report *best)
{
    const rqi_js_nodes *nodes = check->data;
    bool here = best->depth == rqi_js_place_depth(&at->place);
    if (run->report == NULL || run->stop != REFQ_OK) {
        return;
    }
    if (best->types != 0 && here) {
        say_types(run, check, at, best->types);
        run->report->types = run->report->n == 1 ? best->types : run->report->types;
    } else if (here) {
        rqi_js_report_say(run, check, at, "%s (the nearest of %zu alternatives)",
                          rqi_buf_str(&best->text), nodes->n);
    } else {
        rqi_js_report_say(run, check, at,
                          "fits none of %zu alternatives; the nearest fails at %s: %s", nodes->n,
                          rqi_buf_str(&best->instance), rqi_buf_str(&best->text));
    }
}

static bool eval_any(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    const rqi_js_nodes *nodes = check->data;
    rqi_js_report best = {0};
    bool ok = false;
    for (size_t i = 0; i < nodes->n && run->stop == REFQ_OK && (!ok || marks != NULL); i++) {
        ok = eval_alternative(run, nodes->items[i], at, marks, &best) || ok;
    }
    if (!ok) {
        say_none(run, check, at, &best);
    }
    rqi_js_report_done(&best);
    return ok;
}

static bool eval_one(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    const rqi_js_nodes *nodes = check->data;
    rqi_js_report best = {0};
    size_t first = nodes->n;
    size_t second = nodes->n;
    for (size_t i = 0; i < nodes->n && run->stop == REFQ_OK && second == nodes->n; i++) {
        if (eval_alternative(run, nodes->items[i], at, marks, &best)) {
            second = first < nodes->n ? i : second;
            first = first < nodes->n ? first : i;
        }
    }
    if (first == nodes->n) {
        say_none(run, check, at, &best);
    } else if (second < nodes->n) {
        rqi_js_report_say(run, check, at,
                          "expected exactly one of %zu alternatives to fit, but numbers %zu and "
                          "%zu both do",
                          nodes->n, first + 1, second + 1);
    }
    rqi_js_report_done(&best);
    return first < nodes->n && second == nodes->n;
}

/* --- not, if ---------------------------------------------------------------------------------- */

static refq_err compile_one(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                            rqi_js_check *ret)
{
    return rqi_js_compile_sub(c, site, ret->keyword->name, value, &ret->node);
}

static bool eval_not(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                     rqi_js_marks *marks)
{
    (void)marks;
    return !rqi_js_eval_quietly(run, check->node, at, NULL);
}

static void explain_not(const rqi_js_check *check, const rqi_js_at *at, rqi_buf *out)
{
    (void)check;
    (void)at;
    rqi_buf_adds(out, "something that does not fit the schema of 'not'");
}

typedef struct condition {
    const rqi_js_node *test;
    const rqi_js_node *branches[2]; /* else, then; NULL: whatever it is */
} condition;

static refq_err compile_branch(rqi_js_compile *c, const rqi_js_site *site, const char *keyword,
                               const rqi_js_node **ret)
{
    const json_t *value = json_object_get(site->schema, keyword);
    return value != NULL ? rqi_js_compile_sub(c, site, keyword, value, ret) : REFQ_OK;
}

static refq_err compile_if(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                           rqi_js_check *ret)
{
    condition *data = rqi_js_alloc(c, 1, sizeof *data);
    if (data == NULL) {
        return rqi_js_compile_nomem(c);
    }
    ret->data = data;
    refq_err rc = rqi_js_compile_sub(c, site, "if", value, &data->test);
    if (rc == REFQ_OK) {
        rc = compile_branch(c, site, "else", &data->branches[0]);
    }
    return rc == REFQ_OK ? compile_branch(c, site, "then", &data->branches[1]) : rc;
}

/* Without "if" they say nothing, but somebody may refer to them. */
static refq_err compile_idle(rqi_js_compile *c, const rqi_js_site *site, const char *keyword)
{
    const rqi_js_node *node;
    return compile_branch(c, site, keyword, &node);
}

static refq_err compile_then(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                             rqi_js_check *ret)
{
    (void)value;
    (void)ret;
    return compile_idle(c, site, "then");
}

static refq_err compile_else(rqi_js_compile *c, const rqi_js_site *site, const json_t *value,
                             rqi_js_check *ret)
{
    (void)value;
    (void)ret;
    return compile_idle(c, site, "else");
}

static bool eval_if(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                    rqi_js_marks *marks)
{
    const condition *data = check->data;
    rqi_js_report *report = run->report;
    run->report = NULL;
    bool holds = eval_apart(run, data->test, at, marks);
    run->report = report;
    const rqi_js_node *branch = data->branches[holds];
    return branch == NULL || rqi_js_eval(run, branch, at, marks);
}

const rqi_js_keyword rqi_js_logic_keywords[] = {
    {"allOf", RQI_JS_APPLICATOR, compile_list, eval_all, NULL, false},
    {"anyOf", RQI_JS_APPLICATOR, compile_list, eval_any, NULL, false},
    {"oneOf", RQI_JS_APPLICATOR, compile_list, eval_one, NULL, false},
    {"not", RQI_JS_APPLICATOR, compile_one, eval_not, explain_not, false},
    {"if", RQI_JS_APPLICATOR, compile_if, eval_if, NULL, false},
    {"then", RQI_JS_APPLICATOR, compile_then, NULL, NULL, false},
    {"else", RQI_JS_APPLICATOR, compile_else, NULL, NULL, false},
    {NULL, 0, NULL, NULL, NULL, false},
};
