/* SPDX-License-Identifier: MIT */
/*
 * refq run: runs a task of a task file here, without Redis.
 *
 * DESIGN. It is `submit --wait` on the memory backend: the same checks, states,
 * retries and output, so that what works here works on the fleet. The client
 * is opened before there are threads, because programs need a helper process
 * that is forked; it kills them when this one dies.
 */
#include "cli.h"

#include "args_input.h"
#include "exit.h"
#include "readers.h"
#include "submitted.h"

#include "base/parse.h"
#include "config/config.h"
#include "config/config_offer.h"

#include <refq/memory.h>

#include <stdlib.h>
#include <string.h>

struct run_options {
    const char *config;
    const char *args;
    cli_number wait; /* ms */
};

#define AT(field) offsetof(struct run_options, field)

static const cli_option options[] = {
    {"config", 'c', CLI_VALUE, "FILE", AT(config), cli_read_text, "the task file (required)"},
    {"args", 'a', CLI_VALUE, "JSON|@FILE|-", AT(args), cli_read_text,
     "its arguments, a JSON object (default: {})"},
    {"wait", 'w', CLI_VALUE, "DUR", AT(wait), cli_read_duration,
     "wait so long at most (default: for ever)"},
};

/* Plugins have their names only once they are loaded: the backend knows those. */
static int check_name(const rqi_config *config, const char *task)
{
    const char *names[RQI_CONFIG_MAX_TASKS];
    for (size_t i = 0; i < config->n; i++) {
        names[i] = config->tasks[i].def.name;
        if (strcmp(names[i], task) == 0) {
            return EX_OK;
        }
    }
    const char *nearest = rqi_nearest(task, names, config->n);
    if (config->n_plugins > 0) {
        return EX_OK;
    }
    return cli_fail_as(EX_UNAVAILABLE, "%s has no task '%s'%s%s%s", config->file, task,
                       nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "'?" : "");
}

static int submit(const cli_common *common, refq_client *client, const char *queue,
                  const char *task, const char *args, const cli_number *wait)
{
    refq_error err = {0};
    refq_submitted done;
    refq_spec spec = {.struct_size = sizeof spec, .task = task, .args = args};
    if (refq_ref_make(queue, &spec.ref, &err) != REFQ_OK ||
        refq_client_submit(client, &spec, &done, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    return cli_submitted_wait(common, client, wait->given ? wait->value : -1, &done);
}

static int open_client(const rqi_config *config, refq_client **ret_client)
{
    refq_handlers *handlers = NULL;
    refq_error err = {0};
    if (refq_handlers_new(&handlers, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (rqi_config_offer(config, handlers, &err) != REFQ_OK) {
        refq_handlers_unref(handlers);
        return cli_fail_as(EX_CONFIG, "%s", err.text);
    }
    refq_memory_options queue = {
        .struct_size = sizeof queue, .queue = config->queue, .handlers = handlers};
    refq_memory memory = {.struct_size = sizeof memory, .queues = &queue, .n = 1};
    refq_err code = refq_client_open_with(refq_backend_memory_factory, &memory, ret_client, &err);
    refq_handlers_unref(handlers);
    return code == REFQ_OK ? EX_OK : cli_fail(&err);
}

static int run_task(const cli_common *common, const struct run_options *opt, const char *task,
                    const rqi_buf *args)
{
    rqi_config config;
    refq_client *client = NULL;
    refq_error err = {0};
    if (rqi_config_load(opt->config, &config, &err) != REFQ_OK) {
        return cli_fail_as(EX_CONFIG, "%s", err.text);
    }
    int code = check_name(&config, task);
    code = code == EX_OK ? open_client(&config, &client) : code;
    if (code == EX_OK) {
        code = submit(common, client, config.queue, task, rqi_buf_str(args), &opt->wait);
    }
    refq_client_close(client);
    rqi_config_done(&config);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    const struct run_options *opt = given;
    rqi_buf args = {0};
    refq_error err = {0};
    if (opt->config == NULL) {
        return cli_fail_as(EX_USAGE, "run: --config FILE is missing (refq help run)");
    }
    if (refq_name_check(argv[0], &err) != REFQ_OK) {
        return cli_fail_as(EX_USAGE, "%s", err.text);
    }
    int code = cli_args_read(opt->args, &args);
    code = code == EX_OK ? run_task(common, opt, argv[0], &args) : code;
    rqi_buf_done(&args);
    return code;
}

const cli_command cli_run = {
    .name = "run",
    .operands = "TASK",
    .summary = "run a task of a task file here, without Redis",
    .about =
        "Runs the task in this process and prints its value, as submit --wait does: with the\n"
        "retries and limits of the file, but nothing is stored, and when this process ends, so\n"
        "does the task: no reference is printed.\n"
        "Exit status: 0 complete, 1 failed, 65 the arguments are malformed, 69 the file has no\n"
        "such task, 75 not complete in time, 78 a mistake in the task file.\n",
    .example = "refq run ocr_pdf --config tasks.yaml --args '{\"path\":\"scan.pdf\"}'",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct run_options),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
