/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int rqi_log_on(const refq_logger *log, refq_log_level level)
{
    return log != NULL && log->fn != NULL && level >= log->level;
}

void rqi_log(const refq_logger *log, refq_log_level level, const char *fmt, ...)
{
    if (!rqi_log_on(log, level)) {
        return;
    }
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    log->fn(log->arg, level, line);
}

static int needs_quotes(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p == 0x7f) {
            return 1;
        }
    }
    return *text == '\0';
}

/* Appends c escaped; returns how many bytes it took, 0 when they do not fit before end. */
static size_t put_escaped(char *at, const char *end, unsigned char c)
{
    char esc[8];
    if (c == '"' || c == '\\') {
        (void)snprintf(esc, sizeof esc, "\\%c", c);
    } else if (c == '\n') {
        (void)snprintf(esc, sizeof esc, "\\n");
    } else if (c < ' ' || c == 0x7f) {
        (void)snprintf(esc, sizeof esc, "\\x%02x", c);
    } else {
        (void)snprintf(esc, sizeof esc, "%c", c);
    }
    size_t n = strlen(esc);
    if ((size_t)(end - at) < n) {
        return 0;
    }
    memcpy(at, esc, n);
    return n;
}

static int is_tail(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Where to cut the value that ends at `at`, so that no UTF-8 character is split before `next`. */
static char *cut_before(char *at, char next)
{
    if (!is_tail(next)) {
        return at;
    }
    do {
        at--;
    } while (is_tail(*at));
    return at;
}

const char *rqi_log_quote(char *out, unsigned long size, const char *text)
{
    if (size < 8) {
        return "";
    }
    if (!needs_quotes(text) && strlen(text) < size) {
        (void)snprintf(out, size, "%s", text);
        return out;
    }
    char *at = out;
    const char *end = out + size - 5; /* room for ..." and the terminator */
    *at++ = '"';
    for (; *text != '\0'; text++) {
        size_t n = put_escaped(at, end, (unsigned char)*text);
        if (n == 0) {
            at = cut_before(at, *text);
            memcpy(at, "...", 3);
            at += 3;
            break;
        }
        at += n;
    }
    *at++ = '"';
    *at = '\0';
    return out;
}
