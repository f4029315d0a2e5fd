/* SPDX-License-Identifier: MIT */
#include "codec/mp_guard.h"

#include "base/error.h"
#include "base/utf8.h"

#include <stdint.h>

typedef uint8_t byte;

enum kind { SCALAR, BYTES, TEXT, ARRAY, MAP, RESERVED };

/*
 * All first bytes of msgpack. After the first byte come `width` bytes of
 * length, big-endian; without them the length is in the low bits (`mask`).
 * Then come `fixed` bytes, then as many bytes or items as the length says.
 */
struct shape {
    byte first, last;
    byte kind;
    byte width;
    byte mask;
    byte fixed;
};

static const struct shape shapes[] = {
    {0x00, 0x7f, SCALAR, 0, 0, 0},     /* positive fixint */
    {0x80, 0x8f, MAP, 0, 0x0f, 0},     /* fixmap */
    {0x90, 0x9f, ARRAY, 0, 0x0f, 0},   /* fixarray */
    {0xa0, 0xbf, TEXT, 0, 0x1f, 0},    /* fixstr */
    {0xc0, 0xc0, SCALAR, 0, 0, 0},     /* nil */
    {0xc1, 0xc1, RESERVED, 0, 0, 0},   /* never used */
    {0xc2, 0xc3, SCALAR, 0, 0, 0},     /* false, true */
    {0xc4, 0xc4, BYTES, 1, 0, 0},      /* bin 8 */
    {0xc5, 0xc5, BYTES, 2, 0, 0},      /* bin 16 */
    {0xc6, 0xc6, BYTES, 4, 0, 0},      /* bin 32 */
    {0xc7, 0xc7, BYTES, 1, 0, 1},      /* ext 8: a type byte before the data */
    {0xc8, 0xc8, BYTES, 2, 0, 1},      /* ext 16 */
    {0xc9, 0xc9, BYTES, 4, 0, 1},      /* ext 32 */
    {0xca, 0xca, SCALAR, 0, 0, 4},     /* float 32 */
    {0xcb, 0xcb, SCALAR, 0, 0, 8},     /* float 64 */
    {0xcc, 0xcc, SCALAR, 0, 0, 1},     /* uint 8 */
    {0xcd, 0xcd, SCALAR, 0, 0, 2},     /* uint 16 */
    {0xce, 0xce, SCALAR, 0, 0, 4},     /* uint 32 */
    {0xcf, 0xcf, SCALAR, 0, 0, 8},     /* uint 64 */
    {0xd0, 0xd0, SCALAR, 0, 0, 1},     /* int 8 */
    {0xd1, 0xd1, SCALAR, 0, 0, 2},     /* int 16 */
    {0xd2, 0xd2, SCALAR, 0, 0, 4},     /* int 32 */
    {0xd3, 0xd3, SCALAR, 0, 0, 8},     /* int 64 */
    {0xd4, 0xd4, BYTES, 0, 0, 1 + 1},  /* fixext 1 */
    {0xd5, 0xd5, BYTES, 0, 0, 1 + 2},  /* fixext 2 */
    {0xd6, 0xd6, BYTES, 0, 0, 1 + 4},  /* fixext 4 */
    {0xd7, 0xd7, BYTES, 0, 0, 1 + 8},  /* fixext 8 */
    {0xd8, 0xd8, BYTES, 0, 0, 1 + 16}, /* fixext 16 */
    {0xd9, 0xd9, TEXT, 1, 0, 0},       /* str 8 */
    {0xda, 0xda, TEXT, 2, 0, 0},       /* str 16 */
    {0xdb, 0xdb, TEXT, 4, 0, 0},       /* str 32 */
    {0xdc, 0xdc, ARRAY, 2, 0, 0},      /* array 16 */
    {0xdd, 0xdd, ARRAY, 4, 0, 0},      /* array 32 */
    {0xde, 0xde, MAP, 2, 0, 0},        /* map 16 */
    {0xdf, 0xdf, MAP, 4, 0, 0},        /* map 32 */
    {0xe0, 0xff, SCALAR, 0, 0, 0},     /* negative fixint */
};

static const char *const kind_names[] = {
    [SCALAR] = "number", [BYTES] = "binary value",    [TEXT] = "string", [ARRAY] = "array",
    [MAP] = "map",       [RESERVED] = "reserved byte"};

const rqi_mp_limits rqi_mp_limits_default = {
    .max_bytes = (size_t)1 << 20, .max_depth = RQI_MP_DEPTH_MAX, .max_items = 100000};

/* An open container. */
struct level {
    uint64_t left; /* values not yet read, keys included */
    bool is_map;   /* then a key is next when left is even */
};

struct scan {
    const byte *p;
    size_t len;
    size_t at;     /* next byte to read */
    size_t seen;   /* values read so far */
    uint64_t owed; /* values that all open containers still claim */
    rqi_mp_limits limits;
    unsigned depth; /* open containers */
    struct level levels[RQI_MP_DEPTH_MAX];
    refq_error *err;
};

/* One value's head. */
struct item {
    const struct shape *shape;
    size_t start;    /* offset of its first byte */
    uint64_t length; /* bytes or items that follow */
};

static size_t left(const struct scan *s)
{
    return s->len - s->at;
}

static const struct shape *shape_of(byte head)
{
    const struct shape *shape = shapes;
    while (head > shape->last) {
        shape++;
    }
    return shape;
}

static refq_err truncated(struct scan *s, const struct item *item)
{
    return rqi_fail(s->err, REFQ_ERR_INVALID, "the msgpack %s at byte %zu is cut off at byte %zu",
                    kind_names[item->shape->kind], item->start, s->len);
}

