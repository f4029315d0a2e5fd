/* SPDX-License-Identifier: MIT */
#include "config/place.h"

#include "base/error.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FILE_SHOWN 60 /* bytes of the file name; the end tells more than the start */

void rqi_clean_text(char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t good = rqi_utf8_valid(text, left);
        for (size_t i = 0; i < good; i++) {
            unsigned char c = (unsigned char)text[i];
            if (c < ' ' || c == 0x7f) {
                text[i] = ' ';
            }
        }
        text += good;
        left -= good;
        if (left > 0) {
            *text++ = '?';
            left--;
        }
    }
}

refq_err rqi_fail_at(refq_error *err, refq_err code, const char *file, unsigned line,
                     const char *fmt, ...)
{
    char message[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    size_t len = strlen(file);
    const char *dots = len > FILE_SHOWN ? "..." : "";
    const char *shown = len > FILE_SHOWN ? file + len - FILE_SHOWN : file;
    (void)rqi_fail(err, code, "%s%s:%u: %.240s", dots, shown, line, message);
    if (err != NULL) {
        rqi_clean_text(err->text);
    }
    return code;
}
