/* SPDX-License-Identifier: MIT */
/* A skip list: items by text, in the order of their bytes. */
#ifndef RQI_STORE_SKIP_H
#define RQI_STORE_SKIP_H

#include <refq/error.h>

#include <stddef.h>

#define RQI_SKIP_HEIGHT 16 /* good for 4^16 items */

typedef struct rqi_skip_node {
    void *item;                  /* the user's */
    struct rqi_skip_node **next; /* owned; `height` of them */
    unsigned height;
    char key[]; /* terminated */
} rqi_skip_node;

/* `(rqi_skip){0}` is an empty list. Not locked: its user does that. */
typedef struct rqi_skip {
    rqi_skip_node *next[RQI_SKIP_HEIGHT]; /* of the head */
    size_t n;
} rqi_skip;

/* NULL when there is none. */
rqi_skip_node *rqi_skip_find(const rqi_skip *list, const char *key);

/* The first whose key is greater than (or, with or_equal, equal to) this one. */
rqi_skip_node *rqi_skip_after(const rqi_skip *list, const char *key, int or_equal);

/* Behind a node; NULL: the first of all. */
rqi_skip_node *rqi_skip_next(const rqi_skip *list, const rqi_skip_node *node);

/* The key must not be there yet; copied. NULL when out of memory. */
rqi_skip_node *rqi_skip_add(rqi_skip *list, const char *key, void *item);

/* Frees the node, not its item. */
void rqi_skip_remove(rqi_skip *list, rqi_skip_node *node);

#endif
