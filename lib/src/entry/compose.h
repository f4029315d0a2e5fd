/* SPDX-License-Identifier: MIT */
/* The text of a ref cache entry, as mcp-refcache's Redis backend writes and reads it. */
#ifndef RQI_ENTRY_COMPOSE_H
#define RQI_ENTRY_COMPOSE_H

#include "base/buf.h"

#include <refq/task.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct rqi_entry {
    refq_bytes value;        /* valid JSON text; stored as it is */
    const char *tool_name;   /* NULL = null */
    const refq_scope *scope; /* namespace and policy; NULL = public, the default one; checked */
    const char *policy;      /* all seven members as JSON text; NULL = those of the scope */
    int64_t created_at_ms;   /* server's clock */
    int64_t ttl_ms;          /* 0 = for ever */
    bool by_task;            /* it is a task's result */
} rqi_entry;

/* Appends the entry: value, namespace, policy, created_at, expires_at, metadata. Failures show in
 * out->err. */
void rqi_entry_compose(const rqi_entry *entry, rqi_buf *out);

/* How much longer Redis keeps an entry than its own expires_at says, so that a reader never finds
 * it gone before its time. */
#define RQI_ENTRY_SLACK_MS 2000

#endif
