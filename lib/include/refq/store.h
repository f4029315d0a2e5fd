/* SPDX-License-Identifier: MIT */
/*
 * Stores: where the entries of the ref cache are.
 *
 *     refq_store_options o = {.struct_size = sizeof o, .url = "sqlite:/var/lib/app/cache.db"};
 *     refq_store *store;
 *     if (refq_store_open(&o, &store, &err) != REFQ_OK) {
 *         errx(1, "%s", err.text);
 *     }
 *
 * A store keeps texts by ref_id and looks inside of none: an entry is a JSON object with the six
 * members value, namespace, policy, created_at, expires_at and metadata (docs/PROTOCOL.md), made
 * and read by the ref cache above. There are three stores, and a table of functions for more:
 *
 *     memory:          in this process; gone with it
 *     sqlite:PATH      one file, shared by the processes of one machine, Python's SQLiteBackend
 *                      among them. sqlite: alone is MCP_REFCACHE_DB_PATH, or else
 *                      mcp-refcache/cache.db in XDG_CACHE_HOME (~/.cache); sqlite::memory: is no
 *                      file at all
 *     redis://...      a Redis server (also rediss://, unix://, redis+sentinel://,
 *                      rediss+sentinel://), shared with Python's RedisBackend
 *
 * All functions may be called from any thread at any time, and block until they are done. A text
 * or an array that is handed out belongs to the caller.
 *
 * Lives. `ttl_ms` is how long a store keeps an entry at least. What counts for readers is the
 * entry's own expires_at: pass what is left of it. A store may keep an entry a few seconds longer;
 * SQLite has nothing but expires_at, and goes by that.
 */
#ifndef REFQ_STORE_H
#define REFQ_STORE_H

#include <refq/bytes.h>
#include <refq/error.h>
#include <refq/export.h>
#include <refq/log.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The bounds. What is beyond them ends with REFQ_ERR_LIMIT. */
#define REFQ_STORE_ID_MAX     256                         /* bytes of a ref_id */
#define REFQ_STORE_ENTRY_MAX  ((size_t)128 * 1024 * 1024) /* bytes of one entry */
#define REFQ_STORE_TTL_MAX_MS ((int64_t)36600 * 24 * 3600 * 1000)
#define REFQ_STORE_MANY_MAX   1000                        /* ref_ids in one call */
#define REFQ_STORE_MANY_BYTES ((size_t)256 * 1024 * 1024) /* of all texts of one get_many */
#define REFQ_STORE_PAGE_BYTES ((size_t)64 * 1024 * 1024)  /* of all texts on one page */

enum {
    REFQ_STORE_DURABLE = 1, /* entries survive this process */
    REFQ_STORE_SHARED = 2,  /* other processes see them */
    REFQ_STORE_OPAQUE = 4   /* takes any bytes, and gives back just those; else: entries only,
                               whose six members come back equal, in the usual order, with the text
                               of value, policy and metadata as it was */
};

enum { REFQ_STORE_IF_ABSENT = 1 /* set() only when there is no entry: else REFQ_ERR_CONFLICT */ };

/* An entry, owned: free with refq_store_items_free(). */
typedef struct refq_store_item {
    char *ref_id; /* NULL in what get_many() gives */
    char *text;   /* terminated; NULL = not here */
    size_t len;   /* bytes of the text, also when it was left out of a page; 0 = not known */
} refq_store_item;

typedef struct refq_store_query {
    size_t struct_size;
    const char *cursor; /* `next` of the page before; NULL or "" = from the start */
    const char *name; /* only entries of this cache: "<name>:" and no colon after it; NULL = all */
    unsigned limit;   /* about how many; 0 = 200; at most 1000. See refq_store_page */
    bool texts;       /* with their texts */
} refq_store_query;

/* A page, owned: free with refq_store_page_free(). It may hold a few items more than the limit, or
 * fewer, or none, although there is more: `next` says. Over all pages an entry that is there all
 * the time appears at least once, and on no page twice. Texts beyond REFQ_STORE_PAGE_BYTES are
 * left out (NULL): get() them. */
typedef struct refq_store_page {
    refq_store_item *items;
    size_t n;
    size_t skipped; /* what others have put where entries are, and is none */
    char *next;     /* cursor of the next page; "" when there is none */
} refq_store_page;

typedef struct refq_store_stat {
    size_t struct_size;
    int64_t entries; /* those that have expired may count until they are removed */
    int64_t bytes;   /* what they take; -1 = not known */
    bool partial;    /* there are more than were counted */
} refq_store_stat;

typedef struct refq_store refq_store;

/*
 * What a store implements. The functions below check their arguments and pass on only what is in
 * bounds, so an implementation need not. It must be safe to call from any thread, must leave what
 * it returns untouched on failure, and must hand out memory that free() takes.
 */
