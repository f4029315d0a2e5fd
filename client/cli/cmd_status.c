/* SPDX-License-Identifier: MIT */
/* refq status: everything the record of a task says. */
#include "cli.h"

#include "exit.h"
#include "out.h"
#include "task_view.h"
#include "text.h"

/* --- For people ------------------------------------------------------------------------------- */

struct row {
    const char *label;
    const char *field;
    void (*add)(cli_table *table, const struct row *row, const refq_task *task);
};

static void add_text(cli_table *table, const struct row *row, const refq_task *task)
{
    const char *text = refq_task_field(task, row->field);
    if (text != NULL) {
        cli_table_add(table, CLI_BOLD, "%s", row->label);
        cli_table_add(table, CLI_PLAIN, "%s", text);
    }
}

static void add_error(cli_table *table, const struct row *row, const refq_task *task)
{
    const char *text = refq_task_field(task, row->field);
    if (text != NULL) {
        cli_table_add(table, CLI_BOLD, "%s", row->label);
        cli_table_add(table, CLI_RED, "%s", text);
    }
}

static void add_ref(cli_table *table, const struct row *row, const refq_task *task)
{
    char ref[REFQ_REF_MAX + 1];
    cli_table_add(table, CLI_BOLD, "%s", row->label);
    cli_table_add(table, CLI_PLAIN, "%s", refq_ref_format(refq_task_ref(task), ref));
}

static void add_queue(cli_table *table, const struct row *row, const refq_task *task)
{
    cli_table_add(table, CLI_BOLD, "%s", row->label);
    cli_table_add(table, CLI_PLAIN, "%s", refq_task_ref(task)->queue);
}

static void add_status(cli_table *table, const struct row *row, const refq_task *task)
{
    refq_status status = refq_task_status(task);
    cli_table_add(table, CLI_BOLD, "%s", row->label);
    cli_table_add(table, cli_tone_of(status), "%s", refq_status_name(status));
}

static void add_progress(cli_table *table, const struct row *row, const refq_task *task)
{
    rqi_buf count = {0};
    const char *message = refq_task_field(task, "message");
    cli_task_count(&count, task);
    if (count.len > 0 || message != NULL) {
        cli_table_add(table, CLI_BOLD, "%s", row->label);
        cli_table_add(table, CLI_PLAIN, "%s%s%s", rqi_buf_str(&count),
                      count.len > 0 && message != NULL ? " " : "", message != NULL ? message : "");
    }
    rqi_buf_done(&count);
}

/* Relative to the server's clock at the time of the answer, so that a wrong local clock does no
 * harm. */
static void add_time(cli_table *table, const struct row *row, const refq_task *task)
{
    int64_t at = refq_task_number(task, row->field, -1);
    if (at < 0) {
        return;
    }
    char stamp[CLI_TIME_MAX];
    char relative[CLI_TIME_MAX];
    cli_table_add(table, CLI_BOLD, "%s", row->label);
    cli_table_add(table, CLI_PLAIN, "%s (%s)", cli_text_time(stamp, at),
                  cli_text_relative(relative, refq_task_seen_at_ms(task) - at));
}

static void add_due(cli_table *table, const struct row *row, const refq_task *task)
{
    if (refq_task_status(task) == REFQ_PENDING) {
        add_time(table, row, task);
    }
}

static const struct row rows[] = {
    {"ref_id", NULL, add_ref},
    {"status", NULL, add_status},
    {"task", "task", add_text},
    {"queue", NULL, add_queue},
    {"lane", "lane", add_text},
    {"attempt", "attempt", add_text},
    {"progress", NULL, add_progress},
    {"created", "created_at", add_time},
    {"due", "due_at", add_due},
    {"started", "started_at", add_time},
    {"completed", "completed_at", add_time},
    {"worker", "worker", add_text},
    {"waiting", "waiting", add_text},
    {"failures", "failures", add_text},
    {"releases", "releases", add_text},
    {"deaths", "deaths", add_text},
    {"reason", "reason", add_text},
    {"error", "error", add_error},
    {"replaced by", "replaced_by", add_text},
};

static int show_block(const refq_task *task)
{
    static const cli_column columns[] = {{NULL, false}, {NULL, false}};
    cli_table table = cli_table_make(columns, 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rows[i].add(&table, &rows[i], task);
    }
    return cli_out_table(&table);
}

/* --- The command ------------------------------------------------------------------------------ */

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)given;
    (void)argc;
    refq_ref ref;
    refq_client *client = NULL;
    refq_task *task = NULL;
    refq_error err = {0};
    int code = cli_parse_ref(argv[0], &ref);
    code = code == EX_OK ? cli_connect(common, &client) : code;
    if (code != EX_OK) {
        return code;
    }
    if (refq_client_status(client, &ref, &task, &err) != REFQ_OK) {
        code = cli_fail(&err);
    } else {
        code = common->json ? cli_out_json(cli_task_json(task)) : show_block(task);
    }
    refq_task_free(task);
    refq_client_close(client);
    return code;
}

const cli_command cli_status = {
    .name = "status",
    .operands = "REF",
    .summary = "show a task's record",
    .about = "Shows what the record of a task says now.\n"
             "Exit status: 0 whatever the status is, 66 when there is no such task.\n",
    .example = "refq status docs:0123456789abcdef0123456789abcdef -o json",
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
