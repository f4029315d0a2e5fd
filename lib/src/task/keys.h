/* SPDX-License-Identifier: MIT */
/* The only place outside Lua that spells a Redis key. docs/PROTOCOL.md lists them all. */
#ifndef RQI_TASK_KEYS_H
#define RQI_TASK_KEYS_H

#include <refq/task.h>

#define RQI_PREFIX_DEFAULT "refq"
#define RQI_PREFIX_MAX     32
#define RQI_KEY_MAX        256

/* The keys of one queue; a value. */
typedef struct rqi_keys {
    char prefix[RQI_PREFIX_MAX + 1];                 /* "refq" */
    char base[RQI_PREFIX_MAX + REFQ_QUEUE_MAX + 8];  /* "refq:{docs}:" */
    char meta[RQI_PREFIX_MAX + REFQ_QUEUE_MAX + 16]; /* "refq:{docs}:meta" */
    char entry_prefix[REFQ_QUEUE_MAX + 32];          /* "mcp-refcache:entry:docs:" */
} rqi_keys;

/* REFQ_ERR_INVALID when queue or prefix (NULL = default) cannot be part of a key. */
refq_err rqi_keys_make(const char *prefix, const char *queue, rqi_keys *ret, refq_error *err);

typedef char rqi_key[RQI_KEY_MAX];

/* base + a + b, where b may be "". Returns out. */
const char *rqi_key_of(const rqi_keys *keys, rqi_key out, const char *a, const char *b);

const char *rqi_key_entry(const rqi_keys *keys, rqi_key out, const char *hex);
const char *rqi_key_staged(const rqi_keys *keys, rqi_key out, const char *hex, const char *entry);
const char *rqi_key_queues(const char *prefix, rqi_key out);

#endif
