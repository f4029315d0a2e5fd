/* SPDX-License-Identifier: MIT */
/*
 * Entries in this process.
 *
 * DESIGN. One mutex, held for pointers only: texts are shared by counted
 * references and copied outside of it, so a caller that takes 100 MB holds up
 * nobody. An expired entry goes when somebody comes across it; so that those
 * nobody asks for go too, a set() now and then looks at all, as seldom as there
 * are entries: a constant cost for each.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/rand.h"
#include "store/skip.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES   ((size_t)1024 * 1024 * 1024)
#define ENTRY_COST  256  /* bytes of one entry besides its text, about */
#define SWEEP_LEAST 1024 /* set() calls between two looks at everything */
#define NEVER       INT64_MAX

typedef struct text {
    atomic_uint refs;
    int64_t expires_ms; /* monotonic */
    size_t len;
    char bytes[]; /* terminated */
} text;

typedef struct memory_store {
    refq_store pub; /* first: callers hold a pointer to it */
    size_t max_bytes;
    pthread_mutex_t lock; /* guards all below */
    rqi_skip entries;     /* of text */
    size_t bytes;
    size_t sets; /* since the last look at everything */
} memory_store;

/* --- Texts ------------------------------------------------------------------------------------ */

static text *text_new(refq_bytes bytes, int64_t ttl_ms)
{
    text *t = malloc(sizeof *t + bytes.len + 1);
    if (t == NULL) {
        return NULL;
    }
    atomic_init(&t->refs, 1);
    t->expires_ms = ttl_ms != 0 ? rqi_mono_ms() + ttl_ms : NEVER;
    t->len = bytes.len;
    memcpy(t->bytes, bytes.ptr, bytes.len);
    t->bytes[bytes.len] = '\0';
    return t;
}

static text *text_ref(text *t)
{
    (void)atomic_fetch_add(&t->refs, 1);
    return t;
}

static void text_unref(text *t)
{
    if (t != NULL && atomic_fetch_sub(&t->refs, 1) == 1) {
        free(t);
    }
}

static char *text_copy(const text *t)
{
    char *copy = malloc(t->len + 1);
    if (copy != NULL) {
        memcpy(copy, t->bytes, t->len + 1);
    }
    return copy;
}

/* --- Under the lock --------------------------------------------------------------------------- */

static size_t cost(const char *ref_id, size_t len)
{
    return ENTRY_COST + strlen(ref_id) + len;
}

static void drop(memory_store *m, rqi_skip_node *node)
{
    text *t = node->item;
    m->bytes -= cost(node->key, t->len);
    rqi_skip_remove(&m->entries, node);
    text_unref(t);
}

static bool is_over(const rqi_skip_node *node, int64_t now)
{
    return ((const text *)node->item)->expires_ms <= now;
}

/* NULL when there is none; one that is over goes. */
static rqi_skip_node *find(memory_store *m, const char *ref_id)
{
    rqi_skip_node *node = rqi_skip_find(&m->entries, ref_id);
    if (node != NULL && is_over(node, rqi_mono_ms())) {
        drop(m, node);
        return NULL;
    }
    return node;
}

static void sweep(memory_store *m)
{
    int64_t now = rqi_mono_ms();
    rqi_skip_node *node = rqi_skip_next(&m->entries, NULL);
    while (node != NULL) {
        rqi_skip_node *next = rqi_skip_next(&m->entries, node);
        if (is_over(node, now)) {
            drop(m, node);
        }
        node = next;
    }
    m->sets = 0;
}

static bool has_room(const memory_store *m, const rqi_skip_node *old, const char *ref_id,
                     size_t len)
{
    size_t freed = old != NULL ? cost(ref_id, ((const text *)old->item)->len) : 0;
    size_t need = cost(ref_id, len);
    return need <= m->max_bytes && m->bytes - freed <= m->max_bytes - need;
}

