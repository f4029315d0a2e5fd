/* SPDX-License-Identifier: MIT */
#include "preview/bpe_ranks.h"

#include "base/error.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static size_t hash(const char *ptr, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)ptr[i]) * UINT64_C(0x100000001b3);
    }
    return (size_t)(h ^ h >> 29);
}

/* The slot of these bytes, or the empty one where they belong. */
static rqi_bpe_token *slot_of(const rqi_bpe_ranks *r, const char *ptr, size_t len)
{
    size_t i = hash(ptr, len) & (r->n_slots - 1);
    while (r->slots[i].len != 0 &&
           (r->slots[i].len != len || memcmp(r->bytes.ptr + r->slots[i].at, ptr, len) != 0)) {
        i = (i + 1) & (r->n_slots - 1);
    }
    return &r->slots[i];
}

uint32_t rqi_bpe_ranks_find(const rqi_bpe_ranks *r, const char *ptr, size_t len)
{
    if (len == 0 || len > r->longest) {
        return RQI_BPE_NO_RANK;
    }
    const rqi_bpe_token *slot = slot_of(r, ptr, len);
    return slot->len != 0 ? slot->rank : RQI_BPE_NO_RANK;
}

/* At least half of the slots stay empty. */
static bool make_room(rqi_bpe_ranks *r)
{
    if (r->n_slots > 2 * r->n) {
        return true;
    }
    rqi_bpe_ranks grown = *r;
    grown.n_slots = r->n_slots != 0 ? r->n_slots * 2 : 1024;
    grown.slots = calloc(grown.n_slots, sizeof *grown.slots);
    if (grown.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < r->n_slots; i++) {
        const rqi_bpe_token *t = &r->slots[i];
        if (t->len != 0) {
            *slot_of(&grown, r->bytes.ptr + t->at, t->len) = *t;
        }
    }
    free(r->slots);
    *r = grown;
    return true;
}

static refq_err add(rqi_bpe_ranks *r, const char *ptr, size_t len, uint32_t rank, size_t line,
                    refq_error *err)
{
    if (r->n == RQI_BPE_TOKENS_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "line %zu: more than %d tokens", line,
                        RQI_BPE_TOKENS_MAX);
    }
    if (!make_room(r)) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "no memory for %zu tokens", r->n);
    }
    rqi_bpe_token *slot = slot_of(r, ptr, len);
    if (slot->len != 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "line %zu: this token was there before", line);
    }
    size_t at = r->bytes.len;
    rqi_buf_add(&r->bytes, ptr, len);
    if (r->bytes.err != REFQ_OK) {
        return rqi_fail(err, r->bytes.err, "no room for %zu tokens", r->n);
    }
    *slot = (rqi_bpe_token){(uint32_t)at, (uint32_t)len, rank};
    r->n++;
    r->longest = len > r->longest ? len : r->longest;
    return REFQ_OK;
}

/* The number at p up to end; false when it is none below RQI_BPE_NO_RANK. */
static bool read_rank(const char *p, const char *end, uint32_t *ret)
{
    uint64_t rank = 0;
    bool any = false;
    for (; p < end && *p >= '0' && *p <= '9' && rank < RQI_BPE_NO_RANK; p++) {
        rank = rank * 10 + (uint64_t)(*p - '0');
        any = true;
    }
    *ret = (uint32_t)rank;
    return any && p == end && rank < RQI_BPE_NO_RANK;
}

static refq_err read_line(rqi_bpe_ranks *r, const char *p, const char *end, size_t line,
                          refq_error *err)
{
    char token[RQI_BPE_TOKEN_MAX];
    size_t len;
    uint32_t rank;
    const char *blank = memchr(p, ' ', (size_t)(end - p));
    if (blank == NULL || !read_rank(blank + 1, end, &rank)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "line %zu: not a token in base64, a blank and its rank", line);
    }
    if (sodium_base642bin((unsigned char *)token, sizeof token, p, (size_t)(blank - p), NULL, &len,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "line %zu: not base64 of 1 to %d bytes", line,
                        RQI_BPE_TOKEN_MAX);
    }
    return add(r, token, len, rank, line, err);
}

static refq_err check_bytes(const rqi_bpe_ranks *r, refq_error *err)
{
    for (int i = 0; i < 256; i++) {
        char byte = (char)i;
        if (rqi_bpe_ranks_find(r, &byte, 1) == RQI_BPE_NO_RANK) {
            return rqi_fail(err, REFQ_ERR_INVALID,
                            "the byte 0x%02x has no rank; every single byte must have one",
                            (unsigned)i);
        }
    }
    return REFQ_OK;
}

refq_err rqi_bpe_ranks_read(rqi_bpe_ranks *r, const char *text, size_t len, refq_error *err)
{
    *r = (rqi_bpe_ranks){0};
    refq_err rc = make_room(r) ? REFQ_OK : rqi_fail(err, REFQ_ERR_NOMEM, "no memory for tokens");
    const char *end = text + len;
    size_t line = 1;
    for (const char *p = text; p < end && rc == REFQ_OK; line++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline != NULL ? newline : end;
        const char *last = stop > p && stop[-1] == '\r' ? stop - 1 : stop;
        rc = last > p ? read_line(r, p, last, line, err) : REFQ_OK;
        p = newline != NULL ? newline + 1 : end;
    }
    rc = rc == REFQ_OK ? check_bytes(r, err) : rc;
    if (rc != REFQ_OK) {
        rqi_bpe_ranks_done(r);
    }
    return rc;
}

void rqi_bpe_ranks_done(rqi_bpe_ranks *r)
{
    free(r->slots);
    rqi_buf_done(&r->bytes);
    *r = (rqi_bpe_ranks){0};
}
