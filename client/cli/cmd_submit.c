/* SPDX-License-Identifier: MIT */
/*
 * refq submit: queues a task and prints its reference.
 *
 * DESIGN. Everything that can be checked here is checked before the server is
 * asked, and the fleet is asked before anything is queued: a misspelt name
 * would otherwise wait for ever for a worker that knows it. With --wait the
 * reference goes to stderr first, so that a caller who is interrupted has it.
 */
#include "cli.h"

#include "args_input.h"
#include "bulk.h"
#include "exit.h"
#include "offer_check.h"
#include "out.h"
#include "queue.h"
#include "readers.h"
#include "submitted.h"

#include "base/error.h"
#include "base/parse.h"

#include <refq/handlers.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOR_EVER (-1)

/* --- Options ---------------------------------------------------------------------------------- */

struct submit_options {
    const char *queue;
    const char *args;
    cli_number wait; /* ms, or FOR_EVER */
    refq_lane lane;
    cli_number delay;   /* ms */
    cli_number timeout; /* ms */
    cli_number retries;
    const char *key;
    bool force;
    const char *from;
    const char *id_seed;
    cli_number skip;
    bool dry_run;
    bool wait_full;
    cli_number start_within; /* ms */
};

static refq_err read_wait(const char *text, void *target, refq_error *err)
{
    if (text != NULL) {
        return cli_read_duration(text, target, err);
    }
    *(cli_number *)target = (cli_number){.given = true, .value = FOR_EVER};
    return REFQ_OK;
}

#define AT(field) offsetof(struct submit_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "where to queue it (default: REFQ_QUEUE, else \"default\")"},
    {"args", 'a', CLI_VALUE, "JSON|@FILE|-", AT(args), cli_read_text,
     "its arguments, a JSON object (default: {})"},
    {"wait", 'w', CLI_MAYBE_VALUE, "DUR", AT(wait), read_wait,
     "wait for the value and print it; at most DUR"},
    {"lane", 0, CLI_VALUE, "LANE", AT(lane), cli_read_lane, "high, normal (default) or low"},
    {"delay", 0, CLI_VALUE, "DUR", AT(delay), cli_read_duration, "do not start it before"},
    {"key", 0, CLI_VALUE, "K", AT(key), cli_read_text,
     "idempotency key: a known one returns its task instead"},
    {"timeout", 0, CLI_VALUE, "DUR", AT(timeout), cli_read_duration,
     "time for one attempt (default: the task's definition)"},
    {"max-retries", 0, CLI_VALUE, "N", AT(retries), cli_read_retries,
     "failures before it gives up; 0 = no retry (default: the definition)"},
    {"force", 0, CLI_NO_VALUE, NULL, AT(force), cli_read_flag,
     "queue it even if no worker offers the task"},
    {"start-within", 0, CLI_VALUE, "DUR", AT(start_within), cli_read_duration,
     "not begun so long after: failed, reason `expired`"},
    {"from", 0, CLI_VALUE, "FILE|-", AT(from), cli_read_text,
     "submit a task for each line of JSON in it"},
    {"id-seed", 0, CLI_VALUE, "TEXT", AT(id_seed), cli_read_text,
     "with --from: references from it, so that a repeat is harmless"},
    {"skip", 0, CLI_VALUE, "N", AT(skip), cli_read_natural,
     "with --from: pass over the first N lines"},
    {"dry-run", 'n', CLI_NO_VALUE, NULL, AT(dry_run), cli_read_flag,
     "with --from: check all lines, submit nothing"},
    {"wait-full", 0, CLI_NO_VALUE, NULL, AT(wait_full), cli_read_flag,
     "with --from: wait while the queue is full"},
};

/* --- Steps ------------------------------------------------------------------------------------ */

/* Without a reference. */
static refq_spec plain_spec(const struct submit_options *opt, const char *task)
{
    bool no_retries = opt->retries.given && opt->retries.value == 0;
    return (refq_spec){
        .struct_size = sizeof(refq_spec),
        .task = task,
        .lane = opt->lane,
        .delay_ms = opt->delay.value,
        .timeout_ms = opt->timeout.value,
        .start_within_ms = opt->start_within.value,
        .max_retries = no_retries ? REFQ_NO_RETRIES : (int)opt->retries.value,
        .key = opt->key,
    };
}

static int make_spec(const struct submit_options *opt, const char *task, const rqi_buf *args,
                     refq_spec *ret)
{
    refq_error err = {0};
    const char *queue = NULL;
    int code = cli_queue_pick(opt->queue, &queue);
    if (code != EX_OK) {
        return code;
    }
    *ret = plain_spec(opt, task);
    ret->args = rqi_buf_str(args);
    if (refq_name_check(task, &err) != REFQ_OK ||
        refq_ref_make(queue, &ret->ref, &err) != REFQ_OK) {
        return err.code == REFQ_ERR_INVALID || err.code == REFQ_ERR_LIMIT
                   ? cli_fail_as(EX_USAGE, "%s", err.text)
                   : cli_fail(&err);
    }
    return EX_OK;
}

/* --- The command ------------------------------------------------------------------------------ */

