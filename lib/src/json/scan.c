/* SPDX-License-Identifier: MIT */
#include "json/scan.h"

#include "base/error.h"
#include "base/utf8.h"

#include <assert.h>
#include <string.h>

static_assert(RQI_SCAN_ROOM % 64 == 0, "the bits of the levels fill whole words");

/* What may come next. */
enum { STEP_VALUE, STEP_FIRST_ITEM, STEP_FIRST_KEY, STEP_NEXT, STEP_DONE, STEP_BAD };

void rqi_scan_init(rqi_scan *s, refq_bytes text, unsigned max_depth, refq_error *err)
{
    memset(s, 0, sizeof *s);
    s->start = text.ptr;
    s->p = s->start;
    s->end = text.len != 0 ? s->start + text.len : s->start;
    s->max_depth = max_depth == 0              ? RQI_SCAN_DEPTH
                   : max_depth < RQI_SCAN_ROOM ? max_depth
                                               : RQI_SCAN_ROOM;
    s->step = STEP_VALUE;
    s->err = err;
}

static rqi_scan_kind refuse(rqi_scan *s, const char *at, const char *why)
{
    s->step = STEP_BAD;
    s->rc = rqi_fail(s->err, REFQ_ERR_INVALID, "not valid JSON at byte %zu: %s",
                     (size_t)(at - s->start), why);
    return RQI_SCAN_BAD;
}

static rqi_scan_kind refuse_end(rqi_scan *s)
{
    return s->end == s->start ? refuse(s, s->p, "the text is empty")
                              : refuse(s, s->end, "the text ends in the middle of a value");
}

static void skip_blanks(rqi_scan *s)
{
    const char *p = s->p;
    while (p < s->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    s->p = p;
}

static bool in_object(const rqi_scan *s)
{
    unsigned level = s->depth - 1;
    return (s->objects[level / 64] >> (level % 64) & 1) != 0;
}

/* A value is complete. */
static void after_value(rqi_scan *s)
{
    s->step = s->depth == 0 ? STEP_DONE : STEP_NEXT;
}

/* Gives out [s->p, end) and goes on behind it. */
static rqi_scan_kind take(rqi_scan *s, rqi_scan_token *ret, rqi_scan_kind kind, const char *end)
{
    ret->kind = kind;
    ret->text = (refq_bytes){s->p, (size_t)(end - s->p)};
    ret->plain = false;
    s->p = end;
    return kind;
}

/* --- Strings ---------------------------------------------------------------------------------- */

#define EACH_BYTE(c) ((uint64_t)(c)*UINT64_C(0x0101010101010101))

/* Non-zero when one of the eight bytes is the zero byte. */
static uint64_t zero_byte(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* Past the printable ASCII at p that needs no second look; eight bytes at a time. */
static const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        uint64_t control = (word - EACH_BYTE(' ')) & ~word & EACH_BYTE(0x80);
        uint64_t wide = word & EACH_BYTE(0x80);
        if ((control | wide | zero_byte(word ^ EACH_BYTE('"')) | zero_byte(word ^ EACH_BYTE('\\')) |
             zero_byte(word ^ EACH_BYTE(0x7f))) != 0) {
            break;
        }
        p += 8;
    }
    while (p < end && *p >= ' ' && *p != '"' && *p != '\\' && *p != 0x7f) {
        p++;
    }
    return p;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Bytes of the escape at p, 0 when it is none. */
static size_t escape_len(const char *p, const char *end)
{
    if (end - p < 2 || p[1] == '\0' || strchr("\"\\/bfnrtu", p[1]) == NULL) {
        return 0;
    }
    if (p[1] != 'u') {
        return 2;
    }
    return end - p >= 6 && is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) && is_hex(p[5]) ? 6 : 0;
}

/* Past the bytes above ASCII at p, p itself when they are no UTF-8. */
static const char *skip_wide(const char *p, const char *end, const char **ret_bad)
{
    const char *q = p;
    while (q < end && (unsigned char)*q >= 0x80) {
        q++;
    }
    size_t valid = rqi_utf8_valid(p, (size_t)(q - p));
    *ret_bad = p + valid;
    return valid == (size_t)(q - p) ? q : p;
}

