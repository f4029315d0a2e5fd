/* SPDX-License-Identifier: MIT */
/* refq pause, resume and limit: what a queue hands out and takes in. */
#include "cli.h"

#include "exit.h"
#include "out.h"
#include "queue.h"
#include "readers.h"

struct pause_options {
    const char *queue;
};

struct limit_options {
    const char *queue;
    cli_number max_pending;
    cli_number events;
};

#define QUEUE_HELP "the queue (default: REFQ_QUEUE, else \"default\")"

static const cli_option pause_rows[] = {
    {"queue", 'q', CLI_VALUE, "Q", offsetof(struct pause_options, queue), cli_read_text,
     QUEUE_HELP},
};

static const cli_option limit_rows[] = {
    {"queue", 'q', CLI_VALUE, "Q", offsetof(struct limit_options, queue), cli_read_text,
     QUEUE_HELP},
    {"max-pending", 0, CLI_VALUE, "N", offsetof(struct limit_options, max_pending),
     cli_read_natural, "refuse new tasks while so many wait; 0 = no limit"},
    {"events", 0, CLI_VALUE, "N", offsetof(struct limit_options, events), cli_read_natural,
     "entries kept in the event log, about; 0 = no log"},
};

/* --- Steps ------------------------------------------------------------------------------------ */

static int tell(refq_client *client, const char *queue, refq_control_action action, int64_t value)
{
    refq_control control = {
        .struct_size = sizeof control, .queue = queue, .action = action, .value = value};
    refq_error err = {0};
    return refq_client_control(client, &control, NULL, &err) == REFQ_OK ? EX_OK : cli_fail(&err);
}

static int open_queue(const cli_common *common, const char *given, const char **ret_queue,
                      refq_client **ret_client)
{
    int code = cli_queue_pick(given, ret_queue);
    code = code == EX_OK ? cli_connect(common, ret_client) : code;
    return code == EX_OK ? cli_queue_require(*ret_client, *ret_queue) : code;
}

static int show_state(const cli_common *common, const char *queue, bool paused)
{
    static const cli_column columns[] = {{NULL, false}, {NULL, false}};
    if (common->json) {
        return cli_out_json(json_pack("{s:s, s:b}", "queue", queue, "paused", paused));
    }
    cli_table table = cli_table_make(columns, 2);
    cli_table_add(&table, CLI_PLAIN, "%s", queue);
    cli_table_add(&table, paused ? CLI_YELLOW : CLI_GREEN, "%s", paused ? "paused" : "open");
    return cli_out_table(&table);
}

static int set_paused(const cli_common *common, const struct pause_options *opt, bool paused)
{
    const char *queue = NULL;
    refq_client *client = NULL;
    int code = open_queue(common, opt->queue, &queue, &client);
    code = code == EX_OK ? tell(client, queue, paused ? REFQ_PAUSE : REFQ_RESUME, 0) : code;
    code = code == EX_OK ? show_state(common, queue, paused) : code;
    refq_client_close(client);
    return code;
}

/* --- The commands ----------------------------------------------------------------------------- */

static int run_pause(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return set_paused(common, given, true);
}

static int run_resume(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return set_paused(common, given, false);
}

static void add_limit(json_t *json, cli_table *table, const char *queue, const char *name,
                      const cli_number *limit)
{
    if (!limit->given) {
        return;
    }
    (void)json_object_set_new(json, name, json_integer((json_int_t)limit->value));
    cli_table_add(table, CLI_PLAIN, "%s", queue);
    cli_table_add(table, CLI_PLAIN, "%s", name);
    cli_table_add(table, CLI_PLAIN, "%lld", (long long)limit->value);
}

static int show_limits(const cli_common *common, const char *queue, const struct limit_options *opt)
{
    static const cli_column columns[] = {{NULL, false}, {NULL, false}, {NULL, true}};
    cli_table table = cli_table_make(columns, 3);
    json_t *json = json_pack("{s:s}", "queue", queue);
    add_limit(json, &table, queue, "max_pending", &opt->max_pending);
    add_limit(json, &table, queue, "events", &opt->events);
    int code = common->json ? cli_out_json(json_incref(json)) : cli_out_table(&table);
    cli_table_done(&table);
    json_decref(json);
    return code;
}

static int run_limit(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct limit_options *opt = given;
    const char *queue = NULL;
    refq_client *client = NULL;
    if (!opt->max_pending.given && !opt->events.given) {
        return cli_fail_as(EX_USAGE, "limit: give --max-pending N or --events N");
    }
    int code = open_queue(common, opt->queue, &queue, &client);
    if (code == EX_OK && opt->max_pending.given) {
        code = tell(client, queue, REFQ_MAX_PENDING, opt->max_pending.value);
    }
    if (code == EX_OK && opt->events.given) {
        code = tell(client, queue, REFQ_EVENTS_MAX, opt->events.value);
    }
    code = code == EX_OK ? show_limits(common, queue, opt) : code;
    refq_client_close(client);
    return code;
}

const cli_command cli_pause = {
    .name = "pause",
    .operands = "",
    .summary = "hand out no more tasks of a queue",
    .about = "Nothing more of the queue is handed out; what runs goes on, and new tasks are still\n"
             "taken in. `refq resume` undoes it.\n"
             "Exit status: 0 done, 66 there is no such queue.\n",
    .example = "refq pause --queue docs",
    .options = pause_rows,
    .n_options = sizeof pause_rows / sizeof pause_rows[0],
    .options_size = sizeof(struct pause_options),
    .max_operands = 0,
    .run = run_pause,
};

const cli_command cli_resume = {
    .name = "resume",
    .operands = "",
    .summary = "undo pause",
    .about = "Tasks of the queue are handed out again.\n"
             "Exit status: 0 done, 66 there is no such queue.\n",
    .example = "refq resume --queue docs",
    .options = pause_rows,
    .n_options = sizeof pause_rows / sizeof pause_rows[0],
    .options_size = sizeof(struct pause_options),
    .max_operands = 0,
    .run = run_resume,
};

const cli_command cli_limit = {
    .name = "limit",
    .operands = "",
    .summary = "set how many tasks may wait, and how many events are kept",
    .about =
        "With --max-pending, a submit beyond so many waiting tasks is refused (exit status 75\n"
        "there): whoever submits learns that the fleet cannot keep up.\n"
        "Exit status: 0 done, 66 there is no such queue.\n",
    .example = "refq limit --queue docs --max-pending 100000",
    .options = limit_rows,
    .n_options = sizeof limit_rows / sizeof limit_rows[0],
    .options_size = sizeof(struct limit_options),
    .max_operands = 0,
    .run = run_limit,
};
