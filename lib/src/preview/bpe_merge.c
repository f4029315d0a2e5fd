/* SPDX-License-Identifier: MIT */
#include "preview/bpe_merge.h"

#include <assert.h>
#include <stdlib.h>

#define NO_PART UINT32_MAX

static_assert(RQI_BUF_MAX < NO_PART, "offsets in a piece fit 32 bits");

/* The part that begins at a byte, found under that byte's offset. */
struct rqi_bpe_part {
    uint32_t before; /* offset of the part before it, or NO_PART */
    uint32_t len;    /* 0 = joined to one before */
};

/* Two neighbours that would be a token. */
struct rqi_bpe_pair {
    uint32_t rank;
    uint32_t at;  /* where the first begins */
    uint32_t len; /* of both */
};

/* --- The heap --------------------------------------------------------------------------------- */

static bool comes_first(const struct rqi_bpe_pair *a, const struct rqi_bpe_pair *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push(rqi_bpe_merge *m, struct rqi_bpe_pair pair)
{
    size_t i = m->n_heap++;
    while (i > 0 && comes_first(&pair, &m->heap[(i - 1) / 2])) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = pair;
}

static struct rqi_bpe_pair pop(rqi_bpe_merge *m)
{
    struct rqi_bpe_pair first = m->heap[0];
    struct rqi_bpe_pair last = m->heap[--m->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < m->n_heap && comes_first(&m->heap[child + 1], &m->heap[child])) {
            child++;
        }
        if (child >= m->n_heap || !comes_first(&m->heap[child], &last)) {
            break;
        }
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return first;
}

/* --- Joining ---------------------------------------------------------------------------------- */

/* At most n - 1 pairs at the start, and two new ones for each of n - 1 joins. */
static bool make_room(rqi_bpe_merge *m, size_t len)
{
    if (len <= m->cap) {
        return true;
    }
    size_t cap = len < 64 ? 64 : len;
    struct rqi_bpe_part *parts = realloc(m->parts, cap * sizeof *parts);
    m->parts = parts != NULL ? parts : m->parts;
    struct rqi_bpe_pair *heap = realloc(m->heap, 3 * cap * sizeof *heap);
    m->heap = heap != NULL ? heap : m->heap;
    if (parts == NULL || heap == NULL) {
        return false;
    }
    m->cap = cap;
    return true;
}

struct piece {
    rqi_bpe_merge *m;
    const rqi_bpe_ranks *ranks;
    const char *ptr;
    uint32_t len;
};

/* Puts the pair that begins at this part on the heap when it is a token. */
static void offer(struct piece *p, uint32_t at)
{
    uint32_t next = at + p->m->parts[at].len;
    if (next >= p->len) {
        return;
    }
    uint32_t len = p->m->parts[at].len + p->m->parts[next].len;
    uint32_t rank = rqi_bpe_ranks_find(p->ranks, p->ptr + at, len);
    if (rank != RQI_BPE_NO_RANK) {
        push(p->m, (struct rqi_bpe_pair){rank, at, len});
    }
}

static bool is_current(const struct piece *p, const struct rqi_bpe_pair *pair)
{
    const struct rqi_bpe_part *parts = p->m->parts;
    uint32_t len = parts[pair->at].len;
    uint32_t next = pair->at + len;
    return len != 0 && next < p->len && len + parts[next].len == pair->len;
}

static void join(struct piece *p, const struct rqi_bpe_pair *pair)
{
    struct rqi_bpe_part *parts = p->m->parts;
    uint32_t end = pair->at + pair->len;
    parts[pair->at + parts[pair->at].len].len = 0;
    parts[pair->at].len = pair->len;
    if (end < p->len) {
        parts[end].before = pair->at;
    }
    offer(p, pair->at);
    if (parts[pair->at].before != NO_PART) {
        offer(p, parts[pair->at].before);
    }
}

size_t rqi_bpe_merge_count(rqi_bpe_merge *m, const rqi_bpe_ranks *ranks, const char *ptr,
                           size_t len)
{
    if (rqi_bpe_ranks_find(ranks, ptr, len) != RQI_BPE_NO_RANK) {
        return 1;
    }
    if (len > RQI_BUF_MAX || !make_room(m, len)) {
        return SIZE_MAX;
    }
    struct piece p = {m, ranks, ptr, (uint32_t)len};
    m->n_heap = 0;
    for (uint32_t i = 0; i < p.len; i++) {
        m->parts[i] = (struct rqi_bpe_part){i != 0 ? i - 1 : NO_PART, 1};
    }
    for (uint32_t i = 0; i + 1 < p.len; i++) {
        offer(&p, i);
    }
    size_t tokens = len;
    while (m->n_heap > 0) {
        struct rqi_bpe_pair pair = pop(m);
        if (is_current(&p, &pair)) {
            join(&p, &pair);
            tokens--;
        }
    }
    return tokens;
}

void rqi_bpe_merge_done(rqi_bpe_merge *m)
{
    free(m->parts);
    free(m->heap);
    *m = (rqi_bpe_merge){0};
}