/* Past what is not plain at p; NULL after a refusal. */
static const char *skip_odd(rqi_scan *s, const char *p)
{
    unsigned char c = (unsigned char)*p;
    if (c == '\\') {
        size_t n = escape_len(p, s->end);
        if (n == 0) {
            (void)refuse(s, p, "no such escape in a string; a backslash itself is written \\\\");
            return NULL;
        }
        return p + n;
    }
    if (c < ' ') {
        (void)refuse(s, p, "a control character in a string; write it as \\u and four digits");
        return NULL;
    }
    if (c == 0x7f) {
        return p + 1;
    }
    const char *bad;
    const char *q = skip_wide(p, s->end, &bad);
    if (q == p) {
        (void)refuse(s, bad, "the text is not UTF-8");
        return NULL;
    }
    return q;
}

/* s->p is at the opening quote. */
static rqi_scan_kind take_string(rqi_scan *s, rqi_scan_token *ret, rqi_scan_kind kind)
{
    bool plain = true;
    const char *p = skip_plain(s->p + 1, s->end);
    while (p < s->end && *p != '"') {
        plain = false;
        p = skip_odd(s, p);
        if (p == NULL) {
            return RQI_SCAN_BAD;
        }
        p = skip_plain(p, s->end);
    }
    if (p == s->end) {
        return refuse(s, s->end, "the text ends inside a string");
    }
    (void)take(s, ret, kind, p + 1);
    ret->plain = plain;
    return kind;
}

static rqi_scan_kind read_string(rqi_scan *s, rqi_scan_token *ret)
{
    after_value(s);
    return take_string(s, ret, RQI_SCAN_STRING);
}

static rqi_scan_kind read_key(rqi_scan *s, rqi_scan_token *ret)
{
    if (*s->p != '"') {
        return refuse(s, s->p, "here a key in double quotes is expected");
    }
    rqi_scan_kind kind = take_string(s, ret, RQI_SCAN_KEY);
    if (kind == RQI_SCAN_BAD) {
        return kind;
    }
    skip_blanks(s);
    if (s->p == s->end) {
        return refuse_end(s);
    }
    if (*s->p != ':') {
        return refuse(s, s->p, "here the ':' after a key is expected");
    }
    s->p++;
    s->step = STEP_VALUE;
    return kind;
}

/* --- Numbers and words ------------------------------------------------------------------------ */

struct word {
    char text[12];
    rqi_scan_kind kind;
};

static const struct word words[] = {
    {"null", RQI_SCAN_NULL}, {"true", RQI_SCAN_TRUE},         {"false", RQI_SCAN_FALSE},
    {"NaN", RQI_SCAN_NAN},   {"Infinity", RQI_SCAN_INFINITY}, {"-Infinity", RQI_SCAN_NEG_INFINITY}};

static rqi_scan_kind read_word(rqi_scan *s, rqi_scan_token *ret)
{
    size_t left = (size_t)(s->end - s->p);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i].text);
        if (len <= left && memcmp(s->p, words[i].text, len) == 0) {
            after_value(s);
            return take(s, ret, words[i].kind, s->p + len);
        }
    }
    return refuse(s, s->p, "here a value is expected; a text needs double quotes");
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

/* Past the digits at p, of which there must be one; NULL after a refusal. */
static const char *need_digits(rqi_scan *s, const char *p)
{
    const char *q = skip_digits(p, s->end);
    if (q != p) {
        return q;
    }
    (void)(p == s->end ? refuse_end(s) : refuse(s, p, "here a digit is expected"));
    return NULL;
}

/* Past a fraction and an exponent, either of which may be missing; NULL after a refusal. */
static const char *skip_real_part(rqi_scan *s, const char *p)
{
    if (p < s->end && *p == '.') {
        p = need_digits(s, p + 1);
    }
    if (p != NULL && p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < s->end && (*p == '+' || *p == '-');
        p = need_digits(s, p);
    }
    return p;
}

static rqi_scan_kind read_number(rqi_scan *s, rqi_scan_token *ret)
{
    const char *p = s->p + (*s->p == '-');
    if (p != s->p && p < s->end && *p == 'I') {
        return read_word(s, ret);
    }
    const char *whole = need_digits(s, p);
    if (whole == NULL) {
        return RQI_SCAN_BAD;
    }
    if (*p == '0' && whole - p > 1) {
        return refuse(s, p, "a number with a zero before its first digit");
    }
    const char *q = skip_real_part(s, whole);
    if (q == NULL) {
        return RQI_SCAN_BAD;
    }
    after_value(s);
    return take(s, ret, q == whole ? RQI_SCAN_INT : RQI_SCAN_REAL, q);
}

/* --- Containers ------------------------------------------------------------------------------- */