static refq_err put(memory_store *m, const char *ref_id, text *t, unsigned flags, refq_error *err)
{
    rqi_skip_node *node = find(m, ref_id);
    if (node != NULL && (flags & REFQ_STORE_IF_ABSENT) != 0) {
        return rqi_fail(err, REFQ_ERR_CONFLICT, "there is an entry '%.150s' already", ref_id);
    }
    if (!has_room(m, node, ref_id, t->len) || ++m->sets > m->entries.n + SWEEP_LEAST) {
        sweep(m);
        node = rqi_skip_find(&m->entries, ref_id);
    }
    if (!has_room(m, node, ref_id, t->len)) {
        return rqi_fail(err, REFQ_ERR_FULL,
                        "no room for %zu bytes: the memory store holds %zu of at most %zu; delete "
                        "entries, give them shorter lives, or raise max_bytes",
                        t->len, m->bytes, m->max_bytes);
    }
    if (node != NULL) {
        text *old = node->item;
        m->bytes -= cost(ref_id, old->len);
        node->item = text_ref(t);
        text_unref(old);
    } else if (rqi_skip_add(&m->entries, ref_id, text_ref(t)) == NULL) {
        text_unref(t);
        return rqi_store_no_memory(err);
    }
    m->bytes += cost(ref_id, t->len);
    return REFQ_OK;
}

/* --- Operations ------------------------------------------------------------------------------- */

static text *take(memory_store *m, const char *ref_id)
{
    pthread_mutex_lock(&m->lock);
    rqi_skip_node *node = find(m, ref_id);
    text *t = node != NULL ? text_ref(node->item) : NULL;
    pthread_mutex_unlock(&m->lock);
    return t;
}

static refq_err memory_get(refq_store *s, const char *ref_id, char **ret_text, size_t *ret_len,
                           refq_error *err)
{
    text *t = take((memory_store *)s, ref_id);
    if (t == NULL) {
        return rqi_store_not_found(err, ref_id);
    }
    char *copy = text_copy(t);
    size_t len = t->len;
    text_unref(t);
    if (copy == NULL) {
        return rqi_store_no_memory(err);
    }
    *ret_text = copy;
    *ret_len = len;
    return REFQ_OK;
}

static refq_err memory_set(refq_store *s, const char *ref_id, refq_bytes bytes, int64_t ttl_ms,
                           unsigned flags, refq_error *err)
{
    memory_store *m = (memory_store *)s;
    text *t = text_new(bytes, ttl_ms);
    if (t == NULL) {
        return rqi_store_no_memory(err);
    }
    pthread_mutex_lock(&m->lock);
    refq_err rc = put(m, ref_id, t, flags, err);
    pthread_mutex_unlock(&m->lock);
    text_unref(t);
    return rc;
}

static refq_err memory_remove(refq_store *s, const char *const *ref_ids, size_t n, size_t *ret_n,
                              refq_error *err)
{
    memory_store *m = (memory_store *)s;
    size_t removed = 0;
    (void)err;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < n; i++) {
        rqi_skip_node *node = find(m, ref_ids[i]);
        if (node != NULL) {
            drop(m, node);
            removed++;
        }
    }
    pthread_mutex_unlock(&m->lock);
    *ret_n = removed;
    return REFQ_OK;
}

static refq_err memory_exists(refq_store *s, const char *ref_id, bool *ret, refq_error *err)
{
    memory_store *m = (memory_store *)s;
    (void)err;
    pthread_mutex_lock(&m->lock);
    *ret = find(m, ref_id) != NULL;
    pthread_mutex_unlock(&m->lock);
    return REFQ_OK;
}

/* --- Pages ------------------------------------------------------------------------------------ */

struct finding {
    const refq_store_query *query;
    char prefix[REFQ_STORE_ID_MAX + 2]; /* "<name>:", behind which a cache's entries stand together;
                                           "" for all */
    refq_store_page page;
    size_t cap;
    text **texts; /* of the items, by reference; room for the limit */
};

static bool may_follow(const struct finding *f, const rqi_skip_node *node)
{
    return node != NULL && strncmp(node->key, f->prefix, strlen(f->prefix)) == 0;
}

