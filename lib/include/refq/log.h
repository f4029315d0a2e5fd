/* SPDX-License-Identifier: MIT */
/*
 * Log lines of the library.
 *
 * The library never writes to a file or terminal of its own accord: it hands
 * each line to the callback of the object it belongs to. A line is an event
 * name and key=value pairs in logfmt, without time and level, which the sink
 * adds. Callbacks may come from any thread of the object.
 */
#ifndef REFQ_LOG_H
#define REFQ_LOG_H

#include <refq/export.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum refq_log_level {
    REFQ_LOG_DEBUG = 0,
    REFQ_LOG_INFO,
    REFQ_LOG_WARN,
    REFQ_LOG_ERROR
} refq_log_level;

/* `line` is borrowed for the duration of the call and has no trailing newline. */
typedef void (*refq_log_fn)(void *arg, refq_log_level level, const char *line);

typedef struct refq_logger {
    refq_log_fn fn;       /* NULL: nothing is logged */
    void *arg;            /* borrowed; handed back to fn */
    refq_log_level level; /* lines below this level are not even formatted */
} refq_logger;

#ifdef __cplusplus
}
#endif
#endif