static rqi_scan_kind open_container(rqi_scan *s, rqi_scan_token *ret)
{
    if (s->depth == s->max_depth) {
        size_t at = (size_t)(s->p - s->start);
        s->step = STEP_BAD;
        s->rc =
            rqi_fail(s->err, REFQ_ERR_LIMIT,
                     "the JSON text is nested deeper than %u levels at byte %zu", s->max_depth, at);
        return RQI_SCAN_BAD;
    }
    bool object = *s->p == '{';
    uint64_t bit = UINT64_C(1) << (s->depth % 64);
    uint64_t *word = &s->objects[s->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    s->step = object ? STEP_FIRST_KEY : STEP_FIRST_ITEM;
    return take(s, ret, object ? RQI_SCAN_OBJECT : RQI_SCAN_ARRAY, s->p + 1);
}

static rqi_scan_kind close_container(rqi_scan *s, rqi_scan_token *ret)
{
    bool object = in_object(s);
    s->depth--;
    after_value(s);
    return take(s, ret, object ? RQI_SCAN_OBJECT_END : RQI_SCAN_ARRAY_END, s->p + 1);
}

static rqi_scan_kind read_value(rqi_scan *s, rqi_scan_token *ret)
{
    char c = *s->p;
    if (c == '"') {
        return read_string(s, ret);
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        return read_number(s, ret);
    }
    return c == '[' || c == '{' ? open_container(s, ret) : read_word(s, ret);
}

static rqi_scan_kind read_first_item(rqi_scan *s, rqi_scan_token *ret)
{
    return *s->p == ']' ? close_container(s, ret) : read_value(s, ret);
}

static rqi_scan_kind read_first_key(rqi_scan *s, rqi_scan_token *ret)
{
    return *s->p == '}' ? close_container(s, ret) : read_key(s, ret);
}

/* After a value in a container: its end, or a comma and what follows. */
static rqi_scan_kind read_next(rqi_scan *s, rqi_scan_token *ret)
{
    bool object = in_object(s);
    if (*s->p == (object ? '}' : ']')) {
        return close_container(s, ret);
    }
    if (*s->p != ',') {
        return refuse(s, s->p,
                      object ? "here ',' or '}' is expected" : "here ',' or ']' is expected");
    }
    const char *comma = s->p++;
    skip_blanks(s);
    if (s->p == s->end) {
        return refuse_end(s);
    }
    if (*s->p == (object ? '}' : ']')) {
        return refuse(s, comma, "a comma with nothing behind it");
    }
    return object ? read_key(s, ret) : read_value(s, ret);
}

static rqi_scan_kind (*const steps[])(rqi_scan *,
                                      rqi_scan_token *) = {[STEP_VALUE] = read_value,
                                                           [STEP_FIRST_ITEM] = read_first_item,
                                                           [STEP_FIRST_KEY] = read_first_key,
                                                           [STEP_NEXT] = read_next};

rqi_scan_kind rqi_scan_next(rqi_scan *s, rqi_scan_token *ret)
{
    if (s->step >= STEP_DONE) {
        return ret->kind = s->step == STEP_DONE ? RQI_SCAN_DONE : RQI_SCAN_BAD;
    }
    skip_blanks(s);
    if (s->p == s->end) {
        return ret->kind = refuse_end(s);
    }
    return ret->kind = steps[s->step](s, ret);
}

void rqi_scan_skip(rqi_scan *s, const char *end)
{
    s->p = end;
    after_value(s);
}

/* --- Whole texts ------------------------------------------------------------------------------ */

refq_err rqi_scan_finish(rqi_scan *s)
{
    if (s->step == STEP_BAD) {
        return s->rc;
    }
    skip_blanks(s);
    if (s->p != s->end) {
        (void)refuse(s, s->p, "something follows the value");
    }
    return s->rc;
}

refq_err rqi_scan_check(refq_bytes text, unsigned max_depth, refq_bytes *ret_value, refq_error *err)
{
    rqi_scan s;
    rqi_scan_token token;
    rqi_scan_init(&s, text, max_depth, err);
    skip_blanks(&s);
    const char *first = s.p;
    rqi_scan_kind kind;
    do {
        kind = rqi_scan_next(&s, &token);
    } while (kind > RQI_SCAN_DONE);
    const char *end = s.p;
    refq_err rc = rqi_scan_finish(&s);
    if (rc == REFQ_OK && ret_value != NULL) {
        *ret_value = (refq_bytes){first, (size_t)(end - first)};
    }
    return rc;
}
