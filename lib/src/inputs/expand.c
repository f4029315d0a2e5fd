/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. First everything is measured, each value once: so that what would be
 * too large, too deep or without end is found before a byte of it is written,
 * and a value that is used a thousand times costs no more to measure than one
 * that is used once. Then it is written in one go.
 */
#include "inputs/resolver_state.h"

#include <stdio.h>
#include <string.h>

struct path {
    uint32_t nodes[RQI_INPUT_CHAIN + 2];
    unsigned n;
};

/* --- Measuring -------------------------------------------------------------------------------- */

static refq_err circular(rqi_resolver *r, const struct path *path, uint32_t again)
{
    char chain[sizeof r->why] = "";
    size_t at = 0;
    unsigned i = 0;
    while (path->nodes[i] != again) {
        i++;
    }
    for (; i < path->n && at < sizeof chain; i++) {
        at += (size_t)snprintf(chain + at, sizeof chain - at, "%s -> ",
                               r->nodes[path->nodes[i]]->ref_id);
    }
    return rqi_resolver_fail(r, REFQ_ERR_INVALID, "Circular reference detected: %s%s", chain,
                             r->nodes[again]->ref_id);
}

static refq_err too_long(rqi_resolver *r, const rqi_input_node *node)
{
    return rqi_resolver_fail(r, REFQ_ERR_LIMIT,
                             "%s: references lead to references more than %d deep",
                             rqi_resolver_top(r, node), RQI_INPUT_CHAIN);
}

static refq_err too_large(rqi_resolver *r)
{
    return rqi_resolver_fail(r, REFQ_ERR_LIMIT,
                             "with the values in place of their references the arguments of %s "
                             "have more than %zu MiB",
                             r->task, RQI_INPUT_BYTES >> 20);
}

static refq_err measure(rqi_resolver *r, uint32_t i, struct path *path);

/* What a hole's filling adds to its node. */
static refq_err measure_hole(rqi_resolver *r, rqi_input_node *node, const rqi_input_hole *hole,
                             struct path *path)
{
    const rqi_input_node *in = r->nodes[hole->node];
    if (in->kind != RQI_INPUT_VALUE) {
        return REFQ_OK;
    }
    refq_err rc = measure(r, hole->node, path);
    if (rc != REFQ_OK) {
        return rc;
    }
    node->size += in->size;
    node->size -= hole->len;
    unsigned depth = hole->depth + in->depth;
    node->depth = depth > node->depth ? depth : node->depth;
    node->height = in->height + 1 > node->height ? in->height + 1 : node->height;
    /* What the holes that follow take away is less than one limit. */
    return node->size > 2 * RQI_INPUT_BYTES ? too_large(r) : REFQ_OK;
}

/* Recursion is bounded by the length of the path. */
static refq_err measure(rqi_resolver *r, uint32_t i, struct path *path)
{
    rqi_input_node *node = r->nodes[i];
    refq_err rc = REFQ_OK;
    if (node->measuring) {
        return circular(r, path, i);
    }
    if (node->measured || path->n > RQI_INPUT_CHAIN) {
        unsigned height = node->measured ? node->height : 0;
        return path->n + height > RQI_INPUT_CHAIN ? too_long(r, node) : REFQ_OK;
    }
    path->nodes[path->n++] = i;
    node->measuring = true;
    node->size = node->value.text.len;
    node->depth = node->value.depth;
    for (size_t k = 0; k < node->value.n && rc == REFQ_OK; k++) {
        rc = measure_hole(r, node, &node->value.holes[k], path);
    }
    if (rc == REFQ_OK && node->size > RQI_INPUT_BYTES) {
        rc = too_large(r);
    }
    node->measuring = false;
    node->measured = true;
    path->n--;
    return rc;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static void write_node(rqi_resolver *r, const rqi_input_node *node)
{
    const char *text = rqi_buf_str(&node->value.text);
    size_t from = 0;
    for (size_t k = 0; k < node->value.n; k++) {
        const rqi_input_hole *hole = &node->value.holes[k];
        const rqi_input_node *in = r->nodes[hole->node];
        if (in->kind == RQI_INPUT_VALUE) {
            rqi_buf_add(&r->out, text + from, hole->at - from);
            write_node(r, in);
            from = hole->at + hole->len;
        }
    }
    rqi_buf_add(&r->out, text + from, node->value.text.len - from);
}

refq_err rqi_resolver_expand(rqi_resolver *r)
{
    struct path path = {.n = 0};
    refq_err rc = measure(r, 0, &path);
    if (rc != REFQ_OK) {
        return rc;
    }
    const rqi_input_node *args = r->nodes[0];
    if (args->depth > RQI_INPUT_DEPTH) {
        return rqi_resolver_fail(r, REFQ_ERR_LIMIT,
                                 "with the values in place of their references the arguments of %s "
                                 "are nested deeper than %d levels",
                                 r->task, RQI_INPUT_DEPTH);
    }
    if (rqi_buf_reserve(&r->out, args->size) == NULL) {
        return rqi_resolver_fail(r, REFQ_ERR_NOMEM, "no memory for arguments of %zu bytes",
                                 args->size);
    }
    write_node(r, args);
    return REFQ_OK;
}
