/* SPDX-License-Identifier: MIT */
/* From a schema object's JSON to its node, so that each is compiled once whoever refers to it. */
#ifndef RQI_SCHEMA_NODEMAP_H
#define RQI_SCHEMA_NODEMAP_H

#include <jansson.h>

#include <stdbool.h>

struct rqi_js_node;

typedef struct rqi_js_nodemap {
    struct rqi_js_nodemap_slot {
        const json_t *json; /* NULL: free */
        struct rqi_js_node *node;
    } * slots;  /* owned */
    size_t cap; /* a power of two */
    size_t n;
} rqi_js_nodemap;

struct rqi_js_node *rqi_js_nodemap_get(const rqi_js_nodemap *map, const json_t *json);

/* False when out of memory. */
bool rqi_js_nodemap_put(rqi_js_nodemap *map, const json_t *json, struct rqi_js_node *node);

void rqi_js_nodemap_done(rqi_js_nodemap *map);

#endif
