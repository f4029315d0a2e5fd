/* SPDX-License-Identifier: MIT */
/* From YAML nodes to C values: one table row per key, one reader per kind of value. */
#ifndef REFQ_WORKER_CONFIG_READ_H
#define REFQ_WORKER_CONFIG_READ_H

#include "base/arena.h"
#include "config/yaml_node.h"

#include <stdint.h>

typedef struct rqi_key rqi_key;

/* All keys of one map. */
typedef struct rqi_key_table {
    const char *map; /* names it in messages */
    const rqi_key *keys;
    size_t n;
} rqi_key_table;

/* What all readers of one file share. */
typedef struct rqi_reading {
    const char *file;   /* for messages */
    const char *folder; /* absolute: where relative programs start */
    rqi_arena *arena;   /* owns every text that is read */
    refq_error *err;
} rqi_reading;

/* Reads node, the value of key, into target + key->offset. */
typedef refq_err rqi_read_fn(const rqi_reading *r, const rqi_key *key, const rqi_yaml_node *node,
                             void *target);

struct rqi_key {
    const char *name;
    rqi_read_fn *read;
    size_t offset;            /* in the target struct */
    int64_t min;              /* smallest value, in the unit that is stored */
    int64_t max;              /* largest value; of a text: bytes */
    const char *allowed;      /* min and max in words, for messages */
    const char *const *words; /* read_word: NULL-terminated; the index is stored */
    bool required;
    const rqi_key_table *inner; /* of its map, or of the maps in its list; NULL = has no such */
};

/* Reads a map by its table; unknown, missing and empty keys are errors. */
refq_err rqi_read_map(const rqi_reading *r, const rqi_key_table *table, const rqi_yaml_node *node,
                      void *target);

/* The text of any scalar but null; `what` names it in messages. */
refq_err rqi_read_scalar(const rqi_reading *r, const char *what, const rqi_yaml_node *node,
                         const char **ret_text);

/* REFQ_OK when the node is of that kind. */
refq_err rqi_read_expect(const rqi_reading *r, const char *what, const rqi_yaml_node *node,
                         rqi_yaml_kind kind);

rqi_read_fn rqi_read_text;     /* const char *; at most max bytes */
rqi_read_fn rqi_read_duration; /* int64_t, milliseconds */
rqi_read_fn rqi_read_size;     /* size_t, bytes */
rqi_read_fn rqi_read_retries;  /* int; 0 becomes REFQ_NO_RETRIES */
rqi_read_fn rqi_read_count;    /* unsigned */
rqi_read_fn rqi_read_number;   /* double */
rqi_read_fn rqi_read_flag;     /* bool */
rqi_read_fn rqi_read_word;     /* an enum: the index in words */
rqi_read_fn rqi_read_json;     /* const char *: anything as JSON text of at most max bytes */
rqi_read_fn rqi_read_schema;   /* the same, a map only */

/* "out of memory" */
refq_err rqi_read_nomem(const rqi_reading *r);

#endif
