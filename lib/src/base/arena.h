/* SPDX-License-Identifier: MIT */
/* Memory that is freed all at once: a loaded file or a compiled schema is many small pieces with
 * one lifetime. */
#ifndef RQI_BASE_ARENA_H
#define RQI_BASE_ARENA_H

#include <stddef.h>

typedef struct rqi_arena {
    void **items; /* owned; NULL while empty */
    size_t n;
    size_t cap;
} rqi_arena;

/* Zeroed memory for n objects of `size` bytes; NULL when out of memory. */
void *rqi_arena_alloc(rqi_arena *arena, size_t n, size_t size);

/* A terminated copy of len bytes of text; NULL when out of memory. */
char *rqi_arena_copy(rqi_arena *arena, const char *text, size_t len);

/* Takes a pointer from malloc() and returns it; frees it and returns NULL when out of memory. NULL
 * stays NULL. */
void *rqi_arena_own(rqi_arena *arena, void *ptr);

/* Frees everything; the arena is then empty and usable again. */
void rqi_arena_done(rqi_arena *arena);

#endif
