/* SPDX-License-Identifier: MIT */
/*
 * The ref cache: values by reference, shared with Python's mcp-refcache.
 *
 *     refq_cache_options o = {.struct_size = sizeof o, .name = "docs"};
 *     refq_cache_open(store, &o, &cache, &err);
 *     refq_cache_value v = {.struct_size = sizeof v, .json = "[1, 2, 3]", .len = 9};
 *     refq_cache_set(cache, &v, NULL, ref_id, &err);
 *     refq_cache_get(cache, ref_id, NULL, NULL, &response, &err);
 *
 * An entry is a value with a namespace, a policy and a time to live; where it is kept is the
 * store's business (store.h). Who asks is an actor (access.h); NULL is the anonymous agent. What an
 * actor may not read does not exist for it: missing, expired and denied are one and the same error,
 * REFQ_ERR_NOTFOUND; the reason is in the log (debug) only.
 *
 * With a client, references of tasks work too: as long as a task is not complete, reading its
 * reference answers how it stands, under the policy its value will have.
 *
 * All functions may be called from any thread at any time; they block, and read and write JSON on
 * the caller's thread.
 */
#ifndef REFQ_CACHE_H
#define REFQ_CACHE_H

#include <refq/access.h>
#include <refq/client.h>
#include <refq/preview.h>
#include <refq/response.h>
#include <refq/store.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REFQ_CACHE_NAME_MAX 64   /* bytes of a cache's name */
#define REFQ_FOREVER        (-1) /* a time to live without end */

typedef struct refq_cache refq_cache;

/* Zero means default. Strings, policy and access are copied; what they point to by `void *` is
 * borrowed. */
typedef struct refq_cache_options {
    size_t struct_size; /* sizeof(refq_cache_options) */
    const char *name;   /* first part of the references it makes: [A-Za-z][A-Za-z0-9_-]*, at most 64
                           bytes; NULL = "default" */
    const refq_policy *policy; /* of values that come without one; NULL = users all, agents READ and
                                  EXECUTE */
    int64_t ttl_ms;            /* of values that come without one; 0 = 1 h, REFQ_FOREVER */
    refq_preview_options preview; /* strategy, measure and max_size; struct_size 0 = default */
    const refq_access *access;    /* NULL = the built-in rules */
    refq_client *client;          /* whose tasks are known; borrowed; NULL = entries only */
    bool hide_errors; /* true: answers say that a task failed, not why, which may tell of paths and
                         names that are none of an agent's business */
    refq_logger log;
} refq_cache_options;

/* Opens a cache over a store, which stays the caller's and must outlive it. */
REFQ_API REFQ_MUST_USE refq_err refq_cache_open(refq_store *store,
                                                const refq_cache_options *options,
                                                refq_cache **ret_cache, refq_error *err);

/* No other thread may use it any more. NULL is fine. */
REFQ_API void refq_cache_close(refq_cache *cache);

REFQ_API const char *refq_cache_name(const refq_cache *cache);

/* --- Storing ---------------------------------------------------------------------------------- */

typedef struct refq_cache_value {
    size_t struct_size;         /* sizeof(refq_cache_value) */
    const char *json;           /* one JSON value, stored as it is */
    size_t len;                 /* bytes of json */
    const char *namespace_name; /* NULL = "public" */
    const refq_policy *policy;  /* NULL = the cache's */
    int64_t ttl_ms;             /* 0 = the cache's; REFQ_FOREVER */
    const char *tool_name;      /* what made it, for people; NULL = not told */
} refq_cache_value;

/* Stores a value under a new random reference, written to ret_ref_id with a terminator. The actor
 * must be one that may enter the namespace: else REFQ_ERR_DENIED. REFQ_ERR_INVALID when it is no
 * JSON value, REFQ_ERR_LIMIT when it is too large or too deep, REFQ_ERR_FULL when the store is. */
REFQ_API REFQ_MUST_USE refq_err refq_cache_set(refq_cache *cache, const refq_cache_value *value,
                                               const refq_actor *actor,
                                               char ret_ref_id[REFQ_STORE_ID_MAX + 1],
                                               refq_error *err);

/* --- Reading ---------------------------------------------------------------------------------- */

/* Zero-initialised but for struct_size: a preview as the cache is configured. */
typedef struct refq_cache_query {
    size_t struct_size; /* sizeof(refq_cache_query) */
    bool full;          /* the whole value; page and sizes do not count then */
    int has_page;
    int64_t page; /* from 1 */
    int has_page_size;
    int64_t page_size; /* from 1 */
    int has_max_size;
    int64_t max_size;   /* the budget of the preview, in the cache's unit; from 0 */
    refq_format format; /* of the response while a task is not complete */
} refq_cache_query;

