/* SPDX-License-Identifier: MIT */
#include "run/tail.h"

#include "run/text.h"

#include <string.h>

static size_t max_of(const rqi_tail *tail)
{
    return tail->max != 0 ? tail->max : RQI_TAIL_DEFAULT;
}

static void keep_last(rqi_tail *tail, size_t max)
{
    if (tail->buf.len > max) {
        rqi_buf_consume(&tail->buf, tail->buf.len - max);
        tail->cut = true;
    }
}

void rqi_tail_add(rqi_tail *tail, const char *data, size_t len)
{
    size_t max = max_of(tail);
    if (len > max) {
        data += len - max;
        len = max;
        tail->cut = true;
        rqi_buf_clear(&tail->buf);
    }
    rqi_buf_add(&tail->buf, data, len);
    /* Not at every call: moving the kept bytes for each short line would be most of the work. */
    if (tail->buf.len > 4 * max) {
        keep_last(tail, max);
    }
}

/* Bytes before the first full line, or of a character that was cut in two when no line follows. */
static size_t broken_start(const rqi_buf *buf)
{
    const char *newline = memchr(buf->ptr, '\n', buf->len);
    if (newline != NULL && newline + 1 < buf->ptr + buf->len) {
        return (size_t)(newline + 1 - buf->ptr);
    }
    size_t n = 0;
    while (n < buf->len && n < 3 && ((unsigned char)buf->ptr[n] & 0xc0) == 0x80) {
        n++;
    }
    return n;
}

rqi_buf rqi_tail_take(rqi_tail *tail)
{
    keep_last(tail, max_of(tail));
    if (tail->cut && tail->buf.len > 0) {
        rqi_buf_consume(&tail->buf, broken_start(&tail->buf));
    }
    if (tail->buf.len > 0) {
        rqi_text_clean(tail->buf.ptr, tail->buf.len);
    }
    rqi_buf out = tail->buf;
    *tail = (rqi_tail){.max = tail->max};
    return out;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *rqi_tail_last_line(const char *text, size_t len, size_t *ret_len)
{
    while (len > 0 && is_blank(text[len - 1])) {
        len--;
    }
    size_t start = len;
    while (start > 0 && text[start - 1] != '\n' && text[start - 1] != '\r') {
        start--;
    }
    *ret_len = len - start;
    return text + start;
}
