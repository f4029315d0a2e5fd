/* SPDX-License-Identifier: MIT */
/*
 * refq-worker: the daemon.
 *
 * DESIGN. Start-up is the list of steps at the end; each answers with an exit
 * code or GO_ON, and what they made is taken down in one place. The work itself
 * is librefq's: this program only reads the task file, and turns signals and
 * errors into what a service manager understands.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/parse.h"
#include "config/config.h"
#include "config/config_offer.h"
#include "logger.h"
#include "options.h"
#include "signals.h"

#include <refq/version.h>
#include <refq/work.h>

#include <stdio.h>
#include <sysexits.h>

#define GO_ON (-1)

struct daemon {
    int argc;
    char *const *argv;
    rqi_options options;
    refq_logger log;
    rqi_config config;
    refq_handlers *handlers;
    refq_worker *worker;
};

static const int exit_codes[] = {
    [REFQ_OK] = EX_OK,
    [REFQ_ERR_IO] = EX_UNAVAILABLE,
    [REFQ_ERR_CLOSED] = EX_UNAVAILABLE,
    [REFQ_ERR_TIMEOUT] = EX_UNAVAILABLE,
    [REFQ_ERR_PROTO] = EX_UNAVAILABLE,
    [REFQ_ERR_AUTH] = EX_NOPERM,
    [REFQ_ERR_VERSION] = EX_UNAVAILABLE,
    [REFQ_ERR_NOTFOUND] = EX_SOFTWARE,
    [REFQ_ERR_CONFLICT] = EX_SOFTWARE,
    [REFQ_ERR_FENCED] = EX_SOFTWARE,
    [REFQ_ERR_LIMIT] = EX_USAGE,
    [REFQ_ERR_FULL] = EX_UNAVAILABLE,
    [REFQ_ERR_INVALID] = EX_USAGE,
    [REFQ_ERR_UNSUPPORTED] = EX_USAGE,
    [REFQ_ERR_NOMEM] = EX_SOFTWARE,
    [REFQ_ERR_INTERNAL] = EX_SOFTWARE,
};

static int exit_code_of(refq_err e)
{
    return (unsigned)e < sizeof exit_codes / sizeof exit_codes[0] ? exit_codes[e] : EX_SOFTWARE;
}

/* Before the log is up, and with --check, a person is told; afterwards the log is. */
static int fail(const struct daemon *d, int code, const char *event, const refq_error *err)
{
    char quoted[600];
    if (d->log.fn == NULL || d->options.check) {
        fprintf(stderr, "refq-worker: %s\n", err->text);
    } else {
        rqi_log(&d->log, REFQ_LOG_ERROR, "event=%s exit=%d error=%s", event, code,
                rqi_log_quote(quoted, sizeof quoted, err->text));
    }
    return code;
}

/* A mistake in the task file is EX_CONFIG, running out of memory while reading it is not. */
static int config_code(refq_err e)
{
    return e == REFQ_ERR_NOMEM || e == REFQ_ERR_INTERNAL ? EX_SOFTWARE : EX_CONFIG;
}

/* --- Steps -------------------------------------------------------------------------------------
 */

static int read_options(struct daemon *d)
{
    refq_error err;
    if (rqi_options_parse(d->argc, d->argv, &d->options, &err) != REFQ_OK) {
        return fail(d, EX_USAGE, "bad_usage", &err);
    }
    if (d->options.help) {
        rqi_options_help(stdout);
        return EX_OK;
    }
    if (d->options.version) {
        puts("refq-worker " REFQ_VERSION);
        return EX_OK;
    }
    return GO_ON;
}

static int open_log(struct daemon *d)
{
    d->log = rqi_logger_make(d->options.log_format, d->options.log_level);
    return GO_ON;
}

static int ignore_signals(struct daemon *d)
{
    refq_error err;
    refq_err e = rqi_signals_ignore(&err);
    return e == REFQ_OK ? GO_ON : fail(d, exit_code_of(e), "start_failed", &err);
}

static int load_config(struct daemon *d)
{
    refq_error err;
    refq_err e = rqi_config_load(d->options.config, &d->config, &err);
    return e == REFQ_OK ? GO_ON : fail(d, config_code(e), "bad_config", &err);
}

