/* SPDX-License-Identifier: MIT */
/* refq retry: runs tasks again that failed or were cancelled. */
#include "cli.h"

#include "confirm.h"
#include "exit.h"
#include "queue.h"
#include "readers.h"
#include "replay.h"

#include "base/error.h"

#include <stdlib.h>

struct retry_options {
    const char *queue;
    cli_number status;
    const char *task;
    bool yes;
};

static refq_err read_status(const char *text, void *target, refq_error *err)
{
    refq_err code = cli_read_ended(text, target, err);
    if (code == REFQ_OK && ((cli_number *)target)->value == REFQ_COMPLETE) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "a complete task cannot run again; use failed or cancelled");
    }
    return code;
}

#define AT(field) offsetof(struct retry_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "all tasks of this queue with the status given"},
    {"status", 's', CLI_VALUE, "S", AT(status), read_status, "failed or cancelled"},
    {"task", 't', CLI_VALUE, "TASK", AT(task), cli_read_task, "only tasks of this name"},
    {"yes", 'y', CLI_NO_VALUE, NULL, AT(yes), cli_read_flag, "do not ask"},
};

static int retry_refs(const cli_common *common, int argc, char **argv)
{
    refq_ref *refs = NULL;
    cli_replay replay = {.json = common->json};
    int code = cli_parse_refs(argc, argv, &refs);
    code = code == EX_OK ? cli_connect(common, &replay.client) : code;
    if (code == EX_OK) {
        code = cli_replay_refs(&replay, refs, (size_t)argc);
        cli_replay_end(&replay);
    }
    refq_client_close(replay.client);
    free(refs);
    return code;
}

static int retry_list(const cli_common *common, const struct retry_options *opt)
{
    cli_replay replay = {.json = common->json};
    refq_list_query query = {
        .struct_size = sizeof query, .status = (int)opt->status.value, .task = opt->task};
    int code = cli_queue_pick(opt->queue, &query.queue);
    code = code == EX_OK ? cli_connect(common, &replay.client) : code;
    code = code == EX_OK ? cli_queue_require(replay.client, query.queue) : code;
    code = code == EX_OK
               ? cli_confirm(opt->yes, "run all %s tasks of queue %s again?",
                             refq_status_name((refq_status)opt->status.value), query.queue)
               : code;
    if (code == EX_OK) {
        code = cli_replay_list(&replay, &query);
        cli_replay_end(&replay);
    }
    refq_client_close(replay.client);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    const struct retry_options *opt = given;
    bool filtered = opt->queue != NULL || opt->status.given || opt->task != NULL;
    if (argc > 0 && filtered) {
        return cli_fail_as(EX_USAGE, "retry: give references, or --queue and --status, not both");
    }
    if (argc == 0 && !opt->status.given) {
        return cli_fail_as(EX_USAGE, "retry: give references, or --status failed or --status "
                                     "cancelled for all such tasks of a queue");
    }
    return argc > 0 ? retry_refs(common, argc, argv) : retry_list(common, opt);
}

const cli_command cli_retry = {
    .name = "retry",
    .operands = "[REF...]",
    .summary = "run failed or cancelled tasks again",
    .about =
        "Runs tasks again as new tasks and prints `old -> new` for each. The old record stays and\n"
        "names the new one. A task that was run again before shows the one that replaced it.\n"
        "Without references: all tasks of a queue with a status; asks first on a terminal.\n"
        "Exit status: 0 all run again, 1 one is not failed or cancelled or its arguments are\n"
        "gone, 66 one does not exist.\n",
    .example = "refq retry --queue docs --status failed --task ocr_pdf",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct retry_options),
    .min_operands = 0,
    .max_operands = -1,
    .run = run,
};
