/* SPDX-License-Identifier: MIT */
/* Where the worker's log lines go: stderr, one event per line, in logfmt. */
#ifndef REFQ_WORKER_LOGFMT_H
#define REFQ_WORKER_LOGFMT_H

#include <refq/log.h>

/* A logger that writes to file descriptor 2. Any thread may use it. */
refq_logger rqi_logfmt_logger(refq_log_level level);

/* "debug", "info", "warn", "error", NULL: the index is the level. */
extern const char *const rqi_logfmt_levels[];

#endif
