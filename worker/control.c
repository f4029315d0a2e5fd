/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Reading task files and loading plugins may take long (a plugin reads a
 * model, a folder is on a slow disk), so it is done neither on the worker's loop
 * nor where the watchdog is fed, but here, one command after the other.
 */
#include "control.h"

#include "base/error.h"
#include "base/log.h"
#include "notify.h"
#include "signals.h"
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_NONE 'x' /* only wakes the thread */

struct rqi_control {
    const rqi_files *files;
    refq_worker *worker;
    const refq_logger *log;
    int fds[2];
    pthread_t thread;
    bool running;
    atomic_bool ending;
};

static bool is_ending(const rqi_control *c)
{
    refq_health health;
    refq_worker_health(c->worker, &health);
    return health.state >= REFQ_STATE_DRAINING;
}

static void reload(rqi_control *c)
{
    char quoted[600];
    refq_error err;
    size_t tasks = 0;
    if (is_ending(c)) { /* READY would take back that it is stopping */
        rqi_log(c->log, REFQ_LOG_INFO, "event=reload_skipped reason=\"the worker is stopping\"");
        return;
    }
    rqi_log(c->log, REFQ_LOG_INFO, "event=reloading files=%zu", c->files->n);
    rqi_notify_reloading();
    if (rqi_files_reload(c->files, c->worker, &tasks, &err) == REFQ_OK) {
        rqi_log(c->log, REFQ_LOG_INFO, "event=reload_done tasks=%zu", tasks);
        rqi_notify_send("READY=1\nSTATUS=reloaded");
        return;
    }
    rqi_log(c->log, REFQ_LOG_ERROR, "event=reload_failed error=%s action=\"nothing was changed\"",
            rqi_log_quote(quoted, sizeof quoted, err.text));
    rqi_notify_send("READY=1\nSTATUS=reload failed, nothing was changed; the log says why");
}

static void quiet(rqi_control *c)
{
    refq_worker_quiet(c->worker, true);
}

static void resume(rqi_control *c)
{
    refq_worker_quiet(c->worker, false);
}

static const struct {
    char command;
    void (*run)(rqi_control *);
} rows[] = {
    {RQI_COMMAND_RELOAD, reload},
    {RQI_COMMAND_QUIET, quiet},
    {RQI_COMMAND_RESUME, resume},
};

static void obey(rqi_control *c, char command)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].command == command) {
            rows[i].run(c);
        }
    }
}

/* Of several that are the same, one after the other, only the last counts. */
static void obey_all(rqi_control *c, const char *commands, size_t n)
{
    for (size_t i = 0; i < n && !atomic_load(&c->ending); i++) {
        if (i + 1 == n || commands[i + 1] != commands[i]) {
            obey(c, commands[i]);
        }
    }
}

static void *run(void *arg)
{
    rqi_control *c = arg;
    char commands[256];
    while (!atomic_load(&c->ending)) {
        ssize_t n = read(c->fds[0], commands, sizeof commands);
        if (n > 0) {
            obey_all(c, commands, (size_t)n);
        } else if (n == 0 || errno != EINTR) {
            break;
        }
    }
    return NULL;
}

refq_err rqi_control_new(const rqi_files *files, refq_worker *worker, const refq_logger *log,
                         rqi_control **ret, refq_error *err)
{
    rqi_control *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    c->files = files;
    c->worker = worker;
    c->log = log;
    if (pipe2(c->fds, O_CLOEXEC) != 0) {
        free(c);
        return rqi_fail(err, REFQ_ERR_INTERNAL, "cannot make a pipe: %s", strerror(errno));
    }
    (void)fcntl(c->fds[1], F_SETFL, O_NONBLOCK);
    *ret = c;
    return REFQ_OK;
}

int rqi_control_fd(const rqi_control *control)
{
    return control->fds[1];
}

refq_err rqi_control_start(rqi_control *c, refq_error *err)
{
    refq_err e = rqi_thread_start(&c->thread, run, c, err);
    c->running = e == REFQ_OK;
    return e;
}

void rqi_control_free(rqi_control *c)
{
    if (c == NULL) {
        return;
    }
    if (c->running) {
        char none = COMMAND_NONE;
        atomic_store(&c->ending, true);
        ssize_t n = write(c->fds[1], &none, 1);
        (void)n; /* full: then it wakes anyway */
        (void)pthread_join(c->thread, NULL);
    }
    (void)close(c->fds[0]);
    (void)close(c->fds[1]);
    free(c);
}
