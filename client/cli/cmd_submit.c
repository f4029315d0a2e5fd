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

#include "answer.h"
#include "args_input.h"
#include "exit.h"
#include "out.h"
#include "queue.h"

#include "base/error.h"
#include "base/parse.h"

#include <refq/handlers.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRIES_MAX 1000
#define FOR_EVER    (-1)

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
};

static refq_err read_wait(const char *text, void *target, refq_error *err)
{
    if (text != NULL) {
        return cli_read_duration(text, target, err);
    }
    *(cli_number *)target = (cli_number){.given = true, .value = FOR_EVER};
    return REFQ_OK;
}

static refq_err read_lane(const char *text, void *target, refq_error *err)
{
    if (refq_lane_parse(text, target) != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_INVALID, "'%.40s' is not a lane; use high, normal or low",
                        text);
    }
    return REFQ_OK;
}

static refq_err read_retries(const char *text, void *target, refq_error *err)
{
    cli_number *retries = target;
    retries->given = true;
    return rqi_parse_int(text, 0, RETRIES_MAX, &retries->value, err);
}

#define AT(field) offsetof(struct submit_options, field)

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", AT(queue), cli_read_text,
     "where to queue it (default: REFQ_QUEUE, else \"default\")"},
    {"args", 'a', CLI_VALUE, "JSON|@FILE|-", AT(args), cli_read_text,
     "its arguments, a JSON object (default: {})"},
    {"wait", 'w', CLI_MAYBE_VALUE, "DUR", AT(wait), read_wait,
     "wait for the value and print it; at most DUR"},
    {"lane", 0, CLI_VALUE, "LANE", AT(lane), read_lane, "high, normal (default) or low"},
    {"delay", 0, CLI_VALUE, "DUR", AT(delay), cli_read_duration, "do not start it before"},
    {"key", 0, CLI_VALUE, "K", AT(key), cli_read_text,
     "idempotency key: a known one returns its task instead"},
    {"timeout", 0, CLI_VALUE, "DUR", AT(timeout), cli_read_duration,
     "time for one attempt (default: the task's definition)"},
    {"max-retries", 0, CLI_VALUE, "N", AT(retries), read_retries,
     "failures before it gives up; 0 = no retry (default: the definition)"},
    {"force", 0, CLI_NO_VALUE, NULL, AT(force), cli_read_flag,
     "queue it even if no worker offers the task"},
};

/* --- Steps ------------------------------------------------------------------------------------ */

static int make_spec(const struct submit_options *opt, const char *task, const rqi_buf *args,
                     refq_spec *ret)
{
    refq_error err = {0};
    bool no_retries = opt->retries.given && opt->retries.value == 0;
    *ret = (refq_spec){
        .struct_size = sizeof *ret,
        .task = task,
        .args = rqi_buf_str(args),
        .lane = opt->lane,
        .delay_ms = opt->delay.value,
        .timeout_ms = opt->timeout.value,
        .max_retries = no_retries ? REFQ_NO_RETRIES : (int)opt->retries.value,
        .key = opt->key,
    };
    const char *queue = NULL;
    int code = cli_queue_pick(opt->queue, &queue);
    if (code != EX_OK) {
        return code;
    }
    if (refq_name_check(task, &err) != REFQ_OK ||
        refq_ref_make(queue, &ret->ref, &err) != REFQ_OK) {
        return err.code == REFQ_ERR_INVALID || err.code == REFQ_ERR_LIMIT
                   ? cli_fail_as(EX_USAGE, "%s", err.text)
                   : cli_fail(&err);
    }
    return EX_OK;
}

static int refuse_unknown(const char *queue, const char *task, const char *nearest)
{
    if (nearest[0] == '\0') {
        return cli_fail_as(EX_UNAVAILABLE,
                           "no worker of queue %s offers '%s' (--force queues it anyway)", queue,
                           task);
    }
    return cli_fail_as(
        EX_UNAVAILABLE,
        "no worker of queue %s offers '%s'; did you mean '%s'? (--force queues it anyway)", queue,
        task, nearest);
}

