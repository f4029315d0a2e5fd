/* SPDX-License-Identifier: MIT */
#include "run/lines.h"

#include <string.h>

static void add_part(rqi_lines *lines, const char *data, size_t len)
{
    if (lines->dropping || lines->line.len + len > RQI_LINE_MAX) {
        lines->dropping = true;
        rqi_buf_clear(&lines->line);
        return;
    }
    rqi_buf_add(&lines->line, data, len);
}

void rqi_lines_add(rqi_lines *lines, const char *data, size_t len,
                   void (*fn)(void *arg, const char *line, size_t len), void *arg)
{
    const char *end = data + len;
    const char *newline;
    while ((newline = memchr(data, '\n', (size_t)(end - data))) != NULL) {
        add_part(lines, data, (size_t)(newline - data));
        fn(arg, lines->dropping ? NULL : rqi_buf_str(&lines->line), lines->line.len);
        rqi_buf_clear(&lines->line);
        lines->dropping = false;
        data = newline + 1;
    }
    add_part(lines, data, (size_t)(end - data));
}

void rqi_lines_done(rqi_lines *lines)
{
    rqi_buf_done(&lines->line);
    *lines = (rqi_lines){0};
}
