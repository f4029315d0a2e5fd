/* SPDX-License-Identifier: MIT */
#include "schema/nodemap.h"

#include <stdint.h>
#include <stdlib.h>

typedef struct rqi_js_nodemap_slot slot;

static slot *find(slot *slots, size_t cap, const json_t *json)
{
    uint64_t hash = (uint64_t)(uintptr_t)json * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(hash >> 32) & (cap - 1);
    while (slots[i].json != NULL && slots[i].json != json) {
        i = (i + 1) & (cap - 1);
    }
    return &slots[i];
}

static bool grow(rqi_js_nodemap *map)
{
    size_t cap = map->cap == 0 ? 64 : map->cap * 2;
    slot *slots = calloc(cap, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i].json != NULL) {
            *find(slots, cap, map->slots[i].json) = map->slots[i];
        }
    }
    free(map->slots);
    map->slots = slots;
    map->cap = cap;
    return true;
}

struct rqi_js_node *rqi_js_nodemap_get(const rqi_js_nodemap *map, const json_t *json)
{
    return map->cap == 0 ? NULL : find(map->slots, map->cap, json)->node;
}

bool rqi_js_nodemap_put(rqi_js_nodemap *map, const json_t *json, struct rqi_js_node *node)
{
    if (map->n * 2 >= map->cap && !grow(map)) {
        return false;
    }
    *find(map->slots, map->cap, json) = (slot){json, node};
    map->n++;
    return true;
}

void rqi_js_nodemap_done(rqi_js_nodemap *map)
{
    free(map->slots);
    *map = (rqi_js_nodemap){0};
}
