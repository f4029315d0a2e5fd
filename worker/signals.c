/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A handler may do next to nothing, so it either calls
 * refq_worker_stop(), which is made for it, or leaves a byte for the thread of
 * control.c. Before that thread runs the bytes wait, so a SIGHUP at start-up is
 * not lost. Quiet is USR1 and not TSTP, as elsewhere: Ctrl-Z on a worker in a
 * terminal should do what it always does.
 */
#include "signals.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static refq_worker *_Atomic attached;
static atomic_int commands = -1;

static const struct {
    int signal;
    char command; /* 0 = none */
} rows[] = {
    {SIGPIPE, 0},
    {SIGTERM, 0},
    {SIGINT, 0},
    {SIGHUP, RQI_COMMAND_RELOAD},
    {SIGUSR1, RQI_COMMAND_QUIET},
    {SIGUSR2, RQI_COMMAND_RESUME},
};

static bool is_stop(int signal)
{
    return signal == SIGTERM || signal == SIGINT;
}

static void on_stop(int signal)
{
    (void)signal;
    int saved = errno;
    refq_worker *worker = atomic_load(&attached);
    if (worker != NULL) {
        refq_worker_stop(worker);
    }
    errno = saved;
}

static void on_command(int signal)
{
    int saved = errno;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].signal == signal) {
            ssize_t n = write(atomic_load(&commands), &rows[i].command, 1);
            (void)n; /* full: there is enough to do already */
        }
    }
    errno = saved;
}

static refq_err handle(int signal, void (*handler)(int), refq_error *err)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(signal, &action, NULL) != 0) {
        return rqi_fail(err, REFQ_ERR_INTERNAL, "cannot set up signal %d: %s", signal,
                        strerror(errno));
    }
    return REFQ_OK;
}

refq_err rqi_signals_ignore(refq_error *err)
{
    refq_err e = REFQ_OK;
    for (size_t i = 0; e == REFQ_OK && i < sizeof rows / sizeof rows[0]; i++) {
        if (!is_stop(rows[i].signal)) {
            e = handle(rows[i].signal, SIG_IGN, err);
        }
    }
    return e;
}

refq_err rqi_signals_attach(refq_worker *worker, int commands_fd, refq_error *err)
{
    refq_err e = REFQ_OK;
    atomic_store(&attached, worker);
    atomic_store(&commands, commands_fd);
    for (size_t i = 0; e == REFQ_OK && i < sizeof rows / sizeof rows[0]; i++) {
        if (is_stop(rows[i].signal)) {
            e = handle(rows[i].signal, on_stop, err);
        } else if (rows[i].command != 0) {
            e = handle(rows[i].signal, on_command, err);
        }
    }
    return e;
}

void rqi_signals_detach(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)handle(rows[i].signal, SIG_IGN, NULL);
    }
    atomic_store(&attached, NULL);
}