/* 1 when the known task's arguments differ; 0 also when they are gone. */
static bool args_differ(refq_client *client, const refq_spec *spec, const refq_ref *known)
{
    refq_texts texts = {0};
    refq_error err = {0};
    if (refq_client_args(client, known, &texts, &err) != REFQ_OK) {
        return false;
    }
    json_t *ours = json_loads(spec->args, JSON_ALLOW_NUL, NULL);
    json_t *theirs = texts.n > 0 ? json_loads(texts.items[0], JSON_ALLOW_NUL, NULL) : NULL;
    bool differ = ours != NULL && theirs != NULL && !json_equal(ours, theirs);
    json_decref(theirs);
    json_decref(ours);
    refq_texts_free(&texts);
    return differ;
}

/* A key used twice for different work is a mistake that would otherwise stay unseen. */
static void tell_existing(refq_client *client, const refq_spec *spec, const refq_submitted *done)
{
    refq_task *task = NULL;
    refq_error err = {0};
    const char *name = NULL;
    if (refq_client_status(client, &done->ref, &task, &err) == REFQ_OK) {
        name = refq_task_field(task, "task");
    }
    if (name != NULL && strcmp(name, spec->task) != 0) {
        cli_note("nothing was queued: this key belongs to another task, '%s', that is %s", name,
                 refq_status_name(done->status));
    } else {
        cli_note("nothing was queued: this key belongs to a task that is %s%s",
                 refq_status_name(done->status),
                 args_differ(client, spec, &done->ref) ? " and has other arguments" : "");
    }
    refq_task_free(task);
}

static int submit(const cli_common *common, const struct submit_options *opt, refq_client *client,
                  const refq_spec *spec)
{
    int code = opt->force ? EX_OK : cli_offer_check(client, spec->ref.queue, spec->task);
    if (code != EX_OK) {
        return code;
    }
    refq_submitted done;
    refq_error err = {0};
    if (refq_client_submit(client, spec, &done, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (done.existed) {
        tell_existing(client, spec, &done);
    }
    if (opt->wait.given) {
        return cli_submitted_wait(common, client, opt->wait.value, &done);
    }
    return cli_submitted_show(common, &done, done.status);
}

static int submit_one(const cli_common *common, const struct submit_options *opt, const char *task)
{
    rqi_buf args = {0};
    refq_spec spec;
    refq_client *client = NULL;
    int code = cli_args_read(opt->args, &args);
    code = code == EX_OK ? make_spec(opt, task, &args, &spec) : code;
    code = code == EX_OK ? cli_connect(common, &client) : code;
    if (code == EX_OK) {
        code = submit(common, opt, client, &spec);
        refq_client_close(client);
    }
    rqi_buf_done(&args);
    return code;
}

static int submit_file(const cli_common *common, const struct submit_options *opt, const char *task)
{
    cli_bulk_options bulk = {.from = opt->from,
                             .defaults = plain_spec(opt, task),
                             .id_seed = opt->id_seed,
                             .skip = opt->skip.value,
                             .dry_run = opt->dry_run,
                             .wait_full = opt->wait_full,
                             .force = opt->force};
    refq_error err = {0};
    if (opt->args != NULL || opt->key != NULL || opt->wait.given) {
        return cli_fail_as(EX_USAGE, "submit: --args, --key and --wait do not go with --from; each "
                                     "line has its own \"args\" and \"key\"");
    }
    if (task != NULL && refq_name_check(task, &err) != REFQ_OK) {
        return cli_fail_as(EX_USAGE, "%s", err.text);
    }
    int code = cli_queue_pick(opt->queue, &bulk.queue);
    return code == EX_OK ? cli_bulk_submit(common, &bulk) : code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    const struct submit_options *opt = given;
    const char *task = argc > 0 ? argv[0] : NULL;
    bool bulk_only = opt->id_seed != NULL || opt->skip.given || opt->dry_run || opt->wait_full;
    if (opt->from != NULL) {
        return submit_file(common, opt, task);
    }
    if (bulk_only) {
        return cli_fail_as(EX_USAGE, "submit: --id-seed, --skip, --dry-run and --wait-full go with "
                                     "--from");
    }
    if (task == NULL) {
        return cli_fail_as(EX_USAGE, "submit: TASK is missing (refq help submit)");
    }
    return submit_one(common, opt, task);
}

const cli_command cli_submit = {
    .name = "submit",
    .operands = "[TASK]",
    .summary = "queue a task and print its reference",
    .about =
        "Queues a task. Prints its reference, or with --wait its value as JSON (the reference\n"
        "then goes to stderr; when the time is up it is printed on stdout after all).\n"
        "With --from: a task for each line, an object with task, args, lane, delay, timeout,\n"
        "start_within, max_retries, key, key_ttl, traceparent; TASK and the options stand for\n"
        "what a line does not say. A file is checked as a whole first. When it stops, it says\n"
        "how far it came and how to go on.\n"
        "Exit status: 0 done, 1 waited for it and it failed or was cancelled, 65 the arguments\n"
        "are malformed, 69 no worker offers the task or Redis is away, 75 not complete in time.\n",
    .example = "refq submit ocr_pdf --queue docs --args '{\"path\":\"scan.pdf\"}' --wait=30s",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct submit_options),
    .min_operands = 0,
    .max_operands = 1,
    .run = run,
};
