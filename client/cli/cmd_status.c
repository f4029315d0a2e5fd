/* SPDX-License-Identifier: MIT */
/* refq status: everything the record of a task says. */
#include "cli.h"

#include "exit.h"
#include "history.h"
#include "out.h"
#include "task_block.h"
#include "task_view.h"

static int show(const cli_common *common, refq_client *client, const refq_task *task)
{
    rqi_buf error = {0};
    cli_history_error(client, task, &error);
    int code = common->json ? cli_out_json(cli_task_json_full(task, rqi_buf_str(&error)))
                            : cli_task_block(task, error.len > 0 ? rqi_buf_str(&error) : NULL);
    rqi_buf_done(&error);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)given;
    (void)argc;
    refq_client *client = NULL;
    refq_task *task = NULL;
    int code = cli_open_task(common, argv[0], &client, &task);
    if (code == EX_OK) {
        code = show(common, client, task);
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