/* A queue nobody serves may be new, or misspelt. */
static int check_queue(refq_client *client, const char *queue)
{
    cli_queue_known look;
    refq_error err = {0};
    if (cli_queue_look(client, queue, &look, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (!look.known && look.nearest[0] != '\0') {
        return cli_fail_as(EX_UNAVAILABLE,
                           "there is no queue '%s'; did you mean '%s'? (--force queues it anyway)",
                           queue, look.nearest);
    }
    cli_note("no worker is alive on queue %s yet; the task waits for one", queue);
    return EX_OK;
}

static int check_offer(refq_client *client, const refq_spec *spec)
{
    const char *queue = spec->ref.queue;
    char nearest[REFQ_NAME_MAX + 1] = "";
    refq_offer offer = REFQ_OFFERED;
    refq_error err = {0};
    if (refq_client_offer(client, queue, spec->task, &offer, nearest, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (offer == REFQ_NOT_OFFERED) {
        return refuse_unknown(queue, spec->task, nearest);
    }
    return offer == REFQ_NO_WORKERS ? check_queue(client, queue) : EX_OK;
}

/* `value` (JSON text) is put in as it is, so that it arrives as it was stored. */
static int show_json(const refq_submitted *done, refq_status status, const char *value)
{
    char ref[REFQ_REF_MAX + 1];
    json_t *json = json_pack("{s:s, s:s, s:b}", "ref_id", refq_ref_format(&done->ref, ref),
                             "status", refq_status_name(status), "existed", done->existed);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text == NULL) {
        return cli_fail_as(EX_OSERR, "out of memory for the JSON output");
    }
    rqi_buf line = {0};
    rqi_buf_add(&line, text, strlen(text) - (value != NULL ? 1 : 0));
    if (value != NULL) {
        rqi_buf_addf(&line, ",\"value\":%s}", value);
    }
    rqi_buf_addc(&line, '\n');
    (void)cli_out(&line);
    rqi_buf_done(&line);
    free(text);
    return EX_OK;
}

static int show_ref(const cli_common *common, const refq_submitted *done, refq_status status)
{
    char ref[REFQ_REF_MAX + 1];
    if (common->json) {
        return show_json(done, status, NULL);
    }
    if (!cli_out_line(refq_ref_format(&done->ref, ref))) {
        /* The task is queued: whoever cannot read its reference there may find it here. */
        (void)dprintf(STDERR_FILENO, "refq: submitted %s\n", ref);
    }
    return EX_OK;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static int show_value(const cli_common *common, refq_client *client, const refq_submitted *done)
{
    rqi_buf value = {0};
    int code = cli_answer_read(client, &done->ref, false, &value);
    if (code == EX_OK && common->json) {
        code = show_json(done, REFQ_COMPLETE, rqi_buf_str(&value));
    } else if (code == EX_OK) {
        (void)cli_out_line(rqi_buf_str(&value));
    }
    rqi_buf_done(&value);
    return code;
}

static int show_end(const cli_common *common, refq_client *client, const refq_submitted *done,
                    const refq_task *task)
{
    refq_status status = refq_task_status(task);
    if (status == REFQ_COMPLETE) {
        return show_value(common, client, done);
    }
    if (common->json || !refq_status_is_terminal(status)) {
        (void)show_ref(common, done, status);
    }
    return cli_answer_missing(client, task);
}

static int wait_and_show(const cli_common *common, refq_client *client, int64_t timeout_ms,
                         const refq_submitted *done)
{
    char ref[REFQ_REF_MAX + 1];
    refq_task *task = NULL;
    refq_error err = {0};
    (void)dprintf(STDERR_FILENO, "%s\n", refq_ref_format(&done->ref, ref));
    if (refq_client_wait(client, &done->ref, timeout_ms, NULL, NULL, &task, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    int code = show_end(common, client, done, task);
    refq_task_free(task);
    return code;
}

/* --- The command ------------------------------------------------------------------------------ */

static int submit(const cli_common *common, const struct submit_options *opt, refq_client *client,
                  const refq_spec *spec)
{
    int code = opt->force ? EX_OK : check_offer(client, spec);
    if (code != EX_OK) {
        return code;
    }
    refq_submitted done;
    refq_error err = {0};
    if (refq_client_submit(client, spec, &done, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (done.existed) {
        cli_note("nothing was queued: this key belongs to a task that is %s",
                 refq_status_name(done.status));
    }
    if (opt->wait.given) {
        return wait_and_show(common, client, opt->wait.value, &done);
    }
    return show_ref(common, &done, done.status);
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    const struct submit_options *opt = given;
    rqi_buf args = {0};
    refq_spec spec;
    refq_client *client = NULL;
    int code = cli_args_read(opt->args, &args);
    code = code == EX_OK ? make_spec(opt, argv[0], &args, &spec) : code;
    code = code == EX_OK ? cli_connect(common, &client) : code;
    if (code == EX_OK) {
        code = submit(common, opt, client, &spec);
        refq_client_close(client);
    }
    rqi_buf_done(&args);
    return code;
}

const cli_command cli_submit = {
    .name = "submit",
    .operands = "TASK",
    .summary = "queue a task and print its reference",
    .about =
        "Queues a task. Prints its reference, or with --wait its value as JSON (the reference\n"
        "then goes to stderr; when the time is up it is printed on stdout after all).\n"
        "Exit status: 0 done, 1 waited for it and it failed or was cancelled, 65 the arguments\n"
        "are malformed, 69 no worker offers the task or Redis is away, 75 not complete in time.\n",
    .example = "refq submit ocr_pdf --queue docs --args '{\"path\":\"scan.pdf\"}' --wait=30s",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct submit_options),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
