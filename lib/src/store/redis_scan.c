/* SPDX-License-Identifier: MIT */
/*
 * Pages of what is in Redis, by SCAN.
 *
 * DESIGN. SCAN knows the keys of everybody and finds those of a prefix by
 * looking at all: a page takes up to SCAN_ROUNDS of its steps when nothing is
 * found, so that the caller need not make so many calls, and no more, so that
 * each call ends soon. SCAN may name a key twice: within a page one is dropped.
 * Names of caches are any text, so what a pattern would understand is escaped.
 */
#include "base/buf.h"
#include "base/error.h"
#include "store/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_ROUNDS  100
#define COUNT_ROUNDS 2000 /* for refq_store_count() */
#define COUNT_STEP   1000
#define CURSOR_LEN   20 /* digits of a 64-bit number */

/* A walk over the keys. */
typedef struct walk {
    rqi_store_redis *r;
    const char *name; /* of the cache; NULL = all */
    unsigned count;   /* keys to look at in one step */
    rqi_buf pattern;
    char cursor[CURSOR_LEN + 1];
    bool done;
} walk;

static void add_escaped(rqi_buf *b, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr("*?[]\\^-", *c) != NULL) {
            rqi_buf_addc(b, '\\');
        }
        rqi_buf_addc(b, *c);
    }
}

static refq_err walk_begin(walk *w, const char *cursor, refq_error *err)
{
    size_t len = strlen(cursor);
    if (len > CURSOR_LEN || strspn(cursor, "0123456789") != len) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'%.40s' is no cursor of a page in Redis; pass the `next` of the page "
                        "before",
                        cursor);
    }
    (void)snprintf(w->cursor, sizeof w->cursor, "%s", len > 0 ? cursor : "0");
    add_escaped(&w->pattern, w->r->prefix);
    if (w->name != NULL) {
        add_escaped(&w->pattern, w->name);
        rqi_buf_addc(&w->pattern, ':');
    }
    rqi_buf_addc(&w->pattern, '*');
    return w->pattern.err == REFQ_OK ? REFQ_OK : rqi_store_no_memory(err);
}

