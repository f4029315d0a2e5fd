/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A list of all pages has to be complete while entries come and go, so
 * pages need an order that does not depend on what else is there. A skip list
 * has it and finds a key in a logarithmic number of steps; a tree of equal
 * worth needs four times the code.
 */
#include "store/skip.h"

#include "base/rand.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* For each level the pointer that a node with this key hangs on, or would. */
typedef rqi_skip_node **path[RQI_SKIP_HEIGHT];

static void find_path(const rqi_skip *list, const char *key, int or_equal, path ret)
{
    rqi_skip_node **links = (rqi_skip_node **)list->next;
    for (unsigned level = RQI_SKIP_HEIGHT; level-- > 0;) {
        while (links[level] != NULL && strcmp(links[level]->key, key) < !or_equal) {
            links = links[level]->next;
        }
        ret[level] = &links[level];
    }
}

rqi_skip_node *rqi_skip_after(const rqi_skip *list, const char *key, int or_equal)
{
    path at;
    find_path(list, key, or_equal, at);
    return *at[0];
}

rqi_skip_node *rqi_skip_find(const rqi_skip *list, const char *key)
{
    rqi_skip_node *node = rqi_skip_after(list, key, 1);
    return node != NULL && strcmp(node->key, key) == 0 ? node : NULL;
}

rqi_skip_node *rqi_skip_next(const rqi_skip *list, const rqi_skip_node *node)
{
    return node != NULL ? node->next[0] : list->next[0];
}

/* One in four is a level higher. */
static unsigned random_height(void)
{
    uint32_t dice = rqi_rand_below(UINT32_MAX);
    unsigned height = 1;
    while (height < RQI_SKIP_HEIGHT && (dice & 3) == 0) {
        height++;
        dice >>= 2;
    }
    return height;
}

rqi_skip_node *rqi_skip_add(rqi_skip *list, const char *key, void *item)
{
    size_t len = strlen(key);
    unsigned height = random_height();
    rqi_skip_node *node = malloc(sizeof *node + len + 1);
    rqi_skip_node **next = calloc(height, sizeof *next);
    if (node == NULL || next == NULL) {
        free(node);
        free((void *)next);
        return NULL;
    }
    *node = (rqi_skip_node){.item = item, .next = next, .height = height};
    memcpy(node->key, key, len + 1);
    path at;
    find_path(list, key, 1, at);
    for (unsigned level = 0; level < height; level++) {
        next[level] = *at[level];
        *at[level] = node;
    }
    list->n++;
    return node;
}

void rqi_skip_remove(rqi_skip *list, rqi_skip_node *node)
{
    path at;
    find_path(list, node->key, 1, at);
    for (unsigned level = 0; level < node->height; level++) {
        *at[level] = node->next[level];
    }
    list->n--;
    free((void *)node->next);
    free(node);
}
