/* SPDX-License-Identifier: MIT */
#include "schema/report.h"

#include "schema/keyword.h"
#include "schema/type.h"
#include "schema/words.h"

#include <stdarg.h>
#include <string.h>

#define COST     64   /* steps of a violation put into words */
#define TEXT_MAX 1000 /* bytes */

/* --- One violation ---------------------------------------------------------------------------- */

static void tell(rqi_js_report *report, const rqi_js_node *node, const char *keyword,
                 const rqi_js_at *at, const rqi_buf *text)
{
    rqi_buf instance = {0};
    rqi_buf schema = {0};
    const rqi_js_place last = {
        .up = node->place, .key = keyword, .key_len = keyword != NULL ? strlen(keyword) : 0};
    rqi_js_place_write(&instance, &at->place);
    rqi_js_place_write(&schema, keyword != NULL ? &last : node->place);
    const refq_schema_violation violation = {rqi_buf_str(&instance), rqi_buf_str(&schema),
                                             node->resource->document, rqi_buf_str(text)};
    if (!report->on(report->arg, &violation)) {
        report->n = report->max;
    }
    rqi_buf_done(&instance);
    rqi_buf_done(&schema);
}

static void keep_first(rqi_js_report *report, const rqi_js_at *at, const rqi_buf *text)
{
    report->depth = rqi_js_place_depth(&at->place);
    rqi_js_place_write(&report->instance, &at->place);
    rqi_js_words_shorten(&report->instance, RQI_JS_WORDS_POINTER);
    rqi_buf_add(&report->text, text->ptr, text->len);
}

static void add(rqi_js_run *run, const rqi_js_node *node, const char *keyword, const rqi_js_at *at,
                rqi_buf *text)
{
    rqi_js_report *report = run->report;
    if (report->n >= report->max || !rqi_js_spend(run, COST)) {
        return;
    }
    rqi_js_words_shorten(text, TEXT_MAX);
    if (report->n == 0) {
        keep_first(report, at, text);
    }
    report->n++;
    if (report->on != NULL) {
        tell(report, node, keyword, at, text);
    }
}

static void add_found(rqi_buf *text, const rqi_js_at *at)
{
    rqi_buf_adds(text, at->is_name ? ", got the name " : ", got ");
    if (at->is_name) {
        rqi_js_words_json(text, at->value);
    } else {
        rqi_js_words_value(text, at->value);
    }
}

void rqi_js_report_check(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at)
{
    if (run->report == NULL) {
        return;
    }
    rqi_buf text = {0};
    rqi_buf_adds(&text, "expected ");
    check->keyword->explain(check, at, &text);
    add_found(&text, at);
    if (run->report->n == 0 && rqi_js_type_is_check(check) && !at->is_name) {
        run->report->types = check->types;
    }
    add(run, check->owner, check->keyword->name, at, &text);
    rqi_buf_done(&text);
}

void rqi_js_report_never(rqi_js_run *run, const rqi_js_node *node, const rqi_js_at *at)
{
    if (run->report == NULL) {
        return;
    }
    rqi_buf text = {0};
    rqi_buf_adds(&text, at->is_name             ? "expected no member of this name"
                        : at->place.up == NULL  ? "expected nothing: the schema is false"
                        : at->place.key == NULL ? "expected no item here"
                                                : "expected no such member");
    add_found(&text, at);
    add(run, node, NULL, at, &text);
    rqi_buf_done(&text);
}

void rqi_js_report_say(rqi_js_run *run, const rqi_js_check *check, const rqi_js_at *at,
                       const char *fmt, ...)
{
    if (run->report == NULL) {
        return;
    }
    rqi_buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    rqi_buf_addvf(&text, fmt, ap);
    va_end(ap);
    add(run, check->owner, check->keyword->name, at, &text);
    rqi_buf_done(&text);
}

/* --- Reports within reports ------------------------------------------------------------------- */

void rqi_js_report_begin(rqi_js_run *run, rqi_js_report *inner, rqi_js_report **ret_saved)
{
    *inner = (rqi_js_report){.max = 1};
    *ret_saved = run->report;
    run->report = run->report != NULL ? inner : NULL;
}

void rqi_js_report_end(rqi_js_run *run, rqi_js_report *saved)
{
    run->report = saved;
}

void rqi_js_report_done(rqi_js_report *report)
{
    rqi_buf_done(&report->instance);
    rqi_buf_done(&report->text);
}
