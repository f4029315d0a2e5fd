/* SPDX-License-Identifier: MIT */
/* What signals mean to the worker. */
#ifndef REFQ_WORKER_SIGNALS_H
#define REFQ_WORKER_SIGNALS_H

#include <refq/error.h>
#include <refq/work.h>

/* SIGPIPE and SIGHUP do nothing from now on. */
refq_err rqi_signals_ignore(refq_error *err);

/* The first SIGTERM or SIGINT stops this worker gracefully, the second cancels what runs. */
refq_err rqi_signals_attach(refq_worker *worker, refq_error *err);

/* Both signals do nothing from now on; before the worker is freed. */
void rqi_signals_detach(void);

#endif
