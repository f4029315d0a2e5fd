/* SPDX-License-Identifier: MIT */
#include "preview/bpe_split.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct text {
    const char *ptr;
    size_t len;
};

static bool is_upper(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static bool is_lower(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || c >= 0x80;
}

static bool is_letter(unsigned char c)
{
    return is_upper(c) || is_lower(c);
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_newline(unsigned char c)
{
    return c == '\n' || c == '\r';
}

/* Neither blank nor letter nor digit. */
static bool is_other(unsigned char c)
{
    return !is_blank(c) && !is_letter(c) && !is_digit(c);
}

static bool is_newline_or_slash(unsigned char c)
{
    return is_newline(c) || c == '/';
}

/* Past the bytes of a class from at on, at most so many. */
static size_t skip(struct text t, size_t at, size_t most, bool (*is)(unsigned char c))
{
    size_t end = t.len - at > most ? at + most : t.len;
    while (at < end && is((unsigned char)t.ptr[at])) {
        at++;
    }
    return at;
}

static size_t skip_all(struct text t, size_t at, bool (*is)(unsigned char c))
{
    return skip(t, at, t.len, is);
}

/* Past one byte before letters, when there is one: [^\r\n\p{L}\p{N}]? */
static size_t skip_lead(struct text t)
{
    unsigned char c = (unsigned char)t.ptr[0];
    return !is_newline(c) && !is_letter(c) && !is_digit(c);
}

/* Bytes of an English contraction at `at`: 's 't 're 've 'm 'll 'd in any case; 0 for none. */
static size_t contraction(struct text t, size_t at)
{
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t len = strlen(endings[i]);
        if (t.len - at >= len && strncasecmp(t.ptr + at, endings[i], len) == 0) {
            return len;
        }
    }
    return 0;
}

/* --- Alternatives: bytes they match, 0 for none ------------------------------------------------
 */

static size_t leading_contraction(struct text t)
{
    return contraction(t, 0);
}

static size_t letters(struct text t)
{
    size_t from = skip_lead(t);
    size_t end = skip_all(t, from, is_letter);
    return end > from ? end : 0;
}

/* Capitals, then small letters, of either perhaps none but not of both. */
static size_t cased_letters(struct text t)
{
    size_t from = skip_lead(t);
    size_t end = skip_all(t, skip_all(t, from, is_upper), is_lower);
    return end > from ? end + contraction(t, end) : 0;
}

static size_t digits(struct text t)
{
    return skip(t, 0, 3, is_digit);
}

static size_t others(struct text t, bool (*tail)(unsigned char c))
{
    size_t from = t.ptr[0] == ' ';
    size_t end = skip_all(t, from, is_other);
    return end > from ? skip_all(t, end, tail) : 0;
}

static size_t others_and_newlines(struct text t)
{
    return others(t, is_newline);
}

static size_t others_and_slashes(struct text t)
{
    return others(t, is_newline_or_slash);
}

static size_t blanks_at_end(struct text t)
{
    size_t end = skip_all(t, 0, is_blank);
    return end == t.len ? end : 0;
}

/* Up to the last newline among them. */
static size_t blanks_with_newline(struct text t)
{
    size_t end = skip_all(t, 0, is_blank);
    while (end > 0 && !is_newline((unsigned char)t.ptr[end - 1])) {
        end--;
    }
    return end;
}

/* The last blank goes with what follows. */
static size_t blanks(struct text t)
{
    size_t end = skip_all(t, 0, is_blank);
    return end == t.len || end <= 1 ? end : end - 1;
}

static size_t (*const o200k[])(struct text) = {cased_letters,       digits, others_and_slashes,
                                               blanks_with_newline, blanks, NULL};
static size_t (*const cl100k[])(struct text) = {
    leading_contraction, letters, digits, others_and_newlines, blanks_at_end,
    blanks_with_newline, blanks,  NULL};

static size_t (*const *const patterns[])(struct text) = {
    [REFQ_BPE_O200K] = o200k, [REFQ_BPE_CL100K] = cl100k};

size_t rqi_bpe_split(refq_bpe_pattern pattern, const char *text, size_t len)
{
    struct text t = {text, len};
    size_t n = 0;
    for (size_t (*const *next)(struct text) = patterns[pattern]; n == 0 && *next != NULL; next++) {
        n = (*next)(t);
    }
    return n != 0 ? n : 1;
}