static int make_worker(struct daemon *d)
{
    refq_error err;
    const rqi_options *o = &d->options;
    const refq_worker_options options = {
        .struct_size = sizeof options,
        .redis = o->redis,
        .prefix = o->prefix,
        .concurrency = (unsigned)o->concurrency,
        .lease_ms = o->lease_ms,
        .beat_ms = o->beat_ms,
        .grace_ms = o->grace_ms,
        .log = d->log,
    };
    refq_err e = refq_worker_new(&options, &d->worker, &err);
    return e == REFQ_OK ? GO_ON : fail(d, exit_code_of(e), "start_failed", &err);
}

static int add_tasks(struct daemon *d)
{
    refq_error err;
    refq_err e = refq_handlers_new(&d->handlers, &err);
    if (e != REFQ_OK) {
        return fail(d, exit_code_of(e), "start_failed", &err);
    }
    e = rqi_config_offer(&d->config, d->handlers, &err);
    if (e != REFQ_OK) {
        return fail(d, config_code(e), "bad_config", &err);
    }
    e = refq_worker_serve(d->worker, d->config.queue, d->handlers, &err);
    return e == REFQ_OK ? GO_ON : fail(d, config_code(e), "bad_config", &err);
}

static void print_task(const rqi_config_task *task)
{
    char timeout[24] = "no timeout";
    if (task->def.timeout_ms > 0) {
        (void)rqi_format_duration(timeout, sizeof timeout, task->def.timeout_ms);
    }
    int retries = task->def.max_retries == 0 ? 3 : task->def.max_retries;
    printf("  %s (line %u): %s, %s, %d retries\n", task->def.name, task->line, task->argv0, timeout,
           retries == REFQ_NO_RETRIES ? 0 : retries);
}

static int stop_if_check(struct daemon *d)
{
    if (!d->options.check) {
        return GO_ON;
    }
    printf("%s: ok, queue %s, %zu task%s\n", d->config.file, d->config.queue, d->config.n,
           d->config.n == 1 ? "" : "s");
    for (size_t i = 0; i < d->config.n; i++) {
        print_task(&d->config.tasks[i]);
    }
    for (size_t i = 0; i < d->config.n_plugins; i++) {
        printf("  plugin %s (line %u)\n", d->config.plugins[i].given, d->config.plugins[i].line);
    }
    return EX_OK;
}

static int attach_signals(struct daemon *d)
{
    refq_error err;
    refq_err e = rqi_signals_attach(d->worker, &err);
    return e == REFQ_OK ? GO_ON : fail(d, exit_code_of(e), "start_failed", &err);
}

static int run(struct daemon *d)
{
    refq_error err;
    char file[300];
    rqi_log(&d->log, REFQ_LOG_INFO, "event=starting version=%s queue=%s tasks=%zu config=%s",
            REFQ_VERSION, d->config.queue, d->config.n,
            rqi_log_quote(file, sizeof file, d->config.file));
    refq_err e = refq_worker_run(d->worker, &err);
    if (e != REFQ_OK) {
        return fail(d, exit_code_of(e), "worker_failed", &err);
    }
    rqi_log(&d->log, REFQ_LOG_INFO, "event=stopped exit=0");
    return EX_OK;
}

static void take_down(struct daemon *d)
{
    rqi_signals_detach();
    refq_worker_free(d->worker);
    refq_handlers_unref(d->handlers);
    rqi_config_done(&d->config);
}

/* --- The list ----------------------------------------------------------------------------------
 */

static int (*const steps[])(struct daemon *) = {
    read_options,   /* the command line */
    open_log,       /* from here on failures are log lines */
    ignore_signals, /* a closed pipe must not kill a worker */
    load_config,    /* the task file and its programs */
    make_worker,    /* checks URL and numbers; connects to nothing */
    add_tasks,      /* what it offers */
    stop_if_check,  /* --check ends here */
    attach_signals, /* SIGTERM means drain */
    run,            /* until stopped */
};

int main(int argc, char **argv)
{
    struct daemon d = {.argc = argc, .argv = argv};
    int code = GO_ON;
    for (size_t i = 0; code == GO_ON; i++) {
        code = steps[i](&d);
    }
    take_down(&d);
    return code;
}
