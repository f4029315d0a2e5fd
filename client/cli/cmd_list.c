/* SPDX-License-Identifier: MIT */
/* refq list: the tasks of a queue. */
#include "cli.h"

#include "exit.h"
#include "json_list.h"
#include "out.h"
#include "pages.h"
#include "queue.h"
#include "readers.h"
#include "task_view.h"

#include "base/parse.h"

#include <string.h>

#define LIMIT_DEFAULT 50
#define ID_SHOWN      8 /* hex digits of a worker's id: enough to tell a fleet's workers apart */

/* --- Options ---------------------------------------------------------------------------------- */

struct list_options {
    const char *queue;
    cli_number status;
    const char *task;
    bool dead;
    cli_number limit;
    const char *cursor;
    bool all;
};

#define AT(field) offsetof(struct list_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "the queue (default: REFQ_QUEUE, else \"default\")"},
    {"status", 's', CLI_VALUE, "S", AT(status), cli_read_status,
     "only pending, processing, complete, failed or cancelled"},
    {"task", 't', CLI_VALUE, "TASK", AT(task), cli_read_task, "only tasks of this name"},
    {"dead", 0, CLI_NO_VALUE, NULL, AT(dead), cli_read_flag, "only dead letters, newest first"},
    {"limit", 'n', CLI_VALUE, "N", AT(limit), cli_read_page,
     "at most so many, 1 to 1000 (default: 50)"},
    {"cursor", 0, CLI_VALUE, "C", AT(cursor), cli_read_text,
     "the page behind this one; \"start\" = the first"},
    {"all", 0, CLI_NO_VALUE, NULL, AT(all), cli_read_flag, "all there are, page by page"},
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

/* --- For people ------------------------------------------------------------------------------- */

static int add_row(void *arg, const refq_task *task)
{
    add_task(arg, task);
    return EX_OK;
}

static int explain_none(refq_client *client, const char *queue)
{
    cli_queue_known look;
    refq_error err = {0};
    if (cli_queue_look(client, queue, &look, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (!look.known && look.nearest[0] != '\0') {
        cli_note("there is no queue '%s'; did you mean '%s'?", queue, look.nearest);
    } else if (!look.known) {
        cli_note("there is no queue '%s' yet", queue);
    } else {
        cli_note("no such tasks in queue %s", queue);
    }
    return EX_OK;
}

static void tell_paused(refq_client *client, const char *queue)
{
    refq_stats stats = {.struct_size = sizeof stats};
    refq_error err = {0};
    if (refq_client_stats(client, queue, &stats, &err) == REFQ_OK && stats.paused) {
        cli_note("queue %s is paused: nothing is handed out until refq resume", queue);
    }
}

static int show_table(refq_client *client, cli_pages *pages)
{
    cli_table table = cli_table_make(columns, sizeof columns / sizeof columns[0]);
    int code = cli_pages_each(client, pages, add_row, &table);
    if (code == EX_OK && pages->n == 0) {
        code = explain_none(client, pages->query.queue);
    } else if (code == EX_OK) {
        code = cli_out_table(&table);
    }
    if (code == EX_OK && pages->next[0] != '\0') {
        cli_note("there are more: --cursor '%s' shows the next page, --all shows all", pages->next);
    }
    if (code == EX_OK) {
        tell_paused(client, pages->query.queue);
    }
    cli_table_done(&table);
    return code;
}

/* --- For programs ----------------------------------------------------------------------------- */

static int add_json(void *arg, const refq_task *task)
{
    return cli_json_list_add(arg, cli_task_json(task));
}

static int collect_json(void *arg, const refq_task *task)
{
    return json_array_append_new(arg, cli_task_json(task)) == 0
               ? EX_OK
               : cli_fail_as(EX_OSERR, "out of memory for the list");
}

static int show_json(refq_client *client, cli_pages *pages)
{
    cli_json_list list = {0};
    int code = cli_pages_each(client, pages, add_json, &list);
    if (code == EX_OK || list.open) {
        cli_json_list_end(&list);
    }
    return code;
}

/* A program that pages needs the cursor too, so it gets an object. */
static int show_json_page(refq_client *client, cli_pages *pages)
{
    json_t *tasks = json_array();
    int code = cli_pages_each(client, pages, collect_json, tasks);
    if (code != EX_OK) {
        json_decref(tasks);
        return code;
    }
    return cli_out_json(json_pack("{s:o, s:s}", "tasks", tasks, "next", pages->next));
}

/* --- The command ------------------------------------------------------------------------------ */

static int check(const struct list_options *opt)
{
    if (opt->all && (opt->cursor != NULL || opt->limit.given)) {
        return cli_fail_as(EX_USAGE, "list: --all goes with neither --cursor nor --limit");
    }
    if (opt->dead && opt->status.given) {
        return cli_fail_as(EX_USAGE, "list: --dead goes without --status: dead letters are failed");
    }
    return EX_OK;
}

static cli_pages pages_of(const struct list_options *opt)
{
    bool from_start = opt->cursor == NULL || strcmp(opt->cursor, "start") == 0;
    return (cli_pages){
        .query = {.struct_size = sizeof(refq_list_query),
                  .status = opt->status.given ? (int)opt->status.value : -1,
                  .dead = opt->dead,
                  .task = opt->task},
        .from = from_start ? NULL : opt->cursor,
        .limit = opt->all           ? 0
                 : opt->limit.given ? opt->limit.value
                                    : LIMIT_DEFAULT,
    };
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct list_options *opt = given;
    refq_client *client = NULL;
    cli_pages pages = pages_of(opt);
    int code = check(opt);
    code = code == EX_OK ? cli_queue_pick(opt->queue, &pages.query.queue) : code;
    code = code == EX_OK ? cli_connect(common, &client) : code;
    if (code == EX_OK && !common->json) {
        code = show_table(client, &pages);
    } else if (code == EX_OK) {
        code = opt->cursor != NULL ? show_json_page(client, &pages) : show_json(client, &pages);
    }
    cli_pages_done(&pages);
    refq_client_close(client);
    return code;
}

const cli_command cli_list = {
    .name = "list",
    .operands = "",
    .summary = "list the tasks of a queue",
    .about =
        "Lists tasks of one queue. AGE counts from the submission; WORKER is the start of the\n"
        "worker's id. When there are more, the cursor of the next page goes to stderr; with\n"
        "-o json, --cursor start begins paging by objects that hold it.\n",
    .example = "refq list --queue docs --status failed --limit 20",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct list_options),
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
