/* SPDX-License-Identifier: MIT */
/* A YAML file as a tree that remembers the line of everything. */
#ifndef REFQ_WORKER_YAML_NODE_H
#define REFQ_WORKER_YAML_NODE_H

#include "base/arena.h"
#include "config/yaml_scalar.h"

#include <refq/bytes.h>
#include <refq/error.h>

#define RQI_YAML_MAX_DEPTH   32
#define RQI_YAML_MAX_NODES   65536
#define RQI_YAML_MAX_ENTRIES 1024 /* of one list or map */

typedef struct rqi_yaml_node rqi_yaml_node;
struct rqi_yaml_node {
    rqi_yaml_kind kind;
    unsigned line;              /* from 1 */
    const char *text;           /* scalars: as written, without quotes; else NULL */
    const char *key;            /* in a map: the key this is the value of; else NULL */
    unsigned key_line;          /* from 1; 0 outside a map */
    unsigned count;             /* lists and maps: number of children */
    const rqi_yaml_node *first; /* lists and maps: first child, in file order */
    const rqi_yaml_node *next;  /* the next child of the same parent */
};

/* Parses UTF-8 text. *ret_root lives in arena; it is NULL when the text holds no document. `file`
 * is for messages. */
refq_err rqi_yaml_parse(refq_bytes text, const char *file, rqi_arena *arena,
                        const rqi_yaml_node **ret_root, refq_error *err);

#endif
