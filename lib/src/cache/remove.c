/* SPDX-License-Identifier: MIT */
/* Removing: one value, or all that are meant. */
#include "cache/cache.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#define MAY_KNOW (REFQ_READ | REFQ_EXECUTE)

refq_err refq_cache_delete(refq_cache *cache, const char *ref_id, const refq_actor *actor,
                           bool *ret, refq_error *err)
{
    rqi_held held;
    refq_err rc = rqi_cache_load(cache, ref_id, &held, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    unsigned bits = rqi_cache_permissions(cache, ref_id, actor, &held.view, REFQ_DELETE);
    rqi_held_done(&held);
    if ((bits & REFQ_DELETE) == 0 && (bits & MAY_KNOW) == 0) {
        return rqi_cache_hidden(err, ref_id);
    }
    if ((bits & REFQ_DELETE) == 0) {
        return rqi_fail(err, REFQ_ERR_DENIED, "you may not delete %.96s", ref_id);
    }
    return refq_store_delete(cache->store, ref_id, ret, err);
}

/* --- Many ------------------------------------------------------------------------------------- */

struct clearing {
    refq_cache *cache;
    const refq_cache_clear_query *query;
    const refq_actor *actor;
    refq_cache_cleared *ret;
};

/* Whether an entry of a page is to go; counts those that are not. */
static bool is_to_go(struct clearing *c, const refq_store_item *item, const rqi_entry_view *view)
{
    if (!rqi_namespace_is(view->namespace_name, c->query->namespace_name, c->query->children)) {
        return false;
    }
    unsigned bits = rqi_cache_permissions(c->cache, item->ref_id, c->actor, view, REFQ_DELETE);
    bool may = (bits & REFQ_DELETE) != 0;
    c->ret->denied += !may && (bits & MAY_KNOW) != 0;
    return may;
}

/* A text that was left out of the page because it is large is read by itself. */
static refq_err read_item(refq_store *store, refq_store_item *item, rqi_entry_view *view,
                          refq_error *err)
{
    refq_err rc = REFQ_OK;
    if (item->text == NULL) {
        rc = refq_store_get(store, item->ref_id, &item->text, &item->len, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    return rqi_entry_read((refq_bytes){.ptr = item->text, .len = item->len}, view, err);
}

/* Sets *ret to whether it is to go. What has gone meanwhile, or is no entry, is passed over. */
static refq_err look_at(struct clearing *c, refq_store_item *item, bool *ret, refq_error *err)
{
    rqi_entry_view view;
    refq_err rc = read_item(c->cache->store, item, &view, err);
    *ret = false;
    if (rc == REFQ_OK) {
        *ret = is_to_go(c, item, &view);
        rqi_entry_view_done(&view);
    }
    free(item->text); /* so that only one large value is held at a time */
    item->text = NULL;
    bool broken = rqi_cache_is_broken(rc);
    c->ret->broken += broken;
    return broken || rc == REFQ_ERR_NOTFOUND ? REFQ_OK : rc;
}

static refq_err clear_page(struct clearing *c, refq_store_page *page, refq_error *err)
{
    size_t n = 0;
    size_t removed = 0;
    refq_err rc = REFQ_OK;
    const char **ids = (const char **)calloc(page->n + 1, sizeof *ids);
    if (ids == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == REFQ_OK && i < page->n; i++) {
        bool go = false;
        rc = look_at(c, &page->items[i], &go, err);
        ids[n] = page->items[i].ref_id;
        n += go;
    }
    rc = rc == REFQ_OK && n > 0 ? refq_store_delete_many(c->cache->store, ids, n, &removed, err)
                                : rc;
    c->ret->removed += removed;
    free((void *)ids);
    return rc;
}

refq_err refq_cache_clear(refq_cache *cache, const refq_cache_clear_query *query,
                          const refq_actor *actor, refq_cache_cleared *ret, refq_error *err)
{
    static const refq_cache_clear_query all = {.struct_size = sizeof all};
    struct clearing c = {cache, query != NULL ? query : &all, actor, ret};
    char *cursor = NULL;
    refq_err rc = REFQ_OK;
    *ret = (refq_cache_cleared){0};
    do {
        refq_store_page page;
        refq_store_query q = {.struct_size = sizeof q,
                              .cursor = cursor,
                              .name = c.query->all_caches ? NULL : cache->name,
                              .texts = true};
        rc = refq_store_scan(cache->store, &q, &page, err);
        if (rc != REFQ_OK) {
            break;
        }
        ret->broken += page.skipped;
        rc = clear_page(&c, &page, err);
        free(cursor);
        cursor = page.next;
        page.next = NULL;
        refq_store_page_free(&page);
    } while (rc == REFQ_OK && cursor[0] != '\0');
    free(cursor);
    return rc;
}
