/* SPDX-License-Identifier: MIT */
/* A line of logfmt as a JSON object. */
#ifndef REFQ_WORKER_LOGJSON_H
#define REFQ_WORKER_LOGJSON_H

#include <stddef.h>

#define RQI_LOGJSON_MAX 4096

/* Writes {"ts":time,"level":level,...the fields of line...} and a newline; returns how many bytes.
 * The line is valid UTF-8. Of a field that comes twice the first counts; fields that do not fit are
 * left out, and "cut":true tells so. */
size_t rqi_logjson(char out[RQI_LOGJSON_MAX], const char *time, const char *level,
                   const char *line);

#endif
