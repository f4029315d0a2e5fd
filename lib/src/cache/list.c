/* SPDX-License-Identifier: MIT */
/* Listing what an actor may know of. */
#include "cache/cache.h"

#include "base/clock.h"
#include "base/error.h"
#include "json/pydoc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000 };

struct listing {
    refq_cache *cache;
    const refq_cache_list_query *query;
    const refq_actor *actor;
    int64_t now_ms;
};

static void info_done(refq_cache_info *info)
{
    free(info->ref_id);
    free(info->namespace_name);
    free(info->tool_name);
    free(info->owner);
}

void refq_cache_list_free(refq_cache_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        info_done(&list->items[i]);
    }
    free(list->items);
    free(list->next);
    *list = (refq_cache_list){0};
}

static int64_t count_items(refq_bytes value, rqi_scan_kind kind)
{
    rqi_pydoc doc;
    if ((kind != RQI_SCAN_ARRAY && kind != RQI_SCAN_OBJECT) ||
        rqi_pydoc_open(value, false, &doc, NULL) != REFQ_OK) {
        return -1;
    }
    int64_t n = (int64_t)doc.n_items;
    rqi_pydoc_done(&doc);
    return n;
}

static bool fill_info(refq_cache_info *info, const char *ref_id, const rqi_entry_view *view)
{
    const char *owner = view->policy->owner;
    *info = (refq_cache_info){
        .ref_id = strdup(ref_id),
        .namespace_name = strdup(view->namespace_name),
        .tool_name = rqi_entry_metadata_text(view, "tool_name"),
        .owner = owner != NULL ? strdup(owner) : NULL,
        .created_at_ms = view->created_at_ms,
        .expires_at_ms = view->expires_at_ms,
        .total_items = count_items(view->value, view->kind),
        .size = (int64_t)view->value.len,
        .bound = view->policy->bound_session != NULL,
    };
    (void)snprintf(info->type, sizeof info->type, "%s", rqi_entry_type(view->kind));
    return info->ref_id != NULL && info->namespace_name != NULL &&
           (owner == NULL || info->owner != NULL);
}

static refq_err add_item(const struct listing *l, const refq_store_item *item,
                         refq_cache_list *list, refq_error *err)
{
    rqi_entry_view view;
    refq_bytes text = {.ptr = item->text, .len = item->len};
    refq_err rc = rqi_entry_read(text, &view, err);
    if (rc == REFQ_ERR_PROTO) {
        list->broken++;
        return REFQ_OK;
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    unsigned bits = rqi_cache_permissions(l->cache, item->ref_id, l->actor, &view, 0);
    if ((bits & (REFQ_READ | REFQ_EXECUTE)) != 0 && !rqi_entry_has_expired(&view, l->now_ms) &&
        rqi_namespace_is(view.namespace_name, l->query->namespace_name, l->query->children)) {
        refq_cache_info *info = &list->items[list->n++];
        rc = fill_info(info, item->ref_id, &view) ? REFQ_OK
                                                  : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
        info->permissions = bits;
    }
    rqi_entry_view_done(&view);
    return rc;
}

/* Texts that were left out of the page, because together they are too large, are read one by one.
 */
static refq_err add_page(const struct listing *l, refq_store_page *page, refq_cache_list *list,
                         refq_error *err)
{
    refq_err rc = REFQ_OK;
    for (size_t i = 0; rc == REFQ_OK && i < page->n; i++) {
        refq_store_item *item = &page->items[i];
        if (item->text == NULL) {
            rc = refq_store_get(l->cache->store, item->ref_id, &item->text, &item->len, err);
        }
        bool broken = rqi_cache_is_broken(rc);
        if (rc == REFQ_ERR_NOTFOUND || broken) {
            list->broken += broken;
            rc = REFQ_OK;
            continue;
        }
        rc = rc == REFQ_OK ? add_item(l, item, list, err) : rc;
        free(item->text); /* so that only one large value is held at a time */
        item->text = NULL;
    }
    return rc;
}

refq_err refq_cache_ls(refq_cache *cache, const refq_cache_list_query *query,
                       const refq_actor *actor, refq_cache_list *ret, refq_error *err)
{
    static const refq_cache_list_query all = {.struct_size = sizeof all};
    struct listing l = {cache, query != NULL ? query : &all, actor, rqi_wall_ms()};
    if (l.query->limit > LIMIT_MAX) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a page has at most %d entries, not %u", LIMIT_MAX,
                        l.query->limit);
    }
    refq_store_page page;
    refq_store_query q = {.struct_size = sizeof q,
                          .cursor = l.query->cursor,
                          .name = l.query->all_caches ? NULL : cache->name,
                          .limit = l.query->limit > 0 ? l.query->limit : LIMIT_DEFAULT,
                          .texts = true};
    refq_err rc = refq_store_scan(cache->store, &q, &page, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_cache_list list = {.items = calloc(page.n + 1, sizeof *list.items),
                            .broken = page.skipped};
    rc = list.items != NULL ? add_page(&l, &page, &list, err)
                            : rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    list.next = page.next;
    page.next = NULL;
    refq_store_page_free(&page);
    if (rc != REFQ_OK) {
        refq_cache_list_free(&list);
        return rc;
    }
    *ret = list;
    return REFQ_OK;
}
