/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Arguments are checked here, once for all stores; an operation that a
 * store lacks is made of those it has. Stores are told apart by the url's
 * scheme and by nothing else.
 */
#include "store/store.h"

#include "base/error.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 200
#define LIMIT_MOST    1000
#define CURSOR_MAX    1024

/* Whether the store's table, which may be older than ours, has this operation. */
#define OFFERS(store, op)                                                                    \
    ((store)->ops->struct_size >= offsetof(refq_store_ops, op) + sizeof((store)->ops->op) && \
     (store)->ops->op != NULL)

/* --- What stores share ------------------------------------------------------------------------ */

refq_err rqi_store_not_found(refq_error *err, const char *ref_id)
{
    return rqi_fail(err, REFQ_ERR_NOTFOUND, "there is no entry '%.150s' (any more)", ref_id);
}

refq_err rqi_store_no_memory(refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
}

bool rqi_store_id_is_of(const char *ref_id, const char *name)
{
    if (name == NULL) {
        return true;
    }
    size_t len = strlen(name);
    return strncmp(ref_id, name, len) == 0 && ref_id[len] == ':' &&
           strchr(ref_id + len + 1, ':') == NULL;
}

static bool grow(refq_store_page *page, size_t *cap)
{
    if (page->n < *cap) {
        return true;
    }
    size_t more = *cap != 0 ? *cap * 2 : 64;
    refq_store_item *items = realloc(page->items, more * sizeof *items);
    if (items == NULL) {
        return false;
    }
    page->items = items;
    *cap = more;
    return true;
}

bool rqi_store_page_add(refq_store_page *page, size_t *cap, const char *ref_id, char *text,
                        size_t len)
{
    char *id = strdup(ref_id);
    if (id == NULL || !grow(page, cap)) {
        free(id);
        free(text);
        return false;
    }
    page->items[page->n++] = (refq_store_item){.ref_id = id, .text = text, .len = len};
    return true;
}

void refq_store_items_free(refq_store_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(items[i].ref_id);
        free(items[i].text);
        items[i] = (refq_store_item){0};
    }
}

void refq_store_page_free(refq_store_page *page)
{
    if (page == NULL) {
        return;
    }
    refq_store_items_free(page->items, page->n);
    free(page->items);
    free(page->next);
    *page = (refq_store_page){0};
}

/* --- Checks ----------------------------------------------------------------------------------- */

refq_err refq_store_id_check(const char *ref_id, refq_error *err)
{
    size_t len = ref_id != NULL ? strnlen(ref_id, REFQ_STORE_ID_MAX + 1) : 0;
    if (len == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "a ref_id is missing or empty");
    }
    if (len > REFQ_STORE_ID_MAX) {
        return rqi_fail(err, REFQ_ERR_INVALID, "a ref_id ('%.40s...') is longer than %d bytes",
                        ref_id, REFQ_STORE_ID_MAX);
    }
    if (rqi_utf8_valid(ref_id, len) != len) {
        return rqi_fail(err, REFQ_ERR_INVALID, "a ref_id is not UTF-8");
    }
    return REFQ_OK;
}

static refq_err check_ids(const char *const *ref_ids, size_t n, refq_error *err)
{
    if (n > REFQ_STORE_MANY_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%zu entries at once; ask for at most %d", n,
                        REFQ_STORE_MANY_MAX);
    }
    refq_err rc = REFQ_OK;
    for (size_t i = 0; i < n && rc == REFQ_OK; i++) {
        rc = refq_store_id_check(ref_ids[i], err);
    }
    return rc;
}

static refq_err check_entry(refq_bytes text, int64_t ttl_ms, unsigned flags, refq_error *err)
{
    if (text.len == 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "an entry cannot be empty");
    }
    if (text.len > REFQ_STORE_ENTRY_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT,
                        "an entry of %zu bytes is larger than the %zu a store takes; put large "
                        "data into a file and its path into the cache",
                        text.len, REFQ_STORE_ENTRY_MAX);
    }
    if (ttl_ms < 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "a negative life (%lld ms); 0 is for ever",
                        (long long)ttl_ms);
    }
    if (ttl_ms > REFQ_STORE_TTL_MAX_MS) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a life of more than a hundred years; 0 is for ever");
    }
    if ((flags & ~(unsigned)REFQ_STORE_IF_ABSENT) != 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "unknown flags (%#x) for set", flags);
    }
    return REFQ_OK;
}

