/* SPDX-License-Identifier: MIT */
#include "backend/memory_index.h"

#include "base/rand.h"

#include <stdlib.h>

#define FIRST_CAP 256

refq_err rqi_mem_index_init(rqi_mem_index *index)
{
    index->chains = calloc(FIRST_CAP, sizeof(rqi_mem_link *));
    index->cap = FIRST_CAP;
    index->seed = (uint64_t)rqi_rand_below(UINT32_MAX) << 32 | rqi_rand_below(UINT32_MAX);
    return index->chains != NULL ? REFQ_OK : REFQ_ERR_NOMEM;
}

void rqi_mem_index_done(rqi_mem_index *index)
{
    free((void *)index->chains);
    *index = (rqi_mem_index){0};
}

/* FNV-1a, finished by a multiply and shift so that the low bits depend on all others. */
uint64_t rqi_mem_hash(const rqi_mem_index *index, const char *queue, const char *text)
{
    uint64_t h = 14695981039346656037U ^ index->seed;
    const char *parts[] = {queue, text};
    for (size_t i = 0; i < 2; i++) {
        for (const char *p = parts[i]; *p != '\0'; p++) {
            h = (h ^ (unsigned char)*p) * 1099511628211U;
        }
        h = (h ^ 0xff) * 1099511628211U; /* a byte of no UTF-8 between the two */
    }
    h ^= h >> 32;
    return h * 0x9e3779b97f4a7c15U >> 8;
}

static void put(rqi_mem_index *index, rqi_mem_link *link)
{
    rqi_mem_link **chain = &index->chains[link->hash & (index->cap - 1)];
    link->next = *chain;
    *chain = link;
}

static void grow(rqi_mem_index *index)
{
    rqi_mem_link **old = index->chains;
    size_t old_cap = index->cap;
    rqi_mem_link **fresh = calloc(old_cap * 2, sizeof *fresh);
    if (fresh == NULL) {
        return;
    }
    index->chains = fresh;
    index->cap = old_cap * 2;
    for (size_t i = 0; i < old_cap; i++) {
        while (old[i] != NULL) {
            rqi_mem_link *link = old[i];
            old[i] = link->next;
            put(index, link);
        }
    }
    free((void *)old);
}

void rqi_mem_index_add(rqi_mem_index *index, rqi_mem_link *link, uint64_t hash, void *item)
{
    if (index->n >= index->cap) {
        grow(index);
    }
    link->hash = hash;
    link->item = item;
    put(index, link);
    index->n++;
}

void rqi_mem_index_remove(rqi_mem_index *index, rqi_mem_link *link)
{
    if (link->item == NULL) {
        return;
    }
    rqi_mem_link **at = &index->chains[link->hash & (index->cap - 1)];
    while (*at != link) {
        at = &(*at)->next;
    }
    *at = link->next;
    link->item = NULL;
    index->n--;
}

rqi_mem_link *rqi_mem_index_next(const rqi_mem_index *index, const rqi_mem_link *after,
                                 uint64_t hash)
{
    rqi_mem_link *link = after != NULL ? after->next : index->chains[hash & (index->cap - 1)];
    while (link != NULL && link->hash != hash) {
        link = link->next;
    }
    return link;
}
