/* SPDX-License-Identifier: MIT */
/* refq dead replay: runs dead letters again. */
#include "cli.h"

#include "confirm.h"
#include "exit.h"
#include "queue.h"
#include "readers.h"
#include "replay.h"

#include <stdlib.h>

struct replay_options {
    const char *queue;
    bool all;
    const char *task;
    cli_number rate; /* ms between two */
    bool yes;
};

#define AT(field) offsetof(struct replay_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "with --all: the queue (default: REFQ_QUEUE, else \"default\")"},
    {"all", 0, CLI_NO_VALUE, NULL, AT(all), cli_read_flag, "all dead letters of the queue"},
    {"task", 't', CLI_VALUE, "TASK", AT(task), cli_read_task,
     "with --all: only tasks of this name"},
    {"rate", 0, CLI_VALUE, "N/s", AT(rate), cli_read_rate,
     "at most so many in a second (/m, /h): spares what they depend on"},
    {"yes", 'y', CLI_NO_VALUE, NULL, AT(yes), cli_read_flag, "do not ask"},
};

static int replay_refs(const cli_common *common, cli_replay *replay, int argc, char **argv)
{
    refq_ref *refs = NULL;
    int code = cli_parse_refs(argc, argv, &refs);
    code = code == EX_OK ? cli_connect(common, &replay->client) : code;
    if (code == EX_OK) {
        code = cli_replay_refs(replay, refs, (size_t)argc);
        cli_replay_end(replay);
    }
    free(refs);
    return code;
}

static int replay_all(const cli_common *common, cli_replay *replay,
                      const struct replay_options *opt)
{
    refq_list_query query = {
        .struct_size = sizeof query, .status = -1, .dead = true, .task = opt->task};
    int code = cli_queue_pick(opt->queue, &query.queue);
    code = code == EX_OK ? cli_connect(common, &replay->client) : code;
    code = code == EX_OK ? cli_queue_require(replay->client, query.queue) : code;
    code = code == EX_OK ? cli_confirm(opt->yes, "run all dead letters%s%s of queue %s again?",
                                       opt->task != NULL ? " of task " : "",
                                       opt->task != NULL ? opt->task : "", query.queue)
                         : code;
    if (code == EX_OK) {
        code = cli_replay_list(replay, &query);
        cli_replay_end(replay);
    }
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    const struct replay_options *opt = given;
    cli_replay replay = {.json = common->json, .gap_ms = opt->rate.value};
    if (opt->all == (argc > 0)) {
        return cli_fail_as(EX_USAGE, "dead replay: give references, or --all");
    }
    if (!opt->all && (opt->queue != NULL || opt->task != NULL)) {
        return cli_fail_as(EX_USAGE, "dead replay: --queue and --task go with --all");
    }
    int code =
        opt->all ? replay_all(common, &replay, opt) : replay_refs(common, &replay, argc, argv);
    refq_client_close(replay.client);
    return code;
}

const cli_command cli_dead_replay = {
    .name = "dead replay",
    .operands = "[REF...]",
    .summary = "run dead letters again",
    .about =
        "Runs dead letters again as new tasks and prints `old -> new` for each; those that\n"
        "were run again already are passed over. --all asks first on a terminal.\n"
        "Exit status: 0 all run again, 1 one cannot run again (its arguments are gone), 66 one\n"
        "does not exist.\n",
    .example = "refq dead replay --queue docs --all --task ocr_pdf --rate 5/s",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct replay_options),
    .max_operands = -1,
    .run = run,
};
