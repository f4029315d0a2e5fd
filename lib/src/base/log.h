/* SPDX-License-Identifier: MIT */
/* Formatting of one logfmt line for the user's callback. */
#ifndef RQI_BASE_LOG_H
#define RQI_BASE_LOG_H

#include <refq/log.h>

/* Formats and delivers a line such as `event=claimed ref=docs:.. attempt=1`. A NULL logger is
 * quiet. Values that may hold spaces or quotes go through rqi_log_quote(). */
void rqi_log(const refq_logger *log, refq_log_level level, const char *fmt, ...) REFQ_PRINTF(3, 4);

/* 1 when a line of this level would be delivered: guards costly arguments. */
int rqi_log_on(const refq_logger *log, refq_log_level level);

/* Writes text as a logfmt value into out (quoted and escaped when needed, cut with "..." when too
 * long), and returns out. */
const char *rqi_log_quote(char *out, unsigned long size, const char *text);

#endif
