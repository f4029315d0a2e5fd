/* SPDX-License-Identifier: MIT */
/*
 * Finding tasks by a text: a hash table of chains, whose links are parts of the
 * tasks, so that only its array is ever allocated.
 */
#ifndef RQI_BACKEND_MEMORY_INDEX_H
#define RQI_BACKEND_MEMORY_INDEX_H

#include <refq/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rqi_mem_link {
    struct rqi_mem_link *next;
    uint64_t hash;
    void *item; /* NULL = not linked */
} rqi_mem_link;

typedef struct rqi_mem_index {
    rqi_mem_link **chains; /* owned */
    size_t cap;            /* a power of two */
    size_t n;
    uint64_t seed; /* random: keys come from outside, and must not all meet in one chain */
} rqi_mem_index;

refq_err rqi_mem_index_init(rqi_mem_index *index);
void rqi_mem_index_done(rqi_mem_index *index);

uint64_t rqi_mem_hash(const rqi_mem_index *index, const char *queue, const char *text);

/* Grows by itself; when there is no memory for that it only gets slower. */
void rqi_mem_index_add(rqi_mem_index *index, rqi_mem_link *link, uint64_t hash, void *item);
void rqi_mem_index_remove(rqi_mem_index *index, rqi_mem_link *link);

/* The next link with this hash, from the first (after NULL) or behind one. */
rqi_mem_link *rqi_mem_index_next(const rqi_mem_index *index, const rqi_mem_link *after,
                                 uint64_t hash);

#endif
