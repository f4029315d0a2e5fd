/* SPDX-License-Identifier: MIT */
#include "task_block.h"

#include "exit.h"
#include "out.h"
#include "task_view.h"
#include "text.h"

#include <string.h>

struct view {
    const refq_task *task;
    const char *error; /* in full; NULL = as the record has it */
};

struct row {
    const char *label;
    const char *field;
    void (*add)(cli_table *table, const struct row *row, const struct view *view);
};

static void add_text(cli_table *table, const struct row *row, const struct view *view)
{
    const char *text = refq_task_field(view->task, row->field);
    if (text != NULL) {
        cli_table_add(table, CLI_BOLD, "%s", row->label);
        cli_table_add(table, CLI_PLAIN, "%s", text);
    }
}

static const char *meaning_of(const char *count)
{
    static const char *const meanings[][2] = {
        {"failures", "the attempt failed"},
        {"releases", "the worker stopped and gave it back"},
        {"deaths", "the worker vanished"},
        {"crashes", "its own process died; 3 are poison"},
    };
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strcmp(meanings[i][0], count) == 0) {
            return meanings[i][1];
        }
    }
    return "";
}

/* A count of 0 says nothing about the task: `failures` is set to it when there is a history. */
static void add_count(cli_table *table, const struct row *row, const struct view *view)
{
    const char *text = refq_task_field(view->task, row->field);
    if (text != NULL && strcmp(text, "0") != 0) {
        cli_table_add(table, CLI_BOLD, "%s", row->label);
        cli_table_add(table, CLI_PLAIN, "%s (%s)", text, meaning_of(row->field));
    }
}

static void add_error(cli_table *table, const struct row *row, const struct view *view)
{
    const char *recorded = refq_task_field(view->task, row->field);
    if (recorded != NULL) {
        cli_table_add(table, CLI_BOLD, "%s", row->label);
        cli_table_add(table, CLI_RED, "%s", view->error != NULL ? view->error : recorded);
    }
}

static void add_ref(cli_table *table, const struct row *row, const struct view *view)
{
    char ref[REFQ_REF_MAX + 1];
    cli_table_add(table, CLI_BOLD, "%s", row->label);
    cli_table_add(table, CLI_PLAIN, "%s", refq_ref_format(refq_task_ref(view->task), ref));
}

/* Another task of the same queue, of which the record holds the hex part. */
static void add_other(cli_table *table, const struct row *row, const struct view *view)
{
    const char *hex = refq_task_field(view->task, row->field);
    if (hex != NULL) {
        cli_table_add(table, CLI_BOLD, "%s", row->label);
        cli_table_add(table, CLI_PLAIN, "%s:%s", refq_task_ref(view->task)->queue, hex);
    }
}

static void add_queue(cli_table *table, const struct row *row, const struct view *view)
{
    cli_table_add(table, CLI_BOLD, "%s", row->label);
    cli_table_add(table, CLI_PLAIN, "%s", refq_task_ref(view->task)->queue);
}

static void add_status(cli_table *table, const struct row *row, const struct view *view)
{
    refq_status status = refq_task_status(view->task);
    cli_table_add(table, CLI_BOLD, "%s", row->label);
    cli_table_add(table, cli_tone_of(status), "%s", refq_status_name(status));
}

static void add_progress(cli_table *table, const struct row *row, const struct view *view)
{
    rqi_buf count = {0};
    const char *message = refq_task_field(view->task, "message");
    cli_task_count(&count, view->task);
    if (count.len > 0 || message != NULL) {
        cli_table_add(table, CLI_BOLD, "%s", row->label);
        cli_table_add(table, CLI_PLAIN, "%s%s%s", rqi_buf_str(&count),
                      count.len > 0 && message != NULL ? " " : "", message != NULL ? message : "");
    }
    rqi_buf_done(&count);
}

/* Relative to the server's clock at the time of the answer, so that a wrong local clock does no
 * harm. */
static void add_time(cli_table *table, const struct row *row, const struct view *view)
{
    int64_t at = refq_task_number(view->task, row->field, -1);
    if (at < 0) {
        return;
    }
    char stamp[CLI_TIME_MAX];
    char relative[CLI_TIME_MAX];
    cli_table_add(table, CLI_BOLD, "%s", row->label);
    cli_table_add(table, CLI_PLAIN, "%s (%s)", cli_text_time(stamp, at),
                  cli_text_relative(relative, refq_task_seen_at_ms(view->task) - at));
}

static void add_due(cli_table *table, const struct row *row, const struct view *view)
{
    if (refq_task_status(view->task) == REFQ_PENDING) {
        add_time(table, row, view);
    }
}

/* A line for each of them. */
static void add_after(cli_table *table, const struct row *row, const struct view *view)
{
    const char *at = refq_task_field(view->task, row->field);
    const char *label = row->label;
    while (at != NULL && at[0] != '\0') {
        int len = (int)strcspn(at, " ");
        cli_table_add(table, CLI_BOLD, "%s", label);
        cli_table_add(table, CLI_PLAIN, "%.*s", len, at);
        at += len;
        at += strspn(at, " ");
        label = "";
    }
}

static const struct row rows[] = {
    {"ref_id", NULL, add_ref},
    {"status", NULL, add_status},
    {"task", "task", add_text},
    {"queue", NULL, add_queue},
    {"key", "key", add_text},
    {"lane", "lane", add_text},
    {"namespace", "namespace", add_text},
    {"owner", "owner", add_text},
    {"session", "session", add_text},
    {"policy", "policy", add_text},
    {"submitted by", "actor", add_text},
    {"attempt", "attempt", add_text},
    {"progress", NULL, add_progress},
    {"created", "created_at", add_time},
    {"due", "due_at", add_due},
    {"waits for", "after", add_after},
    {"started", "started_at", add_time},
    {"completed", "completed_at", add_time},
    {"worker", "worker", add_text},
    {"waiting", "waiting", add_text},
    {"question", "question", add_text},
    {"failures", "failures", add_count},
    {"releases", "releases", add_count},
    {"deaths", "deaths", add_count},
    {"crashes", "crashes", add_count},
    {"reason", "reason", add_text},
    {"error", "error", add_error},
    {"replaces", "replaces", add_other},
    {"replaced by", "replaced_by", add_other},
};

int cli_task_block(const refq_task *task, const char *error)
{
    static const cli_column columns[] = {{NULL, false}, {NULL, false}};
    struct view view = {task, error};
    cli_table table = cli_table_make(columns, 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rows[i].add(&table, &rows[i], &view);
    }
    return cli_out_table(&table);
}
