/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A line leaves in one write(2), so lines of different threads, and of
 * workers that share a pipe, never mix (a pipe takes up to PIPE_BUF bytes whole)
 * and no lock is needed. What cannot be written is dropped: a full or closed log
 * must not stop the work.
 */
#include "logger.h"

#include "base/clock.h"
#include "config/place.h"
#include "logjson.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define TIME_BYTES     32
_Static_assert(LINE_MAX_BYTES <= PIPE_BUF, "a line must fit one atomic write");
_Static_assert(RQI_LOGJSON_MAX <= PIPE_BUF, "a line must fit one atomic write");

const char *const rqi_logger_levels[] = {[REFQ_LOG_DEBUG] = "debug",
                                         [REFQ_LOG_INFO] = "info",
                                         [REFQ_LOG_WARN] = "warn",
                                         [REFQ_LOG_ERROR] = "error",
                                         NULL};

const char *const rqi_logger_formats[] = {
    [RQI_LOG_LOGFMT] = "logfmt", [RQI_LOG_JSON] = "json", NULL};

/* RFC 3339, UTC. */
static void put_time(char out[TIME_BYTES])
{
    int64_t now = rqi_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(out, TIME_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
                   (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
                   (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100, (unsigned)(now % 1000));
}

static void write_out(const char *line, size_t len)
{
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line, len);
    } while (written < 0 && errno == EINTR);
}

/* Leaves one byte for the newline. */
static size_t compose(char out[LINE_MAX_BYTES], const char *head, const char *line)
{
    int n = snprintf(out, LINE_MAX_BYTES - 1, "%s%s", head, line);
    rqi_clean_text(out);
    return n < 0 ? 0 : strlen(out);
}

static void write_logfmt(void *arg, refq_log_level level, const char *line)
{
    char time[TIME_BYTES];
    char head[TIME_BYTES + 32];
    char out[LINE_MAX_BYTES];
    (void)arg;
    put_time(time);
    (void)snprintf(head, sizeof head, "ts=%s level=%s ", time, rqi_logger_levels[level]);
    size_t len = compose(out, head, line);
    out[len++] = '\n';
    write_out(out, len);
}

static void write_json(void *arg, refq_log_level level, const char *line)
{
    char time[TIME_BYTES];
    char clean[LINE_MAX_BYTES];
    char out[RQI_LOGJSON_MAX];
    (void)arg;
    put_time(time);
    (void)compose(clean, "", line);
    write_out(out, rqi_logjson(out, time, rqi_logger_levels[level], clean));
}

refq_logger rqi_logger_make(rqi_log_format format, refq_log_level level)
{
    static const refq_log_fn writers[] = {
        [RQI_LOG_LOGFMT] = write_logfmt, [RQI_LOG_JSON] = write_json};
    return (refq_logger){.fn = writers[format], .level = level};
}