static refq_err check_query(refq_store_query *q, refq_error *err)
{
    q->cursor = q->cursor != NULL ? q->cursor : "";
    q->limit = q->limit != 0 ? q->limit : LIMIT_DEFAULT;
    if (q->limit > LIMIT_MOST) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%u entries on a page; ask for at most %d", q->limit,
                        LIMIT_MOST);
    }
    if (strnlen(q->cursor, CURSOR_MAX + 1) > CURSOR_MAX) {
        return rqi_fail(err, REFQ_ERR_INVALID, "this is no cursor of a page; pass its `next`");
    }
    if (q->name != NULL && refq_store_id_check(q->name, NULL) != REFQ_OK) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the name of a cache is 1 to %d bytes of UTF-8; pass none for all caches",
                        REFQ_STORE_ID_MAX);
    }
    return REFQ_OK;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static const struct {
    const char *scheme;
    rqi_store_opener *open;
    bool whole; /* the opener reads the scheme, too */
} kinds[] = {
    {"memory:", rqi_store_memory_open, false},
    {"sqlite:", rqi_store_sqlite_open, false},
    {"redis://", rqi_store_redis_open, true},
    {"rediss://", rqi_store_redis_open, true},
    {"unix://", rqi_store_redis_open, true},
    {"redis+sentinel://", rqi_store_redis_open, true},
    {"rediss+sentinel://", rqi_store_redis_open, true},
};

refq_err refq_store_open(const refq_store_options *options, refq_store **ret_store, refq_error *err)
{
    static const refq_store_options defaults = {.struct_size = sizeof defaults};
    const refq_store_options *o = options != NULL ? options : &defaults;
    if (o->timeout_ms < 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "a negative timeout (%lld ms) for a store",
                        (long long)o->timeout_ms);
    }
    if (o->url == NULL) {
        return rqi_store_redis_open(o, NULL, ret_store, err);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i].scheme);
        if (strncmp(o->url, kinds[i].scheme, len) == 0) {
            return kinds[i].open(o, kinds[i].whole ? o->url : o->url + len, ret_store, err);
        }
    }
    /* The url itself may hold a password. */
    return rqi_fail(err, REFQ_ERR_INVALID,
                    "'%.*s...' is no kind of store; write memory:, sqlite:PATH, redis://HOST, "
                    "rediss://HOST, unix:///SOCKET or redis+sentinel://HOST/MASTER",
                    (int)strcspn(o->url, ":/@"), o->url);
}

void refq_store_close(refq_store *store)
{
    if (store != NULL) {
        store->ops->close(store);
    }
}

unsigned refq_store_capabilities(const refq_store *store)
{
    return store->ops->capabilities;
}

const char *refq_store_name(const refq_store *store)
{
    return store->ops->name;
}

/* --- Entries ---------------------------------------------------------------------------------- */

refq_err refq_store_get(refq_store *store, const char *ref_id, char **ret_text, size_t *ret_len,
                        refq_error *err)
{
    size_t len = 0;
    refq_err rc = refq_store_id_check(ref_id, err);
    if (rc == REFQ_OK) {
        rc = store->ops->get(store, ref_id, ret_text, &len, err);
    }
    if (rc == REFQ_OK && ret_len != NULL) {
        *ret_len = len;
    }
    return rc;
}

static refq_err get_one_by_one(refq_store *store, const char *const *ref_ids, size_t n,
                               refq_store_item *ret, refq_error *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        refq_err rc = store->ops->get(store, ref_ids[i], &ret[i].text, &ret[i].len, err);
        if (rc != REFQ_OK && rc != REFQ_ERR_NOTFOUND && rc != REFQ_ERR_PROTO) {
            return rc;
        }
        bytes += ret[i].len;
        if (bytes > REFQ_STORE_MANY_BYTES) {
            return rqi_fail(err, REFQ_ERR_LIMIT,
                            "these %zu entries are larger than %zu bytes together; ask for fewer",
                            n, REFQ_STORE_MANY_BYTES);
        }
    }
    return REFQ_OK;
}

refq_err refq_store_get_many(refq_store *store, const char *const *ref_ids, size_t n,
                             refq_store_item *ret, refq_error *err)
{
    refq_err rc = check_ids(ref_ids, n, err);
    if (rc != REFQ_OK || n == 0) {
        return rc;
    }
    memset(ret, 0, n * sizeof *ret);
    rc = OFFERS(store, get_many) ? store->ops->get_many(store, ref_ids, n, ret, err)
                                 : get_one_by_one(store, ref_ids, n, ret, err);
    if (rc != REFQ_OK) {
        refq_store_items_free(ret, n);
    }
    return rc;
}

