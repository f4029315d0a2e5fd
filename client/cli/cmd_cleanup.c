/* SPDX-License-Identifier: MIT */
/* refq cleanup: removes finished tasks before their time. */
#include "cli.h"

#include "exit.h"
#include "readers.h"
#include "removal.h"

struct cleanup_options {
    const char *queue;
    cli_number older_than; /* ms */
    cli_number status;
    const char *task;
    bool dry_run;
    bool yes;
};

#define AT(field) offsetof(struct cleanup_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "the queue (default: REFQ_QUEUE, else \"default\")"},
    {"older-than", 0, CLI_VALUE, "DUR", AT(older_than), cli_read_duration,
     "tasks that ended so long ago; 0 = all that have ended (required)"},
    {"status", 's', CLI_VALUE, "S", AT(status), cli_read_ended,
     "only complete, failed or cancelled"},
    {"task", 't', CLI_VALUE, "TASK", AT(task), cli_read_task, "only tasks of this name"},
    {"dry-run", 'n', CLI_NO_VALUE, NULL, AT(dry_run), cli_read_flag, "only count them"},
    {"yes", 'y', CLI_NO_VALUE, NULL, AT(yes), cli_read_flag, "do not ask"},
};

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct cleanup_options *opt = given;
    const cli_removal removal = {
        .queue = opt->queue, .dry_run = opt->dry_run, .yes = opt->yes, .what = "finished tasks"};
    refq_cleanup_query query = {.struct_size = sizeof query,
                                .older_than_ms = opt->older_than.value,
                                .status = opt->status.given ? (int)opt->status.value : -1,
                                .task = opt->task};
    if (!opt->older_than.given) {
        return cli_fail_as(EX_USAGE, "cleanup: --older-than is missing; for example --older-than "
                                     "7d, or 0 for all that have ended");
    }
    return cli_removal_run(common, &removal, &query);
}

const cli_command cli_cleanup = {
    .name = "cleanup",
    .operands = "",
    .summary = "remove finished tasks before their time",
    .about = "Removes tasks that are over, with their arguments, history and results. Without it\n"
             "they go by themselves, when their time is up. Asks first on a terminal; elsewhere\n"
             "--yes or --dry-run is needed.\n"
             "Exit status: 0 done, 1 the answer was no, 66 there is no such queue.\n",
    .example = "refq cleanup --queue docs --older-than 7d --status complete --dry-run",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct cleanup_options),
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
