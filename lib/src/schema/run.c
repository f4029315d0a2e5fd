/* SPDX-License-Identifier: MIT */
#include "schema/run.h"

#include "base/error.h"
#include "schema/keyword.h"
#include "schema/regex.h"
#include "schema/report.h"
#include "schema/words.h"

/* --- The budget ------------------------------------------------------------------------------- */

bool rqi_js_stop(rqi_js_run *run, refq_err code, const char *reason)
{
    if (run->stop == REFQ_OK) {
        run->stop = code;
        run->reason = reason;
    }
    return false;
}

bool rqi_js_spend(rqi_js_run *run, uint64_t steps)
{
    if (run->steps >= steps) {
        run->steps -= steps;
        return run->stop == REFQ_OK;
    }
    run->steps = 0;
    return rqi_js_stop(run, REFQ_ERR_LIMIT,
                       "validating takes more steps than allowed; the schema or the value is too "
                       "expensive");
}

bool rqi_js_go_on(const rqi_js_run *run)
{
    return run->stop == REFQ_OK && run->report != NULL && run->report->n < run->report->max;
}

/* --- Evaluation ------------------------------------------------------------------------------- */

static bool eval_checks(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at,
                        rqi_js_marks *marks)
{
    bool ok = true;
    for (size_t i = 0; i < node->n_checks; i++) {
        const rqi_js_check *check = &node->checks[i];
        /* After a failure the marks are incomplete. */
        if (!ok && check->keyword->needs_marks) {
            break;
        }
        if (check->keyword->eval(run, check, at, marks) && run->stop == REFQ_OK) {
            continue;
        }
        ok = false;
        if (run->stop == REFQ_OK && check->keyword->explain != NULL) {
            rqi_js_report_check(run, check, at);
        }
        if (!rqi_js_go_on(run)) {
            break;
        }
    }
    return ok;
}

/* A node with an unevaluated... keyword sees only what its own keywords looked at. */
static bool eval_with_marks(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at,
                            rqi_js_marks *outer)
{
    rqi_js_marks own;
    if (!rqi_js_spend(run, rqi_js_marks_cost(at->value))) {
        return false;
    }
    if (!rqi_js_marks_init(&own, at->value)) {
        return rqi_js_stop(run, REFQ_ERR_NOMEM, "out of memory while validating");
    }
    bool ok = eval_checks(run, node, at, &own);
    if (ok) {
        rqi_js_marks_merge(outer, &own);
    }
    rqi_js_marks_done(&own);
    return ok;
}

static bool eval_node(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at,
                      rqi_js_marks *marks)
{
    if (!rqi_js_spend(run, 1 + node->n_checks)) {
        return false;
    }
    if (run->nested >= RQI_JS_MAX_NESTED) {
        return rqi_js_stop(run, REFQ_ERR_LIMIT,
                           "schemas refer to each other too deeply here, perhaps without end: look "
                           "for a \"$ref\" that leads back to itself");
    }
    const rqi_js_scope *outer = run->scope;
    const rqi_js_scope inner = {outer, node->resource};
    if (outer == NULL || outer->resource != node->resource) {
        run->scope = &inner;
    }
    run->nested++;
    bool ok = node->wants_marks ? eval_with_marks(run, node, at, marks)
                                : eval_checks(run, node, at, marks);
    run->nested--;
    run->scope = outer;
    return ok;
}

bool rqi_js_eval(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at, rqi_js_marks *marks)
{
    if (node->verdict == RQI_JS_CHECKED) {
        return eval_node(run, node, at, marks);
    }
    if (!rqi_js_spend(run, 1)) {
        return false;
    }
    if (node->verdict == RQI_JS_NEVER) {
        rqi_js_report_never(run, node, at);
    }
    return node->verdict == RQI_JS_ALWAYS;
}

bool rqi_js_eval_quietly(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at,
                         rqi_js_marks *marks)
{
    rqi_js_report *report = run->report;
    run->report = NULL;
    bool ok = rqi_js_eval(run, node, at, marks);
    run->report = report;
    return ok;
}

rqi_js_at rqi_js_at_member(const rqi_js_at *at, void *iter)
{
    return (rqi_js_at){.place = {.up = &at->place,
                                 .key = json_object_iter_key(iter),
                                 .key_len = json_object_iter_key_len(iter)},
                       .value = json_object_iter_value(iter)};
}

rqi_js_at rqi_js_at_item(const rqi_js_at *at, size_t index)
{
    return (rqi_js_at){.place = {.up = &at->place, .index = index},
                       .value = json_array_get(at->value, index)};
}

/* --- The two passes --------------------------------------------------------------------------- */

static bool pass(rqi_js_run *run, const json_t *value, rqi_js_report *report)
{
    const rqi_js_at at = {.value = value};
    run->report = report;
    run->steps = run->schema->max_steps;
    bool ok = rqi_js_eval(run, run->schema->root, &at, NULL);
    return ok && run->stop == REFQ_OK;
}

/* Why it does not fit; when that takes too long to find out, only that it does not. */
static refq_err explain(rqi_js_run *run, const json_t *value, rqi_js_report *report,
                        refq_error *err)
{
    (void)pass(run, value, report);
    if (report->text.len == 0 || report->text.err != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the value does not fit the schema; finding out where takes too long");
    }
    rqi_buf text = {0};
    const char *where = report->instance.len > 0 ? rqi_buf_str(&report->instance) : "(root)";
    rqi_buf_addf(&text, "%s: %s", where, rqi_buf_str(&report->text));
    refq_err rc = rqi_js_words_fail(err, REFQ_ERR_INVALID, &text);
    rqi_buf_done(&text);
    return rc;
}

refq_err rqi_js_validate(const refq_schema *schema, const json_t *value, size_t max,
                         refq_schema_on_violation on, void *arg, refq_error *err)
{
    rqi_js_run run = {.schema = schema};
    rqi_js_report report = {.max = max, .on = on, .arg = arg};
    refq_err rc = REFQ_OK;
    if (!pass(&run, value, NULL)) {
        rc = run.stop != REFQ_OK ? rqi_fail(err, run.stop, "%s", run.reason)
             : max > 0           ? explain(&run, value, &report, err)
                                 : REFQ_ERR_INVALID;
    }
    rqi_js_report_done(&report);
    rqi_js_matcher_free(run.matcher);
    return rc;
}
