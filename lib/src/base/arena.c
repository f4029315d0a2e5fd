/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

static int grow(rqi_arena *arena)
{
    if (arena->n < arena->cap) {
        return 1;
    }
    size_t cap = arena->cap == 0 ? 64 : arena->cap * 2;
    void **items = reallocarray(arena->items, cap, sizeof *items);
    if (items == NULL) {
        return 0;
    }
    arena->items = items;
    arena->cap = cap;
    return 1;
}

void *rqi_arena_own(rqi_arena *arena, void *ptr)
{
    if (ptr == NULL) {
        return NULL;
    }
    if (!grow(arena)) {
        free(ptr);
        return NULL;
    }
    arena->items[arena->n++] = ptr;
    return ptr;
}

void *rqi_arena_alloc(rqi_arena *arena, size_t n, size_t size)
{
    return rqi_arena_own(arena, calloc(n, size));
}

char *rqi_arena_copy(rqi_arena *arena, const char *text, size_t len)
{
    return rqi_arena_own(arena, strndup(text, len));
}

void rqi_arena_done(rqi_arena *arena)
{
    for (size_t i = 0; i < arena->n; i++) {
        free(arena->items[i]);
    }
    free(arena->items);
    *arena = (rqi_arena){0};
}