refq_err refq_store_set(refq_store *store, const char *ref_id, refq_bytes text, int64_t ttl_ms,
                        unsigned flags, refq_error *err)
{
    refq_err rc = refq_store_id_check(ref_id, err);
    if (rc == REFQ_OK) {
        rc = check_entry(text, ttl_ms, flags, err);
    }
    return rc == REFQ_OK ? store->ops->set(store, ref_id, text, ttl_ms, flags, err) : rc;
}

refq_err refq_store_delete_many(refq_store *store, const char *const *ref_ids, size_t n,
                                size_t *ret_n, refq_error *err)
{
    size_t removed = 0;
    refq_err rc = check_ids(ref_ids, n, err);
    if (rc == REFQ_OK && n > 0) {
        rc = store->ops->remove(store, ref_ids, n, &removed, err);
    }
    if (rc == REFQ_OK && ret_n != NULL) {
        *ret_n = removed;
    }
    return rc;
}

refq_err refq_store_delete(refq_store *store, const char *ref_id, bool *ret, refq_error *err)
{
    size_t n = 0;
    refq_err rc = refq_store_delete_many(store, &ref_id, 1, &n, err);
    if (rc == REFQ_OK && ret != NULL) {
        *ret = n > 0;
    }
    return rc;
}

static refq_err exists_by_get(refq_store *store, const char *ref_id, bool *ret, refq_error *err)
{
    char *text = NULL;
    size_t len = 0;
    refq_err rc = store->ops->get(store, ref_id, &text, &len, err);
    if (rc != REFQ_OK && rc != REFQ_ERR_NOTFOUND && rc != REFQ_ERR_PROTO) {
        return rc;
    }
    free(text);
    *ret = rc == REFQ_OK;
    return REFQ_OK;
}

refq_err refq_store_exists(refq_store *store, const char *ref_id, bool *ret, refq_error *err)
{
    refq_err rc = refq_store_id_check(ref_id, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    return OFFERS(store, exists) ? store->ops->exists(store, ref_id, ret, err)
                                 : exists_by_get(store, ref_id, ret, err);
}

/* --- All of them ------------------------------------------------------------------------------ */

refq_err refq_store_scan(refq_store *store, const refq_store_query *query, refq_store_page *ret,
                         refq_error *err)
{
    refq_store_query q = query != NULL ? *query : (refq_store_query){.struct_size = sizeof q};
    refq_err rc = check_query(&q, err);
    return rc == REFQ_OK ? store->ops->scan(store, &q, ret, err) : rc;
}

/* Removes what is on a page. */
static refq_err clear_page(refq_store *store, const refq_store_page *page, size_t *ret_n,
                           refq_error *err)
{
    refq_err rc = REFQ_OK;
    for (size_t at = 0; at < page->n && rc == REFQ_OK; at += REFQ_STORE_MANY_MAX) {
        const char *ids[REFQ_STORE_MANY_MAX];
        size_t n = 0;
        size_t removed = 0;
        while (n < REFQ_STORE_MANY_MAX && at + n < page->n) {
            ids[n] = page->items[at + n].ref_id;
            n++;
        }
        rc = store->ops->remove(store, ids, n, &removed, err);
        *ret_n += removed;
    }
    return rc;
}

refq_err refq_store_clear(refq_store *store, const char *name, size_t *ret_n, refq_error *err)
{
    refq_store_page page = {0};
    size_t removed = 0;
    refq_err rc = REFQ_OK;
    do {
        refq_store_query q = {
            .struct_size = sizeof q, .cursor = page.next, .name = name, .limit = LIMIT_MOST};
        refq_store_page next = {0};
        rc = refq_store_scan(store, &q, &next, err);
        refq_store_page_free(&page);
        page = next;
        if (rc == REFQ_OK) {
            rc = clear_page(store, &page, &removed, err);
        }
    } while (rc == REFQ_OK && page.next[0] != '\0');
    refq_store_page_free(&page);
    if (ret_n != NULL) {
        *ret_n = removed;
    }
    return rc;
}

refq_err refq_store_count(refq_store *store, refq_store_stat *ret, refq_error *err)
{
    if (!OFFERS(store, stat)) {
        return rqi_fail(err, REFQ_ERR_UNSUPPORTED, "the %s store does not count its entries",
                        store->ops->name);
    }
    return store->ops->stat(store, ret, err);
}

refq_err refq_store_ping(refq_store *store, refq_error *err)
{
    return store->ops->ping(store, err);
}
