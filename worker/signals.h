/* SPDX-License-Identifier: MIT */
/* What signals mean to the worker. */
#ifndef REFQ_WORKER_SIGNALS_H
#define REFQ_WORKER_SIGNALS_H

#include <refq/error.h>
#include <refq/work.h>

/* Written to the descriptor of rqi_signals_attach(), one byte for each signal. */
typedef enum rqi_command {
    RQI_COMMAND_RELOAD = 'h', /* SIGHUP */
    RQI_COMMAND_QUIET = 'q',  /* SIGUSR1 */
    RQI_COMMAND_RESUME = 'r'  /* SIGUSR2 */
} rqi_command;

/* From now on SIGPIPE does nothing, nor do the three above until they are attached. */
refq_err rqi_signals_ignore(refq_error *err);

/* The first SIGTERM or SIGINT stops this worker gracefully, the second cancels what runs. The
 * others become bytes in commands_fd, which must not block. */
refq_err rqi_signals_attach(refq_worker *worker, int commands_fd, refq_error *err);

/* All of them do nothing from now on; before the worker is freed. */
void rqi_signals_detach(void);

#endif
