/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A response is one JSON object with the names that agents know. It goes
 * to strict readers, so values pass the portable form on their way out (NaN is
 * null there); what is stored stays as it is. A preview that is the whole value
 * says so: is_complete.
 */
#include "cache/cache.h"

#include "base/error.h"
#include "reply/async.h"
#include "json/portable.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN_ERROR "the reason is in the log of the server"
#define ACTIONS      "[\"get_page\", \"resolve_full\", \"pass_to_tool\"]"

static void add_text(rqi_buf *out, const char *name, const char *text)
{
    rqi_buf_addf(out, "\"%s\": ", name);
    rqi_buf_add_json(out, text, strlen(text));
    rqi_buf_adds(out, ", ");
}

/* null for what is less than `least`. */
static void add_number(rqi_buf *out, const char *name, int64_t value, int64_t least)
{
    if (value < least) {
        rqi_buf_addf(out, "\"%s\": null, ", name);
    } else {
        rqi_buf_addf(out, "\"%s\": %" PRId64 ", ", name, value);
    }
}

static refq_err take(rqi_buf *out, bool is_async, bool is_complete, refq_status status,
                     refq_response *ret, refq_error *err)
{
    refq_response response = {.is_async = is_async, .is_complete = is_complete, .status = status};
    if (out->err == REFQ_OK) {
        response.json = rqi_buf_take(out, &response.len);
    }
    if (response.json == NULL) {
        refq_err rc = out->err == REFQ_OK ? REFQ_ERR_NOMEM : out->err;
        rqi_buf_done(out);
        return rqi_fail(err, rc, "no memory for the response");
    }
    *ret = response;
    return REFQ_OK;
}

static void add_head(rqi_buf *out, const refq_cache *cache, const char *ref_id,
                     const rqi_entry_view *view, bool complete)
{
    rqi_buf_addc(out, '{');
    add_text(out, "ref_id", ref_id);
    rqi_buf_addf(out, "\"status\": \"complete\", \"is_complete\": %s, \"is_async\": false, ",
                 complete ? "true" : "false");
    add_text(out, "cache_name", cache->name);
    add_text(out, "namespace", view->namespace_name);
}

static refq_err answer_full(const refq_cache *cache, const char *ref_id, const rqi_entry_view *view,
                            refq_response *ret, refq_error *err)
{
    rqi_buf out = {0};
    add_head(&out, cache, ref_id, view, true);
    rqi_buf_adds(&out, "\"retrieval_mode\": \"full\", \"value\": ");
    refq_err rc = rqi_portable_write(view->value, &out, err);
    if (rc != REFQ_OK) {
        rqi_buf_done(&out);
        return rc;
    }
    rqi_buf_addc(&out, '}');
    return take(&out, false, true, REFQ_COMPLETE, ret, err);
}

static void add_message(rqi_buf *out, const refq_preview *p)
{
    if (p->complete) {
        return;
    }
    if (p->page > 0) {
        rqi_buf_addf(
            out,
            ", \"message\": \"This is page %" PRId64 " of %" PRId64
            ". Call get_cached_result with this ref_id and another page, or with full=true "
            "for the whole value.\"",
            p->page, p->total_pages);
    } else {
        rqi_buf_adds(out, ", \"message\": \"This is a preview of a larger value. Call "
                          "get_cached_result with this ref_id and page or max_size for more of it, "
                          "or with full=true for the whole value.\"");
    }
}

static void add_preview(rqi_buf *out, const refq_preview *p)
{
    rqi_buf_adds(out, "\"retrieval_mode\": \"preview\", \"preview\": ");
    rqi_buf_add(out, p->json, p->len);
    rqi_buf_addf(out, ", \"preview_strategy\": \"%s\", ", refq_preview_strategy_name(p->strategy));
    add_number(out, "total_items", p->total_items, 0);
    rqi_buf_adds(out, "\"total_tokens\": null, ");
    add_number(out, "original_size", p->original_size, 0);
    add_number(out, "preview_size", p->preview_size, 0);
    add_number(out, "page", p->page, 1);
    add_number(out, "total_pages", p->page > 0 ? p->total_pages : -1, 0);
    rqi_buf_adds(out, "\"available_actions\": " ACTIONS);
    add_message(out, p);
}