typedef struct refq_store_ops {
    size_t struct_size; /* sizeof(refq_store_ops) */
    const char *name;
    unsigned capabilities; /* REFQ_STORE_* */

    /* REFQ_ERR_NOTFOUND when there is none, REFQ_ERR_PROTO when what is there is no entry. */
    refq_err (*get)(refq_store *s, const char *ref_id, char **ret_text, size_t *ret_len,
                    refq_error *err);
    /* ret has room for n, all zero. What is not there, or is no entry, stays zero. NULL: get() is
     * called for each. */
    refq_err (*get_many)(refq_store *s, const char *const *ref_ids, size_t n, refq_store_item *ret,
                         refq_error *err);
    /* flags: REFQ_STORE_IF_ABSENT; ttl_ms 0 = for ever. Replaces what was there, its life too. */
    refq_err (*set)(refq_store *s, const char *ref_id, refq_bytes text, int64_t ttl_ms,
                    unsigned flags, refq_error *err);
    /* *ret_n: how many there were. */
    refq_err (*remove)(refq_store *s, const char *const *ref_ids, size_t n, size_t *ret_n,
                       refq_error *err);
    /* Whether there is one, which may still prove to be none when it is read. NULL: get() is
     * called. */
    refq_err (*exists)(refq_store *s, const char *ref_id, bool *ret, refq_error *err);
    refq_err (*scan)(refq_store *s, const refq_store_query *query, refq_store_page *ret,
                     refq_error *err);
    /* NULL: not offered. */
    refq_err (*stat)(refq_store *s, refq_store_stat *ret, refq_error *err);
    /* Whether it can be reached. */
    refq_err (*ping)(refq_store *s, refq_error *err);
    void (*close)(refq_store *s);
} refq_store_ops;

/* The beginning of every store. */
struct refq_store {
    const refq_store_ops *ops;
};

/* Zero means default. Copied. */
typedef struct refq_store_options {
    size_t struct_size;
    const char *url;    /* see above; NULL = REFQ_REDIS, or else redis://127.0.0.1:6379 */
    const char *prefix; /* of keys in Redis; NULL = "mcp-refcache:entry:" */
    int64_t timeout_ms; /* Redis: of a command, and 1 ms more for each KiB it carries; 0 = 5 s.
                           SQLite: how long to wait for other processes; 0 = 30 s */
    size_t max_bytes;   /* memory, SQLite: beyond it set() ends with REFQ_ERR_FULL; 0 = 1 GiB in
                           memory, as much as the disk has in SQLite */
    bool existing;      /* SQLite: what is not there is not made: REFQ_ERR_NOTFOUND */
    refq_logger log;
} refq_store_options;

/* Opens a store. A Redis server need not be there yet: the first call says so. The caller closes
 * it. REFQ_ERR_INVALID for a url of no known kind, REFQ_ERR_VERSION for a database with another
 * schema. */
REFQ_API REFQ_MUST_USE refq_err refq_store_open(const refq_store_options *options,
                                                refq_store **ret_store, refq_error *err);

/* No other thread may use the store any more. NULL is fine. */
REFQ_API void refq_store_close(refq_store *store);

REFQ_API unsigned refq_store_capabilities(const refq_store *store);
REFQ_API const char *refq_store_name(const refq_store *store); /* "memory", "sqlite", "redis" */

/* 1 to REFQ_STORE_ID_MAX bytes of UTF-8; REFQ_ERR_INVALID otherwise. */
REFQ_API REFQ_MUST_USE refq_err refq_store_id_check(const char *ref_id, refq_error *err);

/* *ret_text is terminated; free() it. *ret_len may be NULL. */
REFQ_API REFQ_MUST_USE refq_err refq_store_get(refq_store *store, const char *ref_id,
                                               char **ret_text, size_t *ret_len, refq_error *err);

/* ret has room for n (at most REFQ_STORE_MANY_MAX) and is overwritten; free each text. A text is
 * NULL when there is no such entry. REFQ_ERR_LIMIT when they are larger than REFQ_STORE_MANY_BYTES
 * together: ask for fewer. */
REFQ_API REFQ_MUST_USE refq_err refq_store_get_many(refq_store *store, const char *const *ref_ids,
                                                    size_t n, refq_store_item *ret,
                                                    refq_error *err);

/* See refq_store_ops.set. REFQ_ERR_FULL when there is no room; REFQ_ERR_INVALID when the store
 * takes entries only, and this is none. REFQ_ERR_CLOSED or _TIMEOUT: nobody knows whether it was
 * stored; to repeat it is harmless, but with IF_ABSENT may find the first one. */
REFQ_API REFQ_MUST_USE refq_err refq_store_set(refq_store *store, const char *ref_id,
                                               refq_bytes text, int64_t ttl_ms, unsigned flags,
                                               refq_error *err);

/* *ret (may be NULL): there was one. Also removes what others have put there and is no entry. */
REFQ_API REFQ_MUST_USE refq_err refq_store_delete(refq_store *store, const char *ref_id, bool *ret,
                                                  refq_error *err);
REFQ_API REFQ_MUST_USE refq_err refq_store_delete_many(refq_store *store,
                                                       const char *const *ref_ids, size_t n,
                                                       size_t *ret_n, refq_error *err);

REFQ_API REFQ_MUST_USE refq_err refq_store_exists(refq_store *store, const char *ref_id, bool *ret,
                                                  refq_error *err);

/* query NULL = the first page of all, without texts. */
REFQ_API REFQ_MUST_USE refq_err refq_store_scan(refq_store *store, const refq_store_query *query,
                                                refq_store_page *ret, refq_error *err);
REFQ_API void refq_store_page_free(refq_store_page *page);

/* Frees what the n items hold, not the array. */
REFQ_API void refq_store_items_free(refq_store_item *items, size_t n);

/* Removes all entries of one cache; name NULL: of all caches, those of other servers on the same
 * Redis or file among them. *ret_n (may be NULL): how many; also set when it fails half-way. */
REFQ_API REFQ_MUST_USE refq_err refq_store_clear(refq_store *store, const char *name, size_t *ret_n,
                                                 refq_error *err);

/* ret->struct_size is the caller's to set. Looks at everything: not for every second. */
REFQ_API REFQ_MUST_USE refq_err refq_store_count(refq_store *store, refq_store_stat *ret,
                                                 refq_error *err);

REFQ_API REFQ_MUST_USE refq_err refq_store_ping(refq_store *store, refq_error *err);

#ifdef __cplusplus
}
#endif
#endif
