/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The JSON form passes on whatever fields the record has, under their
 * own names, so that a program sees a new field without a new `refq`. Only two
 * differ: `progress` becomes an object, and `args` is left out, because it is
 * packed binary and a text field cannot carry it.
 */
#include "task_view.h"

#include "text.h"

#include "base/parse.h"

#include <stdbool.h>
#include <string.h>

/* --- JSON ------------------------------------------------------------------------------------- */

static const char *const number_fields[] = {
    "attempt",    "failures",   "releases",     "deaths",   "max_retries",
    "created_at", "started_at", "completed_at", "due_at",   "timeout_ms",
    "expires_at", "v",          "crashes",      "args_len",
};

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

json_t *cli_text_json(const char *text)
{
    json_t *json = json_string(text);
    if (json != NULL) {
        return json;
    }
    rqi_buf valid = {0};
    cli_text_utf8(&valid, text, strlen(text));
    json = json_string(rqi_buf_str(&valid));
    rqi_buf_done(&valid);
    return json;
}

static json_t *field_json(const char *name, const char *value)
{
    int64_t number = 0;
    bool numeric = is_one_of(name, number_fields, sizeof number_fields / sizeof number_fields[0]) &&
                   rqi_parse_int(value, INT64_MIN, INT64_MAX, &number, NULL) == REFQ_OK;
    return numeric ? json_integer((json_int_t)number) : cli_text_json(value);
}

static json_t *progress_json(const refq_task *task)
{
    int64_t current = 0;
    int64_t total = 0;
    if (!refq_task_progress(task, &current, &total)) {
        return NULL;
    }
    json_t *json = json_object();
    json_t *of = total > 0 ? json_integer((json_int_t)total) : json_null();
    int failed = json_object_set_new(json, "current", json_integer((json_int_t)current));
    failed |= json_object_set_new(json, "total", of);
    if (failed) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static int add_fields(json_t *json, const refq_task *task)
{
    static const char *const special[] = {"args", "progress", "status", "ref_id"};
    const char *name = NULL;
    const char *value = NULL;
    int failed = 0;
    for (unsigned i = 0; refq_task_field_at(task, i, &name, &value); i++) {
        if (!is_one_of(name, special, sizeof special / sizeof special[0])) {
            failed |= json_object_set_new(json, name, field_json(name, value));
        }
    }
    return failed;
}

json_t *cli_task_json(const refq_task *task)
{
    char ref[REFQ_REF_MAX + 1];
    json_t *json = json_object();
    int failed =
        json_object_set_new(json, "ref_id", json_string(refq_ref_format(refq_task_ref(task), ref)));
    failed |=
        json_object_set_new(json, "status", json_string(refq_status_name(refq_task_status(task))));
    failed |= add_fields(json, task);
    json_t *progress = progress_json(task);
    if (progress != NULL) {
        failed |= json_object_set_new(json, "progress", progress);
    }
    if (failed) {
        json_decref(json);
        return NULL;
    }
    return json;
}

json_t *cli_task_json_full(const refq_task *task, const char *error)
{
    json_t *json = cli_task_json(task);
    if (json != NULL && error[0] != '\0') {
        (void)json_object_set_new(json, "error", cli_text_json(error));
    }
    return json;
}

/* --- Text ------------------------------------------------------------------------------------- */

void cli_task_count(rqi_buf *out, const refq_task *task)
{
    int64_t current = 0;
    int64_t total = 0;
    if (!refq_task_progress(task, &current, &total)) {
        return;
    }
    rqi_buf_addf(out, "%lld", (long long)current);
    if (total > 0) {
        rqi_buf_addf(out, "/%lld", (long long)total);
    }
}

static void add_field(rqi_buf *out, const refq_task *task, const char *name, const char *before)
{
    const char *value = refq_task_field(task, name);
    if (value == NULL || value[0] == '\0') {
        return;
    }
    rqi_buf_adds(out, out->len > 0 ? before : "");
    cli_text_clean(out, value, strlen(value));
}

static void processing_remark(rqi_buf *out, const refq_task *task)
{
    cli_task_count(out, task);
    add_field(out, task, "message", " ");
}

static void failed_remark(rqi_buf *out, const refq_task *task)
{
    add_field(out, task, "error", "");
}

/* A pending task that has an error waits for its next attempt. */
static void pending_remark(rqi_buf *out, const refq_task *task)
{
    if (refq_task_field(task, "error") != NULL) {
        rqi_buf_addf(out, "after attempt %lld", (long long)refq_task_number(task, "attempt", 1));
        add_field(out, task, "error", ": ");
    }
}

void cli_task_remark(rqi_buf *out, const refq_task *task)
{
    static void (*const remarks[])(rqi_buf *, const refq_task *) = {
        [REFQ_PENDING] = pending_remark,
        [REFQ_PROCESSING] = processing_remark,
        [REFQ_FAILED] = failed_remark,
        [REFQ_CANCELLED] = NULL,
    };
    size_t i = (size_t)refq_task_status(task);
    if (i >= sizeof remarks / sizeof remarks[0] || remarks[i] == NULL) {
        return;
    }
    rqi_buf remark = {0};
    remarks[i](&remark, task);
    rqi_buf_add(out, rqi_buf_str(&remark), remark.len);
    rqi_buf_done(&remark);
}
