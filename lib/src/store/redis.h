/* SPDX-License-Identifier: MIT */
/* What the files of the redis store share. */
#ifndef RQI_STORE_REDIS_H
#define RQI_STORE_REDIS_H

#include "client/ask.h"
#include "store/store.h"

#define RQI_STORE_PREFIX     "mcp-refcache:entry:"
#define RQI_STORE_PREFIX_MAX 64
#define RQI_STORE_KEY_MAX    (RQI_STORE_PREFIX_MAX + REFQ_STORE_ID_MAX)

typedef struct rqi_store_redis {
    refq_store pub; /* first: callers hold a pointer to it */
    refq_client *client;
    char prefix[RQI_STORE_PREFIX_MAX + 1];
    int64_t timeout_ms;
} rqi_store_redis;

typedef char rqi_store_key[RQI_STORE_KEY_MAX + 1];

/* The key of an entry, as an argument of a command; borrows out. */
refq_bytes rqi_store_redis_key(const rqi_store_redis *r, const char *ref_id, rqi_store_key out);

/* An argument of a command. */
refq_bytes rqi_store_redis_word(const char *text);

/* How long a command may take that carries so many bytes. */
int64_t rqi_store_redis_timeout(const rqi_store_redis *r, size_t bytes);

/* Commands that may be repeated: done once more when the connection broke. */
refq_err rqi_store_redis_ask(rqi_store_redis *r, rqi_ask *asks, size_t n, refq_error *err);

/* What is where these entries would be: bytes of the text; 0 = nothing, -1 = no text. ret has room
 * for n. */
refq_err rqi_store_redis_sizes(rqi_store_redis *r, const refq_store_item *items, size_t n,
                               int64_t *ret, refq_error *err);

/* Fetches the texts of items whose ref_id and len are set, as many in their order as go into
 * `most` bytes. Those that have gone meanwhile get len 0. */
refq_err rqi_store_redis_texts(rqi_store_redis *r, refq_store_item *items, size_t n, size_t most,
                               refq_error *err);

/* redis_scan.c */
refq_err rqi_store_redis_scan(refq_store *s, const refq_store_query *query, refq_store_page *ret,
                              refq_error *err);
refq_err rqi_store_redis_stat(refq_store *s, refq_store_stat *ret, refq_error *err);

#endif
