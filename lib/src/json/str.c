/* SPDX-License-Identifier: MIT */
#include "json/str.h"

#include <string.h>

rqi_str rqi_str_open(refq_bytes string)
{
    const char *p = string.ptr;
    return (rqi_str){p + 1, p + string.len - 1};
}

static uint32_t hex_digit(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* The value of the \uXXXX at p. */
static uint32_t unit_at(const char *p)
{
    return hex_digit(p[2]) << 12 | hex_digit(p[3]) << 8 | hex_digit(p[4]) << 4 | hex_digit(p[5]);
}

static uint32_t read_unit(rqi_str *s)
{
    uint32_t high = unit_at(s->p);
    s->p += 6;
    if (high < 0xd800 || high > 0xdbff || s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u') {
        return high;
    }
    uint32_t low = unit_at(s->p);
    if (low < 0xdc00 || low > 0xdfff) {
        return high;
    }
    s->p += 6;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static uint32_t read_escape(rqi_str *s)
{
    static const char names[] = "bfnrt";
    static const char means[] = "\b\f\n\r\t";
    if (s->p[1] == 'u') {
        return read_unit(s);
    }
    char c = s->p[1];
    const char *at = strchr(names, c);
    s->p += 2;
    return (unsigned char)(at != NULL ? means[at - names] : c);
}

static uint32_t read_utf8(rqi_str *s)
{
    unsigned char first = (unsigned char)*s->p++;
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    uint32_t c = first & (0x3fU >> more);
    for (; more > 0; more--) {
        c = c << 6 | ((unsigned char)*s->p++ & 0x3f);
    }
    return c;
}

bool rqi_str_next(rqi_str *s, uint32_t *ret_char)
{
    if (s->p >= s->end) {
        return false;
    }
    unsigned char c = (unsigned char)*s->p;
    if (c == '\\') {
        *ret_char = read_escape(s);
    } else if (c >= 0x80) {
        *ret_char = read_utf8(s);
    } else {
        *ret_char = c;
        s->p++;
    }
    return true;
}

size_t rqi_str_len(refq_bytes string)
{
    rqi_str s = rqi_str_open(string);
    uint32_t c;
    size_t n = 0;
    while (rqi_str_next(&s, &c)) {
        n++;
    }
    return n;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* The letter of a two-byte escape; 0 when the character has none. */
static char short_escape(uint32_t c)
{
    static const char means[] = "\"\\\b\f\n\r\t";
    static const char names[] = "\"\\bfnrt";
    const char *at = c != 0 && c < 0x80 ? strchr(means, (int)c) : NULL;
    return at != NULL ? names[at - means] : '\0';
}

static bool is_printable(uint32_t c)
{
    return c >= ' ' && c < 0x7f;
}

unsigned rqi_str_py_width(uint32_t c)
{
    if (is_printable(c)) {
        return c == '"' || c == '\\' ? 2 : 1;
    }
    if (c >= 0x10000) {
        return RQI_STR_PY_MAX;
    }
    return short_escape(c) != '\0' ? 2 : 6;
}

static void add_unit(rqi_buf *out, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\',
                    'u',
                    digits[unit >> 12 & 15],
                    digits[unit >> 8 & 15],
                    digits[unit >> 4 & 15],
                    digits[unit & 15]};
    rqi_buf_add(out, text, sizeof text);
}

void rqi_str_add_py(rqi_buf *out, uint32_t c)
{
    char name = short_escape(c);
    if (name != '\0') {
        rqi_buf_addc(out, '\\');
        rqi_buf_addc(out, name);
    } else if (is_printable(c)) {
        rqi_buf_addc(out, (char)c);
    } else if (c < 0x10000) {
        add_unit(out, c);
    } else {
        add_unit(out, 0xd800 + ((c - 0x10000) >> 10));
        add_unit(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
    }
}

/* Bytes of the character as UTF-8, which it writes to out. */
static unsigned encode(uint32_t c, char out[4])
{
    static const unsigned char heads[] = {0, 0xc0, 0xe0, 0xf0};
    unsigned more = c >= 0x10000 ? 3 : c >= 0x800 ? 2 : c >= 0x80 ? 1 : 0;
    out[0] = (char)(heads[more] | c >> (6 * more));
    for (unsigned i = 1; i <= more; i++) {
        out[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    }
    return more + 1;
}

void rqi_str_add_utf8(rqi_buf *out, uint32_t c)
{
    char text[4];
    rqi_buf_add(out, text, encode(c, text));
}

void rqi_str_decode(refq_bytes string, rqi_buf *out)
{
    rqi_str s = rqi_str_open(string);
    uint32_t c;
    while (rqi_str_next(&s, &c)) {
        rqi_str_add_utf8(out, rqi_str_is_surrogate(c) ? 0xfffd : c);
    }
}

/* --- Comparing -------------------------------------------------------------------------------- */

static bool equal_content(rqi_str a, rqi_str b)
{
    uint32_t x;
    uint32_t y;
    for (;;) {
        bool more = rqi_str_next(&a, &x);
        if (rqi_str_next(&b, &y) != more) {
            return false;
        }
        if (!more || x != y) {
            return !more;
        }
    }
}

bool rqi_str_equal(refq_bytes a, refq_bytes b)
{
    if (a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0) {
        return true;
    }
    return equal_content(rqi_str_open(a), rqi_str_open(b));
}

bool rqi_str_is(refq_bytes string, const char *name)
{
    rqi_str s = rqi_str_open(string);
    uint32_t c;
    while (rqi_str_next(&s, &c)) {
        char text[4];
        unsigned len = encode(c, text);
        if (c == 0 || strncmp(name, text, len) != 0) {
            return false;
        }
        name += len;
    }
    return *name == '\0';
}
