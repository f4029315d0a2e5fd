/* SPDX-License-Identifier: MIT */
/*
 * refq stats: the numbers of one queue, once or again and again.
 *
 * DESIGN. On a terminal the block is written over itself; in a pipe each look
 * is a block or an object of its own. Rates are taken between two looks by the
 * server's clock, so a slow connection does not falsify them.
 */
#include "cli.h"

#include "exit.h"
#include "out.h"
#include "queue.h"
#include "readers.h"
#include "stats_view.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct stats_options {
    const char *queue;
    cli_number watch; /* ms */
};

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", offsetof(struct stats_options, queue), cli_read_text,
     "the queue (default: REFQ_QUEUE, else \"default\")"},
    {"watch", 'w', CLI_MAYBE_VALUE, "SECONDS", offsetof(struct stats_options, watch),
     cli_read_period, "look again and again (default: every 2 s)"},
};

static bool overwrites(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

/* Between two looks: back to where the last block began, or a blank line. */
static void part(size_t lines)
{
    rqi_buf between = {0};
    if (overwrites()) {
        rqi_buf_addf(&between, "\x1b[%zuA\x1b[J", lines);
    } else {
        rqi_buf_addc(&between, '\n');
    }
    (void)cli_out(&between);
    rqi_buf_done(&between);
}

static int show(const cli_common *common, const refq_stats *stats, const refq_stats *before,
                size_t *lines)
{
    static const cli_column columns[] = {{NULL, false}, {NULL, false}};
    if (common->json) {
        return cli_out_json(cli_stats_json(stats));
    }
    cli_table table = cli_table_make(columns, 2);
    cli_stats_rows(&table, stats, before, before != NULL ? stats->now_ms - before->now_ms : 0);
    if (before != NULL) {
        part(*lines);
    }
    *lines = table.n_cells / table.n_columns;
    return cli_out_table(&table);
}

static void pause_for(int64_t ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&span, NULL);
}

static int watch(const cli_common *common, refq_client *client, const char *queue,
                 const cli_number *period)
{
    refq_stats now = {.struct_size = sizeof now};
    refq_stats last;
    size_t lines = 0;
    int code = EX_OK;
    for (int64_t looks = 0; code == EX_OK; looks++) {
        refq_error err = {0};
        if (refq_client_stats(client, queue, &now, &err) != REFQ_OK) {
            return cli_fail(&err);
        }
        code = show(common, &now, looks > 0 ? &last : NULL, &lines);
        if (!period->given || cli_out_broken()) {
            break;
        }
        last = now;
        pause_for(period->value);
    }
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct stats_options *opt = given;
    const char *queue = NULL;
    refq_client *client = NULL;
    int code = cli_queue_pick(opt->queue, &queue);
    code = code == EX_OK ? cli_connect(common, &client) : code;
    code = code == EX_OK ? cli_queue_require(client, queue) : code;
    code = code == EX_OK ? watch(common, client, queue, &opt->watch) : code;
    refq_client_close(client);
    return code;
}

const cli_command cli_stats = {
    .name = "stats",
    .operands = "",
    .summary = "the numbers of a queue",
    .about =
        "Shows how many tasks wait, run and lie dead now, and how many were submitted, completed,\n"
        "failed and so on since the queue's first task. `held` wait because the concurrency of\n"
        "their task is used up. With --watch also how fast the counts grow.\n"
        "Exit status: 0 shown, 66 there is no such queue.\n",
    .example = "refq stats --queue docs --watch=5",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct stats_options),
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
