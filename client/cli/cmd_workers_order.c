/* SPDX-License-Identifier: MIT */
/*
 * refq workers quiet, resume and drain: orders to worker processes.
 *
 * DESIGN. A worker is named by the start of its id, as `refq workers` shows it.
 * It may serve several queues, each with a record of its own, so the order goes
 * to all of them. An id that fits two workers is refused: an order to the wrong
 * one is worse than none.
 */
#include "cli.h"

#include "exit.h"
#include "out.h"
#include "queue.h"
#include "readers.h"

#include <string.h>

#define ID_SHOWN 8

struct order_options {
    const char *queue;
    bool all;
};

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", offsetof(struct order_options, queue), cli_read_text,
     "only on this queue (default: on all the worker serves)"},
    {"all", 0, CLI_NO_VALUE, NULL, offsetof(struct order_options, all), cli_read_flag,
     "all workers of the queue instead of one"},
};

struct order {
    refq_client *client;
    refq_control_action action;
    const char *word;
    cli_table table;
    json_t *list;
};

/* --- Finding the worker ----------------------------------------------------------------------- */

static bool is_meant(const refq_worker_info *w, const char *id)
{
    return w->lease_left_ms > 0 && (id == NULL || strncmp(w->id, id, strlen(id)) == 0);
}

static int check_one(const refq_worker_info *workers, size_t n, const char *id)
{
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!is_meant(&workers[i], id)) {
            continue;
        }
        if (id != NULL && found != NULL && strcmp(found, workers[i].id) != 0) {
            return cli_fail_as(EX_USAGE,
                               "'%s' fits several workers (%.12s, %.12s); give more of it", id,
                               found, workers[i].id);
        }
        found = workers[i].id;
    }
    if (found == NULL) {
        return cli_fail_as(EX_NOINPUT, "there is no live worker%s%s; refq workers lists them",
                           id != NULL ? " " : "", id != NULL ? id : "");
    }
    return EX_OK;
}

/* --- Telling it ------------------------------------------------------------------------------- */

static int tell(struct order *o, const refq_worker_info *w)
{
    refq_control control = {
        .struct_size = sizeof control, .queue = w->queue, .action = o->action, .worker = w->id};
    refq_error err = {0};
    if (refq_client_control(o->client, &control, NULL, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    cli_table_add(&o->table, CLI_PLAIN, "%s", w->queue);
    cli_table_add(&o->table, CLI_PLAIN, "%.*s", ID_SHOWN, w->id);
    cli_table_add(&o->table, CLI_PLAIN, "%s", o->word);
    (void)json_array_append_new(
        o->list, json_pack("{s:s, s:s, s:s}", "queue", w->queue, "id", w->id, "order", o->word));
    return EX_OK;
}

static int tell_all(struct order *o, const char *queue, const char *id)
{
    refq_worker_info *workers = NULL;
    size_t n = 0;
    refq_error err = {0};
    if (refq_client_workers(o->client, queue, &workers, &n, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    int code = check_one(workers, n, id);
    for (size_t i = 0; i < n && code == EX_OK; i++) {
        code = is_meant(&workers[i], id) ? tell(o, &workers[i]) : EX_OK;
    }
    refq_workers_free(workers, n);
    return code;
}

/* --- The commands ----------------------------------------------------------------------------- */

static int check_call(const struct order_options *opt, const char *id, const char *word,
                      const char **ret_queue)
{
    if (opt->all == (id != NULL)) {
        return cli_fail_as(EX_USAGE, "workers %s: give the id of one worker, or --all", word);
    }
    if (id != NULL && (strlen(id) > REFQ_HEX_LEN || strspn(id, "0123456789abcdef") != strlen(id) ||
                       id[0] == '\0')) {
        return cli_fail_as(EX_USAGE, "'%.40s' is not a worker's id; refq workers lists them", id);
    }
    *ret_queue = NULL;
    return opt->queue != NULL || opt->all ? cli_queue_pick(opt->queue, ret_queue) : EX_OK;
}

static int give_order(const cli_common *common, const struct order_options *opt, const char *id,
                      refq_control_action action, const char *word)
{
    static const cli_column columns[] = {{NULL, false}, {NULL, false}, {NULL, false}};
    struct order o = {.action = action, .word = word, .table = cli_table_make(columns, 3)};
    const char *queue = NULL;
    int code = check_call(opt, id, word, &queue);
    code = code == EX_OK ? cli_connect(common, &o.client) : code;
    if (code != EX_OK) {
        return code;
    }
    o.list = json_array();
    code = tell_all(&o, queue, id);
    if (o.table.n_cells > 0) {
        int shown = common->json ? cli_out_json(json_incref(o.list)) : cli_out_table(&o.table);
        code = code != EX_OK ? code : shown;
    }
    json_decref(o.list);
    cli_table_done(&o.table);
    refq_client_close(o.client);
    return code;
}

static int run_quiet(const cli_common *common, const void *given, int argc, char **argv)
{
    return give_order(common, given, argc > 0 ? argv[0] : NULL, REFQ_WORKER_QUIET, "quiet");
}

static int run_resume(const cli_common *common, const void *given, int argc, char **argv)
{
    return give_order(common, given, argc > 0 ? argv[0] : NULL, REFQ_WORKER_RESUME, "resume");
}

static int run_drain(const cli_common *common, const void *given, int argc, char **argv)
{
    return give_order(common, given, argc > 0 ? argv[0] : NULL, REFQ_WORKER_DRAIN, "drain");
}

#define STATUSES \
    "Exit status: 0 told, 64 the id fits several workers, 66 there is no such live worker.\n"

#define ORDER(verb, line, text)                                                                   \
    {                                                                                             \
        .name = "workers " #verb, .operands = "[WORKER]", .summary = (line),                      \
        .about = text STATUSES, .example = "refq workers " #verb " 01234567", .options = options, \
        .n_options = sizeof options / sizeof options[0],                                          \
        .options_size = sizeof(struct order_options), .max_operands = 1, .run = run_##verb        \
    }

const cli_command cli_workers_quiet =
    ORDER(quiet, "a worker claims no more",
          "The worker claims nothing more and goes on with what it runs. `refq workers resume`\n"
          "undoes it.\n");

const cli_command cli_workers_resume =
    ORDER(resume, "a quiet worker claims again", "Undoes `refq workers quiet`.\n");

const cli_command cli_workers_drain =
    ORDER(drain, "a worker finishes what it runs, then ends",
          "The worker claims nothing more, finishes what it runs and ends, as with SIGTERM.\n");
