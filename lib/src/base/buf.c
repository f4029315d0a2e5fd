/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rqi_buf rqi_buf_make(size_t max)
{
    return (rqi_buf){.max = max};
}

/* A max of SIZE_MAX ("no limit") must not overflow the sums and doublings below. */
static size_t limit(const rqi_buf *b)
{
    size_t max = b->max != 0 ? b->max : RQI_BUF_MAX;
    return max < SIZE_MAX / 4 ? max : SIZE_MAX / 4;
}

/* Doubles, but never allocates more than the limit and the terminator need. */
static size_t next_capacity(const rqi_buf *b, size_t need)
{
    size_t cap = b->cap != 0 ? b->cap : 64;
    while (cap < need) {
        cap *= 2;
    }
    size_t most = limit(b) + 1;
    return cap < most ? cap : most;
}

char *rqi_buf_reserve(rqi_buf *b, size_t extra)
{
    if (b->err != REFQ_OK) {
        return NULL;
    }
    if (extra > limit(b) - b->len) {
        b->err = REFQ_ERR_LIMIT;
        return NULL;
    }
    size_t need = b->len + extra + 1;
    if (need > b->cap) {
        size_t cap = next_capacity(b, need);
        char *grown = realloc(b->ptr, cap);
        if (grown == NULL) {
            b->err = REFQ_ERR_NOMEM;
            return NULL;
        }
        b->ptr = grown;
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void rqi_buf_commit(rqi_buf *b, size_t written)
{
    b->len += written;
    b->ptr[b->len] = '\0';
}

void rqi_buf_add(rqi_buf *b, const void *ptr, size_t len)
{
    char *at = rqi_buf_reserve(b, len);
    if (at == NULL) {
        return;
    }
    if (len != 0) {
        memcpy(at, ptr, len);
    }
    rqi_buf_commit(b, len);
}

void rqi_buf_adds(rqi_buf *b, const char *text)
{
    rqi_buf_add(b, text, strlen(text));
}

void rqi_buf_addc(rqi_buf *b, char c)
{
    rqi_buf_add(b, &c, 1);
}

void rqi_buf_addvf(rqi_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int need = vsnprintf(NULL, 0, fmt, ap);
    if (need < 0 && b->err == REFQ_OK) {
        b->err = REFQ_ERR_INTERNAL; /* a text that is silently missing would be worse */
    }
    char *at = need >= 0 ? rqi_buf_reserve(b, (size_t)need) : NULL;
    if (at != NULL) {
        (void)vsnprintf(at, (size_t)need + 1, fmt, again);
        rqi_buf_commit(b, (size_t)need);
    }
    va_end(again);
}

void rqi_buf_addf(rqi_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    rqi_buf_addvf(b, fmt, ap);
    va_end(ap);
}

static void add_json_escape(rqi_buf *b, unsigned char c)
{
    static const char shorts[] = "b\bf\fn\nr\rt\t";
    for (const char *s = shorts; *s != '\0'; s += 2) {
        if ((unsigned char)s[1] == c) {
            rqi_buf_addc(b, '\\');
            rqi_buf_addc(b, s[0]);
            return;
        }
    }
    if (c == '"' || c == '\\') {
        rqi_buf_addc(b, '\\');
        rqi_buf_addc(b, (char)c);
        return;
    }
    rqi_buf_addf(b, "\\u%04x", c);
}

void rqi_buf_add_json(rqi_buf *b, const char *text, size_t len)
{
    rqi_buf_addc(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            continue;
        }
        rqi_buf_add(b, text + from, i - from);
        add_json_escape(b, c);
        from = i + 1;
    }
    if (len != from) { /* an empty text may be NULL */
        rqi_buf_add(b, text + from, len - from);
    }
    rqi_buf_addc(b, '"');
}

void rqi_buf_consume(rqi_buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
    } else {
        memmove(b->ptr, b->ptr + n, b->len - n);
        b->len -= n;
    }
    if (b->ptr != NULL) {
        b->ptr[b->len] = '\0';
    }
}

void rqi_buf_clear(rqi_buf *b)
{
    rqi_buf_consume(b, b->len);
    b->err = REFQ_OK;
}

void rqi_buf_done(rqi_buf *b)
{
    free(b->ptr);
    *b = (rqi_buf){.max = b->max};
}

char *rqi_buf_take(rqi_buf *b, size_t *ret_len)
{
    if (rqi_buf_reserve(b, 0) == NULL) {
        return NULL;
    }
    b->ptr[b->len] = '\0';
    char *out = b->ptr;
    if (ret_len != NULL) {
        *ret_len = b->len;
    }
    *b = (rqi_buf){.max = b->max};
    return out;
}

refq_bytes rqi_buf_bytes(const rqi_buf *b)
{
    return (refq_bytes){.ptr = b->ptr, .len = b->len};
}

const char *rqi_buf_str(const rqi_buf *b)
{
    return b->ptr != NULL ? b->ptr : "";
}
