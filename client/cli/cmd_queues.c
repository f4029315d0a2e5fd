/* SPDX-License-Identifier: MIT */
/* refq queues: all queues with their numbers. */
#include "cli.h"

#include "exit.h"
#include "json_list.h"
#include "out.h"
#include "stats_view.h"

#include "base/parse.h"

static const cli_column columns[] = {
    {"QUEUE", false},   {"STATE", false}, {"PENDING", true}, {"RUNNING", true}, {"DEAD", true},
    {"COMPLETE", true}, {"FAILED", true}, {"WORKERS", true}, {"OLDEST", true},
};

static void add_number(cli_table *table, cli_tone tone, int64_t n)
{
    cli_table_add(table, n != 0 ? tone : CLI_PLAIN, "%lld", (long long)n);
}

static void add_queue(cli_table *table, const refq_stats *s)
{
    char span[32];
    bool stranded = s->workers == 0 && s->pending > 0;
    cli_table_add(table, CLI_PLAIN, "%s", s->queue);
    cli_table_add(table, s->paused ? CLI_YELLOW : CLI_PLAIN, "%s", s->paused ? "paused" : "open");
    add_number(table, CLI_YELLOW, s->pending);
    add_number(table, CLI_CYAN, s->processing);
    add_number(table, CLI_RED, s->dead);
    add_number(table, CLI_GREEN, s->complete);
    add_number(table, CLI_RED, s->failed);
    cli_table_add(table, stranded ? CLI_RED : CLI_PLAIN, "%lld", (long long)s->workers);
    cli_table_add(table, CLI_PLAIN, "%s",
                  s->oldest_ms > 0 ? rqi_format_duration(span, sizeof span, s->oldest_ms) : "");
}

static int read_all(refq_client *client, const refq_texts *names, bool json, cli_table *table,
                    cli_json_list *list)
{
    int code = EX_OK;
    for (size_t i = 0; i < names->n && code == EX_OK; i++) {
        refq_stats stats = {.struct_size = sizeof stats};
        refq_error err = {0};
        if (refq_client_stats(client, names->items[i], &stats, &err) != REFQ_OK) {
            return cli_fail(&err);
        }
        if (json) {
            code = cli_json_list_add(list, cli_stats_json(&stats));
        } else {
            add_queue(table, &stats);
        }
    }
    return code;
}

static int show(const cli_common *common, refq_client *client, const refq_texts *names)
{
    cli_table table = cli_table_make(columns, sizeof columns / sizeof columns[0]);
    cli_json_list list = {0};
    int code = read_all(client, names, common->json, &table, &list);
    if (common->json) {
        cli_json_list_end(&list);
    } else if (names->n == 0) {
        cli_note("there is no queue yet");
    } else {
        int shown = cli_out_table(&table);
        code = code != EX_OK ? code : shown;
    }
    cli_table_done(&table);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)given;
    (void)argc;
    (void)argv;
    refq_client *client = NULL;
    refq_texts names = {0};
    refq_error err = {0};
    int code = cli_connect(common, &client);
    if (code != EX_OK) {
        return code;
    }
    if (refq_client_queues(client, &names, &err) != REFQ_OK) {
        code = cli_fail(&err);
    } else {
        code = show(common, client, &names);
    }
    refq_texts_free(&names);
    refq_client_close(client);
    return code;
}

const cli_command cli_queues = {
    .name = "queues",
    .operands = "",
    .summary = "list all queues with their numbers",
    .about = "Lists the queues. OLDEST is how long the oldest task that could run has waited.\n"
             "`refq stats` tells more about one of them.\n",
    .example = "refq queues",
    .max_operands = 0,
    .run = run,
};
