/* SPDX-License-Identifier: MIT */
/* Cutting a byte stream into lines of bounded length. */
#ifndef RQI_RUN_LINES_H
#define RQI_RUN_LINES_H

#include "base/buf.h"

#include <stdbool.h>

#define RQI_LINE_MAX ((size_t)64 * 1024) /* bytes of a line; a longer one is dropped whole */

typedef struct rqi_lines {
    rqi_buf line;  /* what came of the current line */
    bool dropping; /* the current line is too long: until its end all is dropped */
} rqi_lines;

/* Calls fn for each line completed by data, without its newline; line is NULL for one that was too
 * long. */
void rqi_lines_add(rqi_lines *lines, const char *data, size_t len,
                   void (*fn)(void *arg, const char *line, size_t len), void *arg);

void rqi_lines_done(rqi_lines *lines);

#endif