/* Under the lock: which entries, and their texts by reference. */
static bool collect(memory_store *m, struct finding *f)
{
    const refq_store_query *q = f->query;
    const char *from = q->cursor[0] != '\0' ? q->cursor : f->prefix;
    int64_t now = rqi_mono_ms();
    rqi_skip_node *node = rqi_skip_after(&m->entries, from, 0);
    while (may_follow(f, node) && f->page.n < q->limit) {
        text *t = node->item;
        if (!is_over(node, now) && rqi_store_id_is_of(node->key, q->name)) {
            if (!rqi_store_page_add(&f->page, &f->cap, node->key, NULL, t->len)) {
                return false;
            }
            f->texts[f->page.n - 1] = text_ref(t);
        }
        node = rqi_skip_next(&m->entries, node);
    }
    bool more = may_follow(f, node) && f->page.n > 0;
    f->page.next = strdup(more ? f->page.items[f->page.n - 1].ref_id : "");
    return f->page.next != NULL;
}

static bool copy_texts(struct finding *f)
{
    size_t bytes = 0;
    for (size_t i = 0; i < f->page.n; i++) {
        bytes += f->page.items[i].len;
        if (bytes > REFQ_STORE_PAGE_BYTES) {
            return true;
        }
        f->page.items[i].text = text_copy(f->texts[i]);
        if (f->page.items[i].text == NULL) {
            return false;
        }
    }
    return true;
}

static refq_err memory_scan(refq_store *s, const refq_store_query *query, refq_store_page *ret,
                            refq_error *err)
{
    memory_store *m = (memory_store *)s;
    struct finding f = {.query = query};
    if (query->name != NULL) {
        (void)snprintf(f.prefix, sizeof f.prefix, "%s:", query->name);
    }
    f.texts = calloc(query->limit, sizeof *f.texts);
    bool good = f.texts != NULL;
    if (good) {
        pthread_mutex_lock(&m->lock);
        good = collect(m, &f);
        pthread_mutex_unlock(&m->lock);
    }
    if (good && query->texts) {
        good = copy_texts(&f);
    }
    for (size_t i = 0; i < f.page.n && f.texts != NULL; i++) {
        text_unref(f.texts[i]);
    }
    free((void *)f.texts);
    if (!good) {
        refq_store_page_free(&f.page);
        return rqi_store_no_memory(err);
    }
    *ret = f.page;
    return REFQ_OK;
}

/* --- The store -------------------------------------------------------------------------------- */

static refq_err memory_stat(refq_store *s, refq_store_stat *ret, refq_error *err)
{
    memory_store *m = (memory_store *)s;
    (void)err;
    pthread_mutex_lock(&m->lock);
    sweep(m);
    ret->entries = (int64_t)m->entries.n;
    ret->bytes = (int64_t)m->bytes;
    ret->partial = false;
    pthread_mutex_unlock(&m->lock);
    return REFQ_OK;
}

static refq_err memory_ping(refq_store *s, refq_error *err)
{
    (void)s;
    (void)err;
    return REFQ_OK;
}

static void memory_close(refq_store *s)
{
    memory_store *m = (memory_store *)s;
    rqi_skip_node *node = NULL;
    while ((node = rqi_skip_next(&m->entries, NULL)) != NULL) {
        drop(m, node);
    }
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

static const refq_store_ops ops = {
    .struct_size = sizeof ops,
    .name = "memory",
    .capabilities = REFQ_STORE_OPAQUE,
    .get = memory_get,
    .set = memory_set,
    .remove = memory_remove,
    .exists = memory_exists,
    .scan = memory_scan,
    .stat = memory_stat,
    .ping = memory_ping,
    .close = memory_close,
};

refq_err rqi_store_memory_open(const refq_store_options *o, const char *where, refq_store **ret,
                               refq_error *err)
{
    if (where[0] != '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "'memory:' stands alone; '%.60s' after it means nothing", where);
    }
    refq_err rc = rqi_rand_init(err);
    if (rc != REFQ_OK) {
        return rc;
    }
    memory_store *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return rqi_store_no_memory(err);
    }
    m->pub.ops = &ops;
    m->max_bytes = o->max_bytes != 0 ? o->max_bytes : MAX_BYTES;
    (void)pthread_mutex_init(&m->lock, NULL);
    *ret = &m->pub;
    return REFQ_OK;
}
