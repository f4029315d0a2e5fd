/* SPDX-License-Identifier: MIT */
/*
 * How many tokens a piece of text has.
 *
 * DESIGN. Bytes are joined pair by pair, the pair of the lowest rank first, the
 * leftmost when equal, until no pair is a token. A piece can be megabytes long
 * (a run of letters is one), so pairs wait in a heap and joined parts are a
 * linked list: n log n. A pair that has changed since it was put there is
 * recognised by its length and passed over.
 */
#ifndef RQI_PREVIEW_BPE_MERGE_H
#define RQI_PREVIEW_BPE_MERGE_H

#include "preview/bpe_ranks.h"

/* Memory of a count, used again from piece to piece. */
typedef struct rqi_bpe_merge {
    struct rqi_bpe_part *parts; /* owned */
    struct rqi_bpe_pair *heap;  /* owned */
    size_t n_heap;
    size_t cap; /* bytes of the longest piece there is room for */
} rqi_bpe_merge;

/* Tokens of a piece of len bytes, len not 0; SIZE_MAX without memory. */
size_t rqi_bpe_merge_count(rqi_bpe_merge *m, const rqi_bpe_ranks *ranks, const char *ptr,
                           size_t len);
void rqi_bpe_merge_done(rqi_bpe_merge *m);

#endif
