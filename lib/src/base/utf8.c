/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

typedef unsigned char byte;

static int is_tail(byte c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the sequence that starts at p, 0 when it is not a valid one (RFC 3629, table in 4). */
static size_t sequence(const byte *p, size_t left)
{
    if (p[0] < 0x80) {
        return 1;
    }
    size_t need = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
                  : p[0] >= 0xe0 && p[0] <= 0xef ? 3
                  : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                 : 0;
    if (need == 0 || need > left) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if (!is_tail(p[i])) {
            return 0;
        }
    }
    int overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    int surrogate = p[0] == 0xed && p[1] > 0x9f;
    int too_large = p[0] == 0xf4 && p[1] > 0x8f;
    return overlong || surrogate || too_large ? 0 : need;
}

size_t rqi_utf8_valid(const char *text, size_t len)
{
    const byte *p = (const byte *)text;
    size_t at = 0;
    while (at < len) {
        size_t n = sequence(p + at, len - at);
        if (n == 0) {
            break;
        }
        at += n;
    }
    return at;
}

size_t rqi_utf8_cut(const char *text, size_t len, size_t max)
{
    if (len <= max) {
        return len;
    }
    size_t cut = max;
    while (cut > 0 && is_tail((byte)text[cut])) {
        cut--;
    }
    return cut;
}
