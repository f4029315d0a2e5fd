/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A line is composed on the stack and leaves in one write(2), so lines
 * of different threads, and of workers that share a pipe, never mix (a pipe
 * takes up to PIPE_BUF bytes whole) and no lock is needed. What cannot be
 * written is dropped: a full or closed log must not stop the work.
 */
#include "logfmt.h"

#include "base/clock.h"
#include "place.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
_Static_assert(LINE_MAX_BYTES <= PIPE_BUF, "a line must fit one atomic write");

const char *const rqi_logfmt_levels[] = {[REFQ_LOG_DEBUG] = "debug",
                                         [REFQ_LOG_INFO] = "info",
                                         [REFQ_LOG_WARN] = "warn",
                                         [REFQ_LOG_ERROR] = "error",
                                         NULL};

static int put_head(char *out, size_t size, refq_log_level level)
{
    int64_t now = rqi_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    return snprintf(out, size, "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ level=%s ",
                    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                    (int)(now % 1000), rqi_logfmt_levels[level]);
}

static void write_line(void *arg, refq_log_level level, const char *line)
{
    (void)arg;
    char out[LINE_MAX_BYTES];
    int head = put_head(out, sizeof out, level);
    if (head < 0) {
        return;
    }
    size_t room = sizeof out - (size_t)head - 1; /* one byte for the newline */
    int body = snprintf(out + head, room, "%s", line);
    rqi_clean_text(out + head);
    size_t len = (size_t)head + (body < 0 ? 0 : (size_t)body < room ? (size_t)body : room - 1);
    out[len++] = '\n';
    ssize_t written;
    do {
        written = write(STDERR_FILENO, out, len);
    } while (written < 0 && errno == EINTR);
}

refq_logger rqi_logfmt_logger(refq_log_level level)
{
    return (refq_logger){.fn = write_line, .level = level};
}
