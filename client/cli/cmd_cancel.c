/* SPDX-License-Identifier: MIT */
/* refq cancel: ends tasks, whether they run or wait. */
#include "cli.h"

#include "exit.h"
#include "out.h"
#include "task_view.h"

#include <stdlib.h>

static json_t *result_json(const char *ref, refq_status status)
{
    return json_pack("{s:s, s:s}", "ref_id", ref, "status", refq_status_name(status));
}

static void add_row(cli_table *table, const char *ref, refq_status status)
{
    cli_table_add(table, CLI_PLAIN, "%s", ref);
    cli_table_add(table, cli_tone_of(status), "%s", refq_status_name(status));
}

static int cancel_one(refq_client *client, const refq_ref *ref, cli_table *table, json_t *list)
{
    char text[REFQ_REF_MAX + 1];
    refq_task *task = NULL;
    refq_error err = {0};
    if (refq_client_cancel(client, ref, &task, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    refq_status status = refq_task_status(task);
    (void)refq_ref_format(ref, text);
    add_row(table, text, status);
    (void)json_array_append_new(list, result_json(text, status));
    refq_task_free(task);
    return status == REFQ_CANCELLED ? EX_OK : CLI_EXIT_NO;
}

/* One that is gone does not keep the others from being cancelled; a lost server does. */
static int cancel_all(refq_client *client, const refq_ref *refs, int n, cli_table *table,
                      json_t *list)
{
    int worst = EX_OK;
    for (int i = 0; i < n; i++) {
        int code = cancel_one(client, &refs[i], table, list);
        worst = code > worst ? code : worst;
        if (code != EX_OK && code != CLI_EXIT_NO && code != EX_NOINPUT) {
            break;
        }
    }
    return worst;
}

static int cancel_and_show(const cli_common *common, const refq_ref *refs, int n)
{
    static const cli_column columns[] = {{NULL, false}, {NULL, false}};
    refq_client *client = NULL;
    int code = cli_connect(common, &client);
    if (code != EX_OK) {
        return code;
    }
    cli_table table = cli_table_make(columns, 2);
    json_t *list = json_array();
    code = cancel_all(client, refs, n, &table, list);
    int shown = common->json ? cli_out_json(json_incref(list)) : cli_out_table(&table);
    cli_table_done(&table);
    json_decref(list);
    refq_client_close(client);
    return code != EX_OK ? code : shown;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)given;
    refq_ref *refs = NULL;
    int code = cli_parse_refs(argc, argv, &refs);
    code = code == EX_OK ? cancel_and_show(common, refs, argc) : code;
    free(refs);
    return code;
}

const cli_command cli_cancel = {
    .name = "cancel",
    .operands = "REF [REF...]",
    .summary = "cancel tasks that wait or run",
    .about =
        "Prints for each task the status that stands: cancelled, or what it already was.\n"
        "Exit status: 0 all are cancelled, 1 one had already completed or failed, 66 one does\n"
        "not exist.\n",
    .example = "refq cancel docs:0123456789abcdef0123456789abcdef",
    .min_operands = 1,
    .max_operands = -1,
    .run = run,
};
