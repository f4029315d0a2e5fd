/* SPDX-License-Identifier: MIT */
/* Where the worker's log lines go: stderr, one event per line, in logfmt or JSON. */
#ifndef REFQ_WORKER_LOGGER_H
#define REFQ_WORKER_LOGGER_H

#include <refq/log.h>

typedef enum rqi_log_format { RQI_LOG_LOGFMT, RQI_LOG_JSON } rqi_log_format;

/* A logger that writes to file descriptor 2. Any thread may use it. */
refq_logger rqi_logger_make(rqi_log_format format, refq_log_level level);

/* "debug", "info", "warn", "error", NULL: the index is the level. */
extern const char *const rqi_logger_levels[];

/* "logfmt", "json", NULL: the index is the format. */
extern const char *const rqi_logger_formats[];

#endif