/* Answers what the reference leads to: needs READ. query NULL = the default. Free *ret with
 * refq_response_free(). docs/CACHE.md tells the members. */
REFQ_API REFQ_MUST_USE refq_err refq_cache_get(refq_cache *cache, const char *ref_id,
                                               const refq_cache_query *query,
                                               const refq_actor *actor, refq_response *ret,
                                               refq_error *err);

/* The whole value as it was stored, terminated; free() it. The actor needs one of the permissions
 * in `any` (REFQ_READ | REFQ_EXECUTE: for a task to compute with). ret_len may be NULL.
 * REFQ_ERR_CONFLICT when it is the reference of a task that is not complete, and the actor may
 * know that. */
REFQ_API REFQ_MUST_USE refq_err refq_cache_resolve(refq_cache *cache, const char *ref_id,
                                                   unsigned any, const refq_actor *actor,
                                                   char **ret_json, size_t *ret_len,
                                                   refq_error *err);

/* *ret: there is a value (or a task) that the actor may READ or EXECUTE. */
REFQ_API REFQ_MUST_USE refq_err refq_cache_exists(refq_cache *cache, const char *ref_id,
                                                  const refq_actor *actor, bool *ret,
                                                  refq_error *err);

/* --- Removing --------------------------------------------------------------------------------- */

/* Removes a value: needs DELETE, else REFQ_ERR_DENIED for those who may READ or EXECUTE it, and
 * REFQ_ERR_NOTFOUND for all others. *ret (may be NULL): there was one. */
REFQ_API REFQ_MUST_USE refq_err refq_cache_delete(refq_cache *cache, const char *ref_id,
                                                  const refq_actor *actor, bool *ret,
                                                  refq_error *err);

typedef struct refq_cache_clear_query {
    size_t struct_size;         /* sizeof(refq_cache_clear_query) */
    const char *namespace_name; /* only this one; NULL = all */
    bool children;              /* and those that start with "<namespace>:" */
    bool all_caches;            /* also of other caches on the same store */
} refq_cache_clear_query;

typedef struct refq_cache_cleared {
    size_t removed;
    size_t denied; /* the actor may not DELETE them */
    size_t broken; /* no entries: left alone */
} refq_cache_cleared;

/* Removes all that the query means and the actor may DELETE. query NULL = all of this cache. *ret
 * is also set when it fails half-way. */
REFQ_API REFQ_MUST_USE refq_err refq_cache_clear(refq_cache *cache,
                                                 const refq_cache_clear_query *query,
                                                 const refq_actor *actor, refq_cache_cleared *ret,
                                                 refq_error *err);

/* --- Listing ---------------------------------------------------------------------------------- */

/* What an entry is about. Owned by its list. */
typedef struct refq_cache_info {
    char *ref_id;
    char *namespace_name;
    char *tool_name; /* NULL = not told */
    char *owner;     /* NULL = none */
    char type[8];    /* of the value: "object", "array", "string", "number", "boolean", "null" */
    int64_t created_at_ms; /* Unix ms */
    int64_t expires_at_ms; /* 0 = never */
    int64_t total_items;   /* -1 = it has none */
    int64_t size;          /* bytes of the value's text as stored */
    unsigned permissions;  /* what the actor may do */
    bool bound;            /* to a session */
} refq_cache_info;

typedef struct refq_cache_list_query {
    size_t struct_size;         /* sizeof(refq_cache_list_query) */
    const char *namespace_name; /* only this one; NULL = all */
    bool children;              /* and those that start with "<namespace>:" */
    bool all_caches;            /* also of other caches on the same store */
    const char *cursor;         /* `next` of the page before; NULL or "" = from the start */
    unsigned limit;             /* about how many; 0 = 50; at most 1000 */
} refq_cache_list_query;

/* A page, owned: free with refq_cache_list_free(). It may be empty although there is more. */
typedef struct refq_cache_list {
    refq_cache_info *items;
    size_t n;
    size_t broken; /* what lies among the entries and is none */
    char *next;    /* "" when there is none */
} refq_cache_list;

/* The entries that the actor may READ or EXECUTE. query NULL = all of this cache. */
REFQ_API REFQ_MUST_USE refq_err refq_cache_ls(refq_cache *cache, const refq_cache_list_query *query,
                                              const refq_actor *actor, refq_cache_list *ret,
                                              refq_error *err);
REFQ_API void refq_cache_list_free(refq_cache_list *list);

#ifdef __cplusplus
}
#endif
#endif