/* One SCAN. The keys are the leaves of *ask after the first; the caller frees it. */
static refq_err walk_on(walk *w, rqi_ask *ask, refq_error *err)
{
    char count[16];
    (void)snprintf(count, sizeof count, "%u", w->count);
    const refq_bytes argv[] = {rqi_store_redis_word("SCAN"),  rqi_store_redis_word(w->cursor),
                               rqi_store_redis_word("MATCH"), rqi_buf_bytes(&w->pattern),
                               rqi_store_redis_word("COUNT"), rqi_store_redis_word(count)};
    *ask = (rqi_ask){.argv = argv, .n = sizeof argv / sizeof argv[0]};
    refq_err rc = rqi_store_redis_ask(w->r, ask, 1, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    const char *next = ask->leaves_n > 0 ? ask->leaves[0].ptr : NULL;
    size_t len = next != NULL ? ask->leaves[0].len : 0;
    if (len == 0 || len > CURSOR_LEN || strspn(next, "0123456789") != len) {
        return rqi_fail(err, REFQ_ERR_PROTO, "unexpected answer of the server to SCAN");
    }
    (void)snprintf(w->cursor, sizeof w->cursor, "%s", next);
    w->done = strcmp(next, "0") == 0;
    return REFQ_OK;
}

/* The ref_id in a key; NULL when it cannot be one. Borrowed. */
static const char *id_of(const walk *w, const rqi_leaf *key)
{
    size_t len = strlen(w->r->prefix);
    bool good = key->ptr != NULL && key->len > len && strlen(key->ptr) == key->len &&
                strncmp(key->ptr, w->r->prefix, len) == 0 &&
                refq_store_id_check(key->ptr + len, NULL) == REFQ_OK;
    return good ? key->ptr + len : NULL;
}

/* --- A page ----------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const refq_store_item *)a)->ref_id, ((const refq_store_item *)b)->ref_id);
}

static bool add_keys(const walk *w, const rqi_ask *ask, refq_store_page *page, size_t *cap)
{
    for (size_t i = 1; i < ask->leaves_n; i++) {
        const char *id = id_of(w, &ask->leaves[i]);
        page->skipped += id == NULL;
        if (id != NULL && rqi_store_id_is_of(id, w->name) &&
            !rqi_store_page_add(page, cap, id, NULL, 0)) {
            return false;
        }
    }
    return true;
}

/* Keeps the items for which keep() is true; `before`: the last one that was kept, or NULL. */
static void filter(refq_store_page *page,
                   bool (*keep)(const refq_store_item *item, const refq_store_item *before))
{
    size_t kept = 0;
    for (size_t i = 0; i < page->n; i++) {
        if (keep(&page->items[i], kept > 0 ? &page->items[kept - 1] : NULL)) {
            refq_store_item item = page->items[i];
            page->items[i] = page->items[kept];
            page->items[kept++] = item;
        }
    }
    refq_store_items_free(page->items + kept, page->n - kept);
    page->n = kept;
}

static bool is_new(const refq_store_item *item, const refq_store_item *before)
{
    return before == NULL || strcmp(item->ref_id, before->ref_id) != 0;
}

static bool is_here(const refq_store_item *item, const refq_store_item *before)
{
    (void)before;
    return item->len > 0;
}

static refq_err find_keys(walk *w, refq_store_page *page, refq_error *err)
{
    size_t cap = 0;
    refq_err rc = REFQ_OK;
    for (int round = 0; round < SCAN_ROUNDS && rc == REFQ_OK && !w->done; round++) {
        rqi_ask ask;
        rc = walk_on(w, &ask, err);
        if (rc == REFQ_OK && !add_keys(w, &ask, page, &cap)) {
            rc = rqi_store_no_memory(err);
        }
        rqi_asks_done(&ask, 1);
        if (page->n > 0 || page->skipped > 0) {
            break;
        }
    }
    return rc;
}

/* Drops what is no entry, learns the sizes of the rest. */
static refq_err size_up(walk *w, refq_store_page *page, refq_error *err)
{
    if (page->n == 0) {
        return REFQ_OK;
    }
    qsort(page->items, page->n, sizeof *page->items, by_id);
    filter(page, is_new);
    int64_t *sizes = malloc(page->n * sizeof *sizes);
    if (sizes == NULL) {
        return rqi_store_no_memory(err);
    }
    refq_err rc = rqi_store_redis_sizes(w->r, page->items, page->n, sizes, err);
    for (size_t i = 0; i < page->n && rc == REFQ_OK; i++) {
        page->skipped += sizes[i] < 0;
        page->items[i].len = sizes[i] > 0 ? (size_t)sizes[i] : 0;
    }
    free(sizes);
    filter(page, is_here);
    return rc;
}

refq_err rqi_store_redis_scan(refq_store *s, const refq_store_query *query, refq_store_page *ret,
                              refq_error *err)
{
    walk w = {.r = (rqi_store_redis *)s, .name = query->name, .count = query->limit};
    refq_store_page page = {0};
    refq_err rc = walk_begin(&w, query->cursor, err);
    if (rc == REFQ_OK) {
        rc = find_keys(&w, &page, err);
    }
    if (rc == REFQ_OK) {
        rc = size_up(&w, &page, err);
    }
    if (rc == REFQ_OK && query->texts) {
        rc = rqi_store_redis_texts(w.r, page.items, page.n, REFQ_STORE_PAGE_BYTES, err);
        filter(&page, is_here);
    }
    rqi_buf_done(&w.pattern);
    if (rc == REFQ_OK) {
        page.next = strdup(w.done ? "" : w.cursor);
        rc = page.next != NULL ? REFQ_OK : rqi_store_no_memory(err);
    }
    if (rc != REFQ_OK) {
        refq_store_page_free(&page);
        return rc;
    }
    *ret = page;
    return REFQ_OK;
}

/* --- Counting --------------------------------------------------------------------------------- */

refq_err rqi_store_redis_stat(refq_store *s, refq_store_stat *ret, refq_error *err)
{
    walk w = {.r = (rqi_store_redis *)s, .count = COUNT_STEP};
    int64_t entries = 0;
    refq_err rc = walk_begin(&w, "", err);
    for (int round = 0; round < COUNT_ROUNDS && rc == REFQ_OK && !w.done; round++) {
        rqi_ask ask;
        rc = walk_on(&w, &ask, err);
        entries += rc == REFQ_OK ? (int64_t)ask.leaves_n - 1 : 0;
        rqi_asks_done(&ask, 1);
    }
    rqi_buf_done(&w.pattern);
    if (rc != REFQ_OK) {
        return rc;
    }
    ret->entries = entries;
    ret->bytes = -1;
    ret->partial = !w.done;
    return REFQ_OK;
}