/* The configuration's preview with what the query says about it. */
static refq_preview_options options_of(const refq_cache *cache, const refq_cache_query *query)
{
    refq_preview_options o = cache->preview;
    if (query->has_max_size) {
        o.has_max_size = 1;
        o.max_size = query->max_size;
    }
    o.has_page = query->has_page;
    o.page = query->page;
    o.has_page_size = query->has_page_size;
    o.page_size = query->page_size;
    return o;
}

static refq_err add_value(rqi_buf *out, const rqi_entry_view *view, const refq_preview *p,
                          refq_error *err)
{
    add_number(out, "size", p->original_size, 0);
    add_number(out, "total_items", p->total_items, 0);
    rqi_buf_adds(out, "\"value\": ");
    return rqi_portable_write(view->value, out, err);
}

/* whole_as_value: a preview that is the whole value is answered as the value. */
static refq_err answer_preview(const refq_cache *cache, const char *ref_id,
                               const rqi_entry_view *view, const refq_cache_query *query,
                               bool whole_as_value, refq_response *ret, refq_error *err)
{
    rqi_buf out = {0};
    refq_preview *preview = NULL;
    refq_preview_options o = options_of(cache, query);
    refq_err rc = refq_preview_make(view->value, &o, &preview, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    bool complete = preview->complete != 0;
    add_head(&out, cache, ref_id, view, complete);
    if (complete && whole_as_value) {
        rc = add_value(&out, view, preview, err);
    } else {
        add_preview(&out, preview);
    }
    rqi_buf_addc(&out, '}');
    refq_preview_free(preview);
    if (rc != REFQ_OK) {
        rqi_buf_done(&out);
        return rc;
    }
    return take(&out, false, complete, REFQ_COMPLETE, ret, err);
}

refq_err rqi_cache_answer(const refq_cache *cache, const char *ref_id, const rqi_entry_view *view,
                          const refq_cache_query *query, refq_response *ret, refq_error *err)
{
    return query->full ? answer_full(cache, ref_id, view, ret, err)
                       : answer_preview(cache, ref_id, view, query, false, ret, err);
}

refq_err rqi_cache_answer_call(const refq_cache *cache, const char *ref_id,
                               const rqi_entry_view *view, const refq_cache_query *query,
                               refq_response *ret, refq_error *err)
{
    return answer_preview(cache, ref_id, view, query, true, ret, err);
}

refq_err rqi_cache_answer_unseen(const char *ref_id, bool usable, refq_response *ret,
                                 refq_error *err)
{
    rqi_buf out = {0};
    rqi_buf_addc(&out, '{');
    add_text(&out, "ref_id", ref_id);
    rqi_buf_adds(&out, "\"status\": \"complete\", \"is_complete\": false, \"is_async\": false, "
                       "\"message\": \"The value is stored under this reference. ");
    rqi_buf_adds(&out, usable ? "It may be passed to tasks as an input, but not be read.\"}"
                              : "This caller may neither read nor use it.\"}");
    return take(&out, false, false, REFQ_COMPLETE, ret, err);
}

/* --- A task's answer -------------------------------------------------------------------------- */

/* The record keeps the first bytes of an error only; the rest is in the history. Owned by the
 * caller; NULL when it is not known. */
static char *whole_error(const refq_cache *cache, const refq_task *task)
{
    refq_texts history = {0};
    char *text = NULL;
    if (refq_task_field(task, "error") == NULL ||
        refq_client_history(cache->client, refq_task_ref(task), &history, NULL) != REFQ_OK) {
        return NULL;
    }
    json_t *last = history.n > 0 ? json_loads(history.items[0], 0, NULL) : NULL;
    const char *error = json_string_value(json_object_get(last, "error"));
    if (error != NULL && error[0] != '\0') {
        text = strdup(error);
    }
    json_decref(last);
    refq_texts_free(&history);
    return text;
}

refq_err rqi_cache_answer_async(const refq_cache *cache, const refq_task *task, refq_format format,
                                const char *schema, refq_response *ret, refq_error *err)
{
    rqi_buf out = {0};
    bool failed = refq_task_field(task, "error") != NULL;
    char *error = cache->hide_errors ? NULL : whole_error(cache, task);
    rqi_async_reply reply = {.task = task, .format = format, .error = error, .schema = schema};
    if (cache->hide_errors && failed) {
        reply.error = HIDDEN_ERROR;
    }
    rqi_async_reply_add(&reply, &out);
    free(error);
    return take(&out, true, false, refq_task_status(task), ret, err);
}