static refq_err read_head(struct scan *s, struct item *ret)
{
    if (left(s) == 0) {
        return rqi_fail(s->err, REFQ_ERR_INVALID,
                        "the msgpack ends at byte %zu where a value is due", s->at);
    }
    byte head = s->p[s->at];
    struct item item = {.shape = shape_of(head), .start = s->at};
    s->at++;
    if (left(s) < item.shape->width) {
        return truncated(s, &item);
    }
    item.length = head & item.shape->mask;
    for (unsigned i = 0; i < item.shape->width; i++) {
        item.length = item.length << 8 | s->p[s->at++];
    }
    *ret = item;
    return REFQ_OK;
}

/* Notes in the innermost container that its next value begins; true when that value is a key. */
static bool begin_value(struct scan *s)
{
    while (s->depth > 0 && s->levels[s->depth - 1].left == 0) {
        s->depth--;
    }
    s->owed--;
    s->seen++;
    if (s->depth == 0) {
        return false;
    }
    struct level *level = &s->levels[s->depth - 1];
    bool is_key = level->is_map && level->left % 2 == 0;
    level->left--;
    return is_key;
}

/* --- One function for each kind --------------------------------------------------------------- */

static refq_err skip_bytes(struct scan *s, const struct item *item)
{
    uint64_t need = item->length + item->shape->fixed;
    if (need > left(s)) {
        return truncated(s, item);
    }
    s->at += (size_t)need;
    return REFQ_OK;
}

static refq_err check_text(struct scan *s, const struct item *item)
{
    size_t from = s->at;
    refq_err rc = skip_bytes(s, item);
    if (rc != REFQ_OK) {
        return rc;
    }
    size_t valid = rqi_utf8_valid((const char *)s->p + from, s->at - from);
    if (from + valid != s->at) {
        return rqi_fail(s->err, REFQ_ERR_INVALID,
                        "the msgpack string at byte %zu is not UTF-8 at byte %zu", item->start,
                        from + valid);
    }
    return REFQ_OK;
}

static refq_err open_container(struct scan *s, const struct item *item)
{
    bool is_map = item->shape->kind == MAP;
    uint64_t values = is_map ? item->length * 2 : item->length;
    /* Every value takes a byte at least, those that outer containers still wait for too. */
    if (s->owed + values > left(s)) {
        return rqi_fail(s->err, REFQ_ERR_INVALID,
                        "the msgpack %s at byte %zu claims %llu items, more than the %zu bytes "
                        "after it can hold",
                        kind_names[item->shape->kind], item->start,
                        (unsigned long long)item->length, left(s));
    }
    if (s->seen + s->owed + values > s->limits.max_items) {
        return rqi_fail(s->err, REFQ_ERR_LIMIT,
                        "the msgpack has more than the %zu values allowed (at byte %zu)",
                        s->limits.max_items, item->start);
    }
    if (s->depth == s->limits.max_depth) {
        return rqi_fail(s->err, REFQ_ERR_LIMIT,
                        "the msgpack is nested deeper than %u levels at byte %zu",
                        s->limits.max_depth, item->start);
    }
    s->levels[s->depth++] = (struct level){.left = values, .is_map = is_map};
    s->owed += values;
    return REFQ_OK;
}

static refq_err refuse_reserved(struct scan *s, const struct item *item)
{
    return rqi_fail(s->err, REFQ_ERR_INVALID, "byte %zu is 0xc1, which msgpack does not use",
                    item->start);
}

static refq_err (*const checks[])(struct scan *, const struct item *) = {
    [SCALAR] = skip_bytes,    [BYTES] = skip_bytes,   [TEXT] = check_text,
    [ARRAY] = open_container, [MAP] = open_container, [RESERVED] = refuse_reserved};

/* ---------------------------------------------------------------------------------------------- */

static refq_err check_value(struct scan *s)
{
    struct item item;
    bool is_key = begin_value(s);
    refq_err rc = read_head(s, &item);
    if (rc != REFQ_OK) {
        return rc;
    }
    if (is_key && s->limits.string_keys && item.shape->kind != TEXT &&
        item.shape->kind != RESERVED) {
        return rqi_fail(s->err, REFQ_ERR_INVALID, "the msgpack map key at byte %zu is not a string",
                        item.start);
    }
    return checks[item.shape->kind](s, &item);
}

static rqi_mp_limits effective(const rqi_mp_limits *limits)
{
    rqi_mp_limits out = limits != NULL ? *limits : rqi_mp_limits_default;
    if (out.max_bytes == 0) {
        out.max_bytes = rqi_mp_limits_default.max_bytes;
    }
    if (out.max_depth == 0 || out.max_depth > RQI_MP_DEPTH_MAX) {
        out.max_depth = RQI_MP_DEPTH_MAX;
    }
    if (out.max_items == 0) {
        out.max_items = rqi_mp_limits_default.max_items;
    }
    return out;
}

refq_err rqi_mp_guard(refq_bytes in, const rqi_mp_limits *limits, refq_error *err)
{
    struct scan s = {
        .p = in.ptr, .len = in.len, .owed = 1, .limits = effective(limits), .err = err};
    if (in.len > s.limits.max_bytes) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "the msgpack has %zu bytes; at most %zu bytes are allowed", in.len,
                        s.limits.max_bytes);
    }
    while (s.owed > 0) {
        refq_err rc = check_value(&s);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    if (left(&s) != 0) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the msgpack value ends at byte %zu, but %zu bytes follow it", s.at,
                        left(&s));
    }
    return REFQ_OK;
}
