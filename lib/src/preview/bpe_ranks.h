/* SPDX-License-Identifier: MIT */
/*
 * A rank file in memory: which byte strings are tokens, and which merge first.
 *
 * DESIGN. An open-addressing table over one block that holds all tokens' bytes.
 * Read once, then only looked up, so that threads share it. The file is a part
 * of a server's configuration; its hash needs no secret.
 */
#ifndef RQI_PREVIEW_BPE_RANKS_H
#define RQI_PREVIEW_BPE_RANKS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define RQI_BPE_FILE_MAX   ((size_t)64 << 20)
#define RQI_BPE_TOKENS_MAX 1000000
#define RQI_BPE_TOKEN_MAX  4096 /* bytes of one token */

#define RQI_BPE_NO_RANK UINT32_MAX

typedef struct rqi_bpe_token {
    uint32_t at;  /* in bytes */
    uint32_t len; /* 0 = an empty slot */
    uint32_t rank;
} rqi_bpe_token;

typedef struct rqi_bpe_ranks {
    rqi_bpe_token *slots; /* a power of two of them; owned */
    size_t n_slots;
    size_t n;       /* tokens */
    size_t longest; /* bytes of the longest token */
    rqi_buf bytes;  /* of all tokens */
} rqi_bpe_ranks;

/* Reads the text of a rank file. REFQ_ERR_INVALID or REFQ_ERR_LIMIT names the line. */
REFQ_MUST_USE refq_err rqi_bpe_ranks_read(rqi_bpe_ranks *r, const char *text, size_t len,
                                          refq_error *err);
void rqi_bpe_ranks_done(rqi_bpe_ranks *r);

/* The rank of these bytes, RQI_BPE_NO_RANK when they are no token. */
uint32_t rqi_bpe_ranks_find(const rqi_bpe_ranks *r, const char *ptr, size_t len);

#endif
