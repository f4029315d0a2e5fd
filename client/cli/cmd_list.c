/* SPDX-License-Identifier: MIT */
/* refq list: the tasks of a queue. */
#include "cli.h"

#include "exit.h"
#include "out.h"
#include "task_view.h"

#include "base/error.h"
#include "base/parse.h"

#include <stdlib.h>

#define LIMIT_MAX 1000
#define ID_SHOWN  8 /* hex digits of a worker's id: enough to tell a fleet's workers apart */

/* --- Options ---------------------------------------------------------------------------------- */

struct list_options {
    const char *queue;
    cli_number status;
    cli_number limit;
};

static refq_err read_status(const char *text, void *target, refq_error *err)
{
    refq_status status = REFQ_PENDING;
    if (refq_status_parse(text, &status) != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.40s' is not a status; use pending, processing, complete, failed or "
                        "cancelled",
                        text);
    }
    *(cli_number *)target = (cli_number){.given = true, .value = status};
    return REFQ_OK;
}

static refq_err read_limit(const char *text, void *target, refq_error *err)
{
    cli_number *limit = target;
    limit->given = true;
    return rqi_parse_int(text, 1, LIMIT_MAX, &limit->value, err);
}

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", offsetof(struct list_options, queue), cli_read_text,
     "the queue (default: REFQ_QUEUE, else \"default\")"},
    {"status", 's', CLI_VALUE, "S", offsetof(struct list_options, status), read_status,
     "only pending, processing, complete, failed or cancelled"},
    {"limit", 'n', CLI_VALUE, "N", offsetof(struct list_options, limit), read_limit,
     "at most so many, 1 to 1000 (default: 50)"},
};

/* --- Output ----------------------------------------------------------------------------------- */

static const cli_column columns[] = {
    {"REF", false},    {"TASK", false},     {"STATUS", false}, {"LANE", false},
    {"ATTEMPT", true}, {"PROGRESS", false}, {"AGE", true},     {"WORKER", false},
};

static const char *field(const refq_task *task, const char *name)
{
    const char *text = refq_task_field(task, name);
    return text != NULL ? text : "";
}

static void add_progress(cli_table *table, const refq_task *task)
{
    rqi_buf count = {0};
    cli_task_count(&count, task);
    cli_table_add(table, CLI_PLAIN, "%s", rqi_buf_str(&count));
    rqi_buf_done(&count);
}

static void add_age(cli_table *table, const refq_task *task)
{
    char age[32];
    int64_t seen = refq_task_seen_at_ms(task);
    int64_t created = refq_task_number(task, "created_at", seen);
    int64_t ms = seen > created ? seen - created : 0;
    cli_table_add(table, CLI_PLAIN, "%s", rqi_format_duration(age, sizeof age, ms));
}

static void add_task(cli_table *table, const refq_task *task)
{
    char ref[REFQ_REF_MAX + 1];
    refq_status status = refq_task_status(task);
    cli_table_add(table, CLI_PLAIN, "%s", refq_ref_format(refq_task_ref(task), ref));
    cli_table_add(table, CLI_PLAIN, "%s", field(task, "task"));
    cli_table_add(table, cli_tone_of(status), "%s", refq_status_name(status));
    cli_table_add(table, CLI_PLAIN, "%s", field(task, "lane"));
    cli_table_add(table, CLI_PLAIN, "%s", field(task, "attempt"));
    add_progress(table, task);
    add_age(table, task);
    cli_table_add(table, CLI_PLAIN, "%.*s", ID_SHOWN, field(task, "worker"));
}

static int show_table(refq_task *const *tasks, size_t n, const char *queue)
{
    if (n == 0) {
        cli_note("no such tasks in queue %s", queue);
        return EX_OK;
    }
    cli_table table = cli_table_make(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < n; i++) {
        add_task(&table, tasks[i]);
    }
    return cli_out_table(&table);
}

static int show_json(refq_task *const *tasks, size_t n)
{
    json_t *list = json_array();
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        failed |= json_array_append_new(list, cli_task_json(tasks[i]));
    }
    if (failed) {
        json_decref(list);
        list = NULL;
    }
    return cli_out_json(list);
}

/* --- The command ------------------------------------------------------------------------------ */

static int list(const cli_common *common, const refq_list_query *query)
{
    refq_client *client = NULL;
    refq_list page = {0};
    refq_error err = {0};
    int code = cli_connect(common, &client);
    if (code != EX_OK) {
        return code;
    }
    if (refq_client_list(client, query, &page, &err) != REFQ_OK) {
        code = cli_fail(&err);
    } else {
        code = common->json ? show_json(page.tasks, page.n)
                            : show_table(page.tasks, page.n, query->queue);
    }
    refq_list_free(&page);
    refq_client_close(client);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct list_options *opt = given;
    refq_list_query query = {
        .struct_size = sizeof query,
        .queue = opt->queue != NULL ? opt->queue : cli_default_queue(),
        .status = opt->status.given ? (int)opt->status.value : -1,
        .limit = (unsigned)opt->limit.value,
    };
    refq_error err = {0};
    if (refq_queue_check(query.queue, &err) != REFQ_OK) {
        return cli_fail_as(EX_USAGE, "%s", err.text);
    }
    return list(common, &query);
}

const cli_command cli_list = {
    .name = "list",
    .operands = "",
    .summary = "list the tasks of a queue",
    .about =
        "Lists tasks of one queue. AGE counts from the submission; WORKER is the start of the\n"
        "worker's id.\n",
    .example = "refq list --queue docs --status failed --limit 20",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct list_options),
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
