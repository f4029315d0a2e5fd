/* SPDX-License-Identifier: MIT */
/* The thread that does what signals ask for while the worker runs: reload, quiet, resume. */
#ifndef REFQ_WORKER_CONTROL_H
#define REFQ_WORKER_CONTROL_H

#include "files.h"

#include <refq/log.h>

typedef struct rqi_control rqi_control;

/* Opens the pipe of commands; no thread yet. All is borrowed for the control's life. */
refq_err rqi_control_new(const rqi_files *files, refq_worker *worker, const refq_logger *log,
                         rqi_control **ret, refq_error *err);

/* Where commands (signals.h) are written. */
int rqi_control_fd(const rqi_control *control);

/* Starts the thread; what was written until now is done first. */
refq_err rqi_control_start(rqi_control *control, refq_error *err);

/* Ends the thread, after what it is doing, and frees. NULL is fine. */
void rqi_control_free(rqi_control *control);

#endif
