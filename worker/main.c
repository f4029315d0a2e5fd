/* SPDX-License-Identifier: MIT */
/*
 * refq-worker: the daemon.
 *
 * DESIGN. Start-up is the list of steps at the end; each answers with an exit
 * code or GO_ON, and what they made is taken down in one place. The work itself
 * is librefq's: this program only reads the task files, and turns signals and
 * errors into what a service manager understands. Its threads are started by the
 * worker's first change of state: before that the worker forks.
 */
#include "base/error.h"
#include "base/log.h"
#include "contents.h"
#include "control.h"
#include "files.h"
#include "logger.h"
#include "monitor.h"
#include "notify.h"
#include "options.h"
#include "run/handlers.h"
#include "signals.h"

#include <refq/version.h>
#include <refq/work.h>

#include <stdio.h>
#include <sys/prctl.h>
#include <sysexits.h>

#define GO_ON (-1)

_Static_assert(RQI_OPTIONS_CONFIGS == RQI_FILES_MAX, "every --config has its place");

struct daemon {
    int argc;
    char *const *argv;
    rqi_options options;
    refq_logger log;
    rqi_files files;
    refq_worker *worker;
    rqi_control *control;
    rqi_monitor *monitor; /* NULL = nobody looks at this worker */
    bool up;              /* the threads have been started */
    int failed;           /* exit code of a failure that the worker knows nothing of */
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
    [REFQ_ERR_DENIED] = EX_NOPERM,
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

/* Programs run as our user: without this the kernel shows them our memory and environment, where
 * the password of Redis is. */
static int hide_memory(struct daemon *d)
{
    (void)d;
    (void)prctl(PR_SET_DUMPABLE, 0);
    return GO_ON;
}

static int ignore_signals(struct daemon *d)
{
    refq_error err;
    refq_err e = rqi_signals_ignore(&err);
    return e == REFQ_OK ? GO_ON : fail(d, exit_code_of(e), "start_failed", &err);
}

static int open_notify(struct daemon *d)
{
    refq_error err;
    refq_err e = rqi_notify_open(&err);
    return e == REFQ_OK ? GO_ON : fail(d, exit_code_of(e), "start_failed", &err);
}

static int load_files(struct daemon *d)
{
    refq_error err;
    refq_err e = rqi_files_load(d->options.configs, d->options.configs_n, &d->files, &err);
    return e == REFQ_OK ? GO_ON : fail(d, config_code(e), "bad_config", &err);
}

static const char *const notify_lines[] = {
    [REFQ_STATE_RUNNING] = "READY=1\nSTATUS=running",
    [REFQ_STATE_QUIET] = "READY=1\nSTATUS=quiet: claims nothing",
    [REFQ_STATE_DRAINING] = "STOPPING=1\nSTATUS=finishing what runs",
};

static refq_err start_threads(struct daemon *d, refq_error *err)
{
    refq_err e = rqi_control_start(d->control, err);
    if (e == REFQ_OK && d->monitor != NULL) {
        e = rqi_monitor_start(d->monitor, err);
    }
    return e;
}

/* The first call comes when everything is up. */
static void on_state(void *arg, refq_worker_state state)
{
    struct daemon *d = arg;
    refq_error err;
    rqi_notify_send(notify_lines[state]);
    if (d->up) {
        return;
    }
    d->up = true;
    refq_err e = start_threads(d, &err);
    if (e != REFQ_OK) {
        d->failed = fail(d, exit_code_of(e), "start_failed", &err);
        refq_worker_stop(d->worker);
    }
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
        .unknown_grace_ms = o->unknown_grace_ms,
        .log = d->log,
        .on_state = on_state,
        .on_state_arg = d,
    };
    refq_err e = refq_worker_new(&options, &d->worker, &err);
    return e == REFQ_OK ? GO_ON : fail(d, exit_code_of(e), "start_failed", &err);
}

static int add_tasks(struct daemon *d)
{
    refq_error err;
    refq_err e = rqi_files_make(&d->files, &err);
    if (e == REFQ_OK) {
        e = rqi_files_serve(&d->files, d->worker, &err);
    }
    return e == REFQ_OK ? GO_ON : fail(d, config_code(e), "bad_config", &err);
}

static int stop_if_check(struct daemon *d)
{
    if (!d->options.check) {
        return GO_ON;
    }
    for (size_t i = 0; i < d->files.n; i++) {
        rqi_contents_print(&d->files.items[i]);
    }
    return EX_OK;
}

static int make_control(struct daemon *d)
{
    refq_error err;
    refq_err e = rqi_control_new(&d->files, d->worker, &d->log, &d->control, &err);
    if (e == REFQ_OK) {
        e = rqi_signals_attach(d->worker, rqi_control_fd(d->control), &err);
    }
    return e == REFQ_OK ? GO_ON : fail(d, exit_code_of(e), "start_failed", &err);
}

static int make_monitor(struct daemon *d)
{
    refq_error err;
    if (d->options.health == NULL && rqi_notify_watchdog_us() == 0) {
        return GO_ON;
    }
    refq_err e = rqi_monitor_new(d->worker, d->options.health, &d->log, &d->monitor, &err);
    return e == REFQ_OK ? GO_ON : fail(d, exit_code_of(e), "start_failed", &err);
}

static int run(struct daemon *d)
{
    refq_error err;
    for (size_t i = 0; i < d->files.n; i++) {
        char file[300];
        const rqi_config *config = &d->files.items[i].config;
        rqi_log(&d->log, REFQ_LOG_INFO, "event=starting version=%s queue=%s tasks=%zu config=%s",
                REFQ_VERSION, config->queue, rqi_handlers_count(d->files.items[i].handlers),
                rqi_log_quote(file, sizeof file, config->file));
    }
    refq_err e = refq_worker_run(d->worker, &err);
    if (e != REFQ_OK) {
        return fail(d, exit_code_of(e), "worker_failed", &err);
    }
    return d->failed;
}

static void take_down(struct daemon *d)
{
    rqi_signals_detach();
    rqi_monitor_free(d->monitor);
    rqi_control_free(d->control);
    rqi_notify_close();
    refq_worker_free(d->worker);
    rqi_files_done(&d->files);
}

/* --- The list ----------------------------------------------------------------------------------
 */

static int (*const steps[])(struct daemon *) = {
    read_options,   /* the command line */
    open_log,       /* from here on failures are log lines */
    hide_memory,    /* it holds a password */
    ignore_signals, /* a closed pipe must not kill a worker */
    open_notify,    /* whom to tell that it runs */
    load_files,     /* the task files and their programs */
    make_worker,    /* checks URL and numbers; connects to nothing */
    add_tasks,      /* what it offers */
    stop_if_check,  /* --check ends here */
    make_control,   /* from here on signals are for the worker */
    make_monitor,   /* takes its address, when it has one */
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
