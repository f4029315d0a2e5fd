/* SPDX-License-Identifier: MIT */
/* The thread that tells others whether the worker is well: the watchdog of a service manager, and
 * whoever asks over HTTP. */
#ifndef REFQ_WORKER_MONITOR_H
#define REFQ_WORKER_MONITOR_H

#include <refq/log.h>
#include <refq/work.h>

typedef struct rqi_monitor rqi_monitor;

/* Takes the address (NULL = no HTTP, see listen.h); no thread yet. Borrows worker and log. */
refq_err rqi_monitor_new(refq_worker *worker, const char *address, const refq_logger *log,
                         rqi_monitor **ret, refq_error *err);

refq_err rqi_monitor_start(rqi_monitor *monitor, refq_error *err);

/* Ends the thread and frees. NULL is fine. */
void rqi_monitor_free(rqi_monitor *monitor);

#endif
