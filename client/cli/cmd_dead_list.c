/* SPDX-License-Identifier: MIT */
/* refq dead list: the dead letters of a queue, with why they died. */
#include "cli.h"

#include "exit.h"
#include "json_list.h"
#include "out.h"
#include "pages.h"
#include "queue.h"
#include "readers.h"
#include "task_view.h"

#include "base/parse.h"

struct dead_options {
    const char *queue;
    const char *task;
    cli_number limit;
    bool all;
};

#define AT(field) offsetof(struct dead_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "the queue (default: REFQ_QUEUE, else \"default\")"},
    {"task", 't', CLI_VALUE, "TASK", AT(task), cli_read_task, "only tasks of this name"},
    {"limit", 'n', CLI_VALUE, "N", AT(limit), cli_read_page,
     "at most so many, 1 to 1000 (default: 50)"},
    {"all", 0, CLI_NO_VALUE, NULL, AT(all), cli_read_flag, "all there are"},
};

static const cli_column columns[] = {
    {"REF", false},    {"TASK", false}, {"REASON", false},
    {"ATTEMPT", true}, {"AGE", true},   {"ERROR", false},
};

static const char *field(const refq_task *task, const char *name)
{
    const char *text = refq_task_field(task, name);
    return text != NULL ? text : "";
}

static void add_age(cli_table *table, const refq_task *task)
{
    char age[32];
    int64_t seen = refq_task_seen_at_ms(task);
    int64_t ms = seen - refq_task_number(task, "completed_at", seen);
    cli_table_add(table, CLI_PLAIN, "%s", rqi_format_duration(age, sizeof age, ms > 0 ? ms : 0));
}

static int add_task(void *arg, const refq_task *task)
{
    cli_table *table = arg;
    char ref[REFQ_REF_MAX + 1];
    cli_table_add(table, CLI_PLAIN, "%s", refq_ref_format(refq_task_ref(task), ref));
    cli_table_add(table, CLI_PLAIN, "%s", field(task, "task"));
    cli_table_add(table, CLI_RED, "%s", field(task, "reason"));
    cli_table_add(table, CLI_PLAIN, "%s", field(task, "attempt"));
    add_age(table, task);
    cli_table_add(table, CLI_PLAIN, "%s", field(task, "error"));
    return EX_OK;
}

static int add_json(void *arg, const refq_task *task)
{
    return cli_json_list_add(arg, cli_task_json(task));
}

static int list_table(refq_client *client, cli_pages *pages)
{
    cli_table table = cli_table_make(columns, sizeof columns / sizeof columns[0]);
    int code = cli_pages_each(client, pages, add_task, &table);
    if (code == EX_OK && pages->n == 0) {
        cli_note("no dead letters in queue %s", pages->query.queue);
    } else if (code == EX_OK) {
        code = cli_out_table(&table);
    }
    if (code == EX_OK && pages->next[0] != '\0') {
        cli_note("there are more; --all shows them");
    }
    cli_table_done(&table);
    return code;
}

static int list_json(refq_client *client, cli_pages *pages)
{
    cli_json_list list = {0};
    int code = cli_pages_each(client, pages, add_json, &list);
    if (code == EX_OK || list.open) {
        cli_json_list_end(&list);
    }
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct dead_options *opt = given;
    refq_client *client = NULL;
    cli_pages pages = {
        .query = {.struct_size = sizeof pages.query, .status = -1, .dead = true, .task = opt->task},
        .limit = opt->all           ? 0
                 : opt->limit.given ? opt->limit.value
                                    : 50};
    int code = cli_queue_pick(opt->queue, &pages.query.queue);
    code = code == EX_OK ? cli_connect(common, &client) : code;
    code = code == EX_OK ? cli_queue_require(client, pages.query.queue) : code;
    if (code == EX_OK) {
        code = common->json ? list_json(client, &pages) : list_table(client, &pages);
    }
    cli_pages_done(&pages);
    refq_client_close(client);
    return code;
}

const cli_command cli_dead_list = {
    .name = "dead list",
    .operands = "",
    .summary = "list dead letters: tasks that failed for good",
    .about = "Lists the failed tasks of a queue, newest first. AGE counts from their end. REASON:\n"
             "exhausted (out of retries), permanent (its handler said so), poison (its workers\n"
             "died), expired (not begun in time), undecodable, unknown_handler. `refq logs REF`\n"
             "has the errors in full.\n"
             "Exit status: 0 listed, 66 there is no such queue.\n",
    .example = "refq dead list --queue docs --task ocr_pdf",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct dead_options),
    .max_operands = 0,
    .run = run,
};
