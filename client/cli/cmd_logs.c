/* SPDX-License-Identifier: MIT */
/* refq logs: what each attempt of a task came to. */
#include "cli.h"

#include "exit.h"
#include "history.h"
#include "history_view.h"
#include "out.h"
#include "readers.h"

struct logs_options {
    cli_number attempt;
};

static const cli_option options[] = {
    {"attempt", 0, CLI_VALUE, "N", offsetof(struct logs_options, attempt), cli_read_count,
     "only this attempt"},
};

/* Keeps one attempt; all when none is named. */
static void keep(json_t *list, const cli_number *attempt)
{
    for (size_t i = json_array_size(list); attempt->given && i-- > 0;) {
        const json_t *number = json_object_get(json_array_get(list, i), "attempt");
        if ((int64_t)json_integer_value(number) != attempt->value) {
            (void)json_array_remove(list, i);
        }
    }
}

static int show_text(const json_t *list, int64_t now_ms)
{
    rqi_buf text = {0};
    bool colour = cli_colour_wanted(1);
    for (size_t i = json_array_size(list); i-- > 0;) {
        cli_history_add(&text, json_array_get(list, i), now_ms, colour);
    }
    (void)cli_out(&text);
    rqi_buf_done(&text);
    return EX_OK;
}

static int explain_none(const refq_task *task, const cli_number *attempt)
{
    char ref[REFQ_REF_MAX + 1];
    (void)refq_ref_format(refq_task_ref(task), ref);
    if (attempt->given) {
        return cli_fail_as(EX_NOINPUT,
                           "%s has no record of attempt %lld; refq logs %s shows what "
                           "there is",
                           ref, (long long)attempt->value, ref);
    }
    cli_note("no attempt of %s has failed; it is %s", ref,
             refq_status_name(refq_task_status(task)));
    return EX_OK;
}

static int show(const cli_common *common, refq_client *client, const refq_task *task,
                const cli_number *attempt)
{
    json_t *list = NULL;
    int code = cli_history_read(client, refq_task_ref(task), &list);
    if (code != EX_OK) {
        return code;
    }
    keep(list, attempt);
    code = json_array_size(list) == 0 ? explain_none(task, attempt) : EX_OK;
    if (common->json && code == EX_OK) {
        return cli_out_json(list);
    }
    if (code == EX_OK) {
        code = show_text(list, refq_task_seen_at_ms(task));
    }
    json_decref(list);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    const struct logs_options *opt = given;
    refq_client *client = NULL;
    refq_task *task = NULL;
    int code = cli_open_task(common, argv[0], &client, &task);
    if (code == EX_OK) {
        code = show(common, client, task, &opt->attempt);
    }
    refq_task_free(task);
    refq_client_close(client);
    return code;
}

const cli_command cli_logs = {
    .name = "logs",
    .operands = "REF",
    .summary = "what the attempts of a task came to",
    .about =
        "Shows each attempt that failed, oldest first: when, on which worker, the class of the\n"
        "failure, the error in full, and the end of what a program wrote on stderr. The last ten\n"
        "are kept. What a running attempt writes is in the log of its worker.\n"
        "Exit status: 0 shown, 66 no such task or no such attempt.\n",
    .example = "refq logs docs:0123456789abcdef0123456789abcdef --attempt 2",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct logs_options),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
