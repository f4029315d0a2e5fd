/* SPDX-License-Identifier: MIT */
/* The stores there are, and what they share. */
#ifndef RQI_STORE_STORE_H
#define RQI_STORE_STORE_H

#include <refq/store.h>

/* Each takes the options and the part of the url behind its name ("/path" of "sqlite:/path"; Redis
 * the whole). */
typedef refq_err rqi_store_opener(const refq_store_options *o, const char *where, refq_store **ret,
                                  refq_error *err);

rqi_store_opener rqi_store_memory_open;
rqi_store_opener rqi_store_sqlite_open;
rqi_store_opener rqi_store_redis_open;

/* REFQ_ERR_NOTFOUND with its sentence. */
refq_err rqi_store_not_found(refq_error *err, const char *ref_id);

refq_err rqi_store_no_memory(refq_error *err);

/* Whether an id is one of this cache's; every id is when name is NULL. */
bool rqi_store_id_is_of(const char *ref_id, const char *name);

/* Appends an item: copies the id, takes the text (also on failure). False when out of memory.
 * `cap` is the array's size, the caller's to keep. */
bool rqi_store_page_add(refq_store_page *page, size_t *cap, const char *ref_id, char *text,
                        size_t len);

#endif
