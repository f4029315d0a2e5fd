/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Messages and errors come from handlers, that is from programs and
 * documents nobody vetted. Printed as they are, an escape sequence in one could
 * rewrite the reader's screen and a line break could fake a table row. So all
 * foreign text passes cli_text_clean() on its way to a person; JSON output is
 * not touched, because there the quoting already does it.
 */
#include "text.h"

#include "base/parse.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

typedef unsigned char byte;

/* Decodes the first character of valid UTF-8; *ret_len gets its bytes. */
static wchar_t decode(const char *text, size_t *ret_len)
{
    const byte *p = (const byte *)text;
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    static const byte masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned code = p[0] & masks[len];
    for (size_t i = 1; i < len; i++) {
        code = code << 6 | (p[i] & 0x3fu);
    }
    *ret_len = len;
    return (wchar_t)code;
}

/* 0x202a and on, 0x2066 and on turn the direction of what follows, to the end of the line. */
static bool is_control(wchar_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

static void clean_valid(rqi_buf *out, const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i += n) {
        wchar_t c = decode(text + i, &n);
        if (!is_control(c)) {
            rqi_buf_add(out, text + i, n);
        } else {
            rqi_buf_addc(out, c == '\n' || c == '\t' || c == '\r' ? ' ' : '?');
        }
    }
}

static void add_valid(rqi_buf *out, const char *text, size_t len)
{
    rqi_buf_add(out, text, len);
}

static void replace_invalid(rqi_buf *out, const char *text, size_t len,
                            void (*put_valid)(rqi_buf *, const char *, size_t))
{
    size_t at = 0;
    while (at < len) {
        size_t valid = rqi_utf8_valid(text + at, len - at);
        put_valid(out, text + at, valid);
        at += valid;
        if (at < len) {
            rqi_buf_adds(out, "\xef\xbf\xbd");
            at++;
        }
    }
}

void cli_text_clean(rqi_buf *out, const char *text, size_t len)
{
    replace_invalid(out, text, len, clean_valid);
}

void cli_text_utf8(rqi_buf *out, const char *text, size_t len)
{
    replace_invalid(out, text, len, add_valid);
}

/* wcwidth() knows a character only in a locale that has it; elsewhere 1 is the best guess. */
static size_t columns_of(wchar_t c)
{
    int width = wcwidth(c);
    return width >= 0 ? (size_t)width : 1;
}

size_t cli_text_width(const char *text, size_t len)
{
    size_t width = 0;
    size_t n = 0;
    for (size_t i = 0; i < len; i += n) {
        width += columns_of(decode(text + i, &n));
    }
    return width;
}

/* Bytes of the longest prefix that takes at most `columns`. */
static size_t prefix(const char *text, size_t columns)
{
    size_t used = 0;
    size_t at = 0;
    size_t n = 0;
    for (; text[at] != '\0'; at += n) {
        used += columns_of(decode(text + at, &n));
        if (used > columns) {
            break;
        }
    }
    return at;
}

void cli_text_fit(rqi_buf *out, const char *text, size_t columns)
{
    static const char dots[] = "...";
    size_t len = strlen(text);
    if (cli_text_width(text, len) <= columns) {
        rqi_buf_add(out, text, len);
        return;
    }
    size_t tail = columns < sizeof dots - 1 ? columns : sizeof dots - 1;
    rqi_buf_add(out, text, prefix(text, columns - tail));
    rqi_buf_add(out, dots, tail);
}

const char *cli_text_time(char out[CLI_TIME_MAX], int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    char zone[8];
    if (localtime_r(&seconds, &local) == NULL ||
        strftime(zone, sizeof zone, "%z", &local) != sizeof "+hhmm" - 1) {
        (void)snprintf(out, CLI_TIME_MAX, "%lld ms", (long long)unix_ms);
        return out;
    }
    size_t len = strftime(out, CLI_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &local);
    (void)snprintf(out + len, CLI_TIME_MAX - len, "%.3s:%.2s", zone, zone + 3);
    return out;
}

const char *cli_text_relative(char out[CLI_TIME_MAX], int64_t ms_ago)
{
    char span[CLI_TIME_MAX - 8];
    if (ms_ago == 0) {
        (void)snprintf(out, CLI_TIME_MAX, "now");
    } else if (ms_ago > 0) {
        (void)snprintf(out, CLI_TIME_MAX, "%s ago", rqi_format_duration(span, sizeof span, ms_ago));
    } else {
        (void)snprintf(out, CLI_TIME_MAX, "in %s", rqi_format_duration(span, sizeof span, -ms_ago));
    }
    return out;
}

const char *cli_text_size(char out[CLI_TIME_MAX], int64_t kib)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double size = (double)kib;
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        size /= 1024;
        unit++;
    }
    (void)snprintf(out, CLI_TIME_MAX, "%.*f %s", unit == 0 ? 0 : 1, size, units[unit]);
    return out;
}
