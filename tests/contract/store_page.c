/* SPDX-License-Identifier: MIT */
/* Lists: complete, of one cache, in pages, while everything changes. */
#include "contract.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STABLE 300

static void put_numbered(rqi_ct *ct, const char *kind, int n)
{
    const char *text = rqi_ct_entry(ct, "1", 0);
    for (int i = 0; i < n; i++) {
        char tail[32];
        (void)snprintf(tail, sizeof tail, "%s%05x", kind, (unsigned)i);
        rqi_ct_put(ct, rqi_ct_id(ct, tail), text, 0);
    }
}

static void an_empty_cache_has_none(rqi_ct *ct)
{
    CT_CHECK(ct, rqi_ct_count(ct, NULL, 0) == 0, "there is something in an empty cache");
}

static void pages_of_any_size_hold_all(rqi_ct *ct)
{
    const unsigned limits[] = {1, 7, 100, 0, 1000};
    put_numbered(ct, "x", STABLE);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        size_t n = rqi_ct_count(ct, NULL, limits[i]);
        CT_CHECK(ct, n == STABLE, "%zu of %d with a limit of %u", n, STABLE, limits[i]);
    }
}

/* Removes what the test has put into caches of other names. */
static void drop_others(rqi_ct *ct, const char *const *ids, size_t n)
{
    CT_OK(ct, refq_store_delete_many(ct->store, ids, n, NULL, &ct->err));
}

static const char *joined(rqi_ct *ct, const char *a, const char *b)
{
    size_t size = strlen(a) + strlen(b) + 1;
    char *text = rqi_ct_own_text(ct, malloc(size));
    CT_CHECK(ct, text != NULL, "out of memory");
    (void)snprintf(text, size, "%s%s", a, b);
    return text;
}

static void names_that_begin_alike_are_kept_apart(rqi_ct *ct)
{
    const char *others[] = {joined(ct, ct->cache, "x:1"), joined(ct, ct->cache, ":sub:1"),
                            joined(ct, ct->cache, "-:1"), joined(ct, ct->cache, "::1"),
                            joined(ct, ct->cache, "")};
    enum { N = sizeof others / sizeof others[0] };
    rqi_ct_put(ct, rqi_ct_id(ct, "1"), rqi_ct_entry(ct, "1", 0), 0);
    for (int i = 0; i < N; i++) {
        rqi_ct_put(ct, others[i], rqi_ct_entry(ct, "2", 0), 0);
    }
    size_t own = rqi_ct_count(ct, NULL, 0);
    size_t sub = rqi_ct_count(ct, joined(ct, ct->cache, ":sub"), 0);
    size_t removed = 0;
    CT_OK(ct, refq_store_clear(ct->store, ct->cache, &removed, &ct->err));
    size_t left = 0;
    for (int i = 0; i < N; i++) {
        left += rqi_ct_there(ct, others[i]);
    }
    drop_others(ct, others, N);
    CT_CHECK(ct, own == 1 && sub == 1, "%zu in the cache, %zu in the one below", own, sub);
    CT_CHECK(ct, removed == 1 && left == N, "%zu removed, %zu of the others left", removed, left);
}

/* What patterns of shells, SQL and Redis would understand. */
static void names_are_no_patterns(rqi_ct *ct)
{
    static const char *const kinds[] = {"*", "?", "[a-z]", "\\", "%", "_", "'", "^", "-", "{a}"};
    enum { N = sizeof kinds / sizeof kinds[0] };
    const char *ids[N];
    const char *names[N];
    size_t found[N];
    for (int i = 0; i < N; i++) {
        names[i] = joined(ct, ct->cache, kinds[i]);
        ids[i] = joined(ct, names[i], ":1");
        rqi_ct_put(ct, ids[i], rqi_ct_entry(ct, "1", 0), 0);
    }
    rqi_ct_put(ct, rqi_ct_id(ct, "1"), rqi_ct_entry(ct, "1", 0), 0);
    for (int i = 0; i < N; i++) {
        found[i] = rqi_ct_count(ct, names[i], 0);
    }
    drop_others(ct, ids, N);
    for (int i = 0; i < N; i++) {
        CT_CHECK(ct, found[i] == 1, "%zu in the cache named %s", found[i], names[i]);
    }
}

/* Each at least once: one that others make move may be on two pages. */
static void pages_bring_texts_along(rqi_ct *ct)
{
    enum { N = 50 };
    refq_store_page page = {0};
    const char *text = rqi_ct_entry(ct, "[\"t\"]", 0);
    bool seen[N] = {false};
    size_t wrong = 0;
    size_t n = 0;
    char next[512] = "";
    for (int i = 0; i < N; i++) {
        char tail[16];
        (void)snprintf(tail, sizeof tail, "%d", i);
        rqi_ct_put(ct, rqi_ct_id(ct, tail), text, 0);
    }
    do {
        refq_store_query q = {
            .struct_size = sizeof q, .name = ct->cache, .cursor = next, .texts = true, .limit = 20};
        CT_OK(ct, refq_store_scan(ct->store, &q, &page, &ct->err));
        for (size_t i = 0; i < page.n; i++) {
            const refq_store_item *item = &page.items[i];
            seen[strtoul(strrchr(item->ref_id, ':') + 1, NULL, 10) % N] = true;
            wrong +=
                item->text == NULL || strcmp(item->text, text) != 0 || item->len != strlen(text);
        }
        (void)snprintf(next, sizeof next, "%s", page.next);
        refq_store_page_free(&page);
    } while (next[0] != '\0');
    for (int i = 0; i < N; i++) {
        n += seen[i];
    }
    CT_CHECK(ct, wrong == 0 && n == N, "%zu of %d entries, %zu without their text", n, N, wrong);
}

static void a_page_is_bounded_in_bytes(rqi_ct *ct)
{
    enum { N = 6 };
    const size_t size = REFQ_STORE_PAGE_BYTES / 4;
    char *value = malloc(size + 1);
    CT_CHECK(ct, value != NULL, "out of memory");
    memset(value, 'x', size);
    value[0] = value[size - 1] = '"';
    value[size] = '\0';
    const char *text = rqi_ct_entry(ct, value, 0);
    free(value);
    for (int i = 0; i < N; i++) {
        rqi_ct_put(ct, rqi_ct_id(ct, (const char[]){(char)('a' + i), '\0'}), text, 0);
    }
    size_t all = 0;
    size_t most = 0;
    char next[512] = "";
    do {
        refq_store_page page = {0};
        size_t bytes = 0;
        refq_store_query q = {.struct_size = sizeof q,
                              .name = ct->cache,
                              .cursor = next,
                              .texts = true,
                              .limit = 1000};
        CT_OK(ct, refq_store_scan(ct->store, &q, &page, &ct->err));
        for (size_t i = 0; i < page.n; i++) {
            bytes += page.items[i].text != NULL ? page.items[i].len : 0;
        }
        all += page.n;
        most = bytes > most ? bytes : most;
        (void)snprintf(next, sizeof next, "%s", page.next);
        refq_store_page_free(&page);
    } while (next[0] != '\0');
    CT_CHECK(ct, all == N, "%zu of %d are listed", all, N);
    CT_CHECK(ct, most <= REFQ_STORE_PAGE_BYTES, "a page of %zu bytes", most);
}

/* --- While it changes ------------------------------------------------------------------------- */

struct changer {
    rqi_ct *ct;
    const char *text;
    atomic_bool stop;
    unsigned changes;
};

static void *change(void *arg)
{
    struct changer *c = arg;
    while (!atomic_load(&c->stop)) {
        char id[128];
        refq_bytes text = {c->text, strlen(c->text)};
        unsigned i = c->changes++ % 500;
        (void)snprintf(id, sizeof id, "%s:%c%05x", c->ct->cache, "awz"[i % 3], i);
        if (c->changes / 500 % 2 == 0) {
            (void)!refq_store_set(c->ct->store, id, text, 0, 0, NULL);
        } else {
            (void)!refq_store_delete(c->ct->store, id, NULL, NULL);
        }
    }
    return NULL;
}

/* Of the entries that are there all the time; each counts once. */
static size_t count_stable(rqi_ct *ct)
{
    static bool seen[STABLE];
    memset(seen, 0, sizeof seen);
    size_t n = 0;
    char next[512] = "";
    do {
        refq_store_page page = {0};
        refq_store_query q = {
            .struct_size = sizeof q, .name = ct->cache, .cursor = next, .limit = 20};
        if (refq_store_scan(ct->store, &q, &page, &ct->err) != REFQ_OK) {
            return 0;
        }
        for (size_t i = 0; i < page.n; i++) {
            const char *tail = page.items[i].ref_id + strlen(ct->cache) + 1;
            unsigned long k = tail[0] == 'x' ? strtoul(tail + 1, NULL, 16) : STABLE;
            n += k < STABLE && !seen[k];
            if (k < STABLE) {
                seen[k] = true;
            }
        }
        (void)snprintf(next, sizeof next, "%s", page.next);
        refq_store_page_free(&page);
    } while (next[0] != '\0');
    return n;
}

static void lists_are_complete_while_others_change(rqi_ct *ct)
{
    struct changer c = {.ct = ct, .text = rqi_ct_entry(ct, "1", 0)};
    pthread_t thread;
    size_t least = STABLE;
    put_numbered(ct, "x", STABLE);
    CT_CHECK(ct, pthread_create(&thread, NULL, change, &c) == 0, "cannot start a thread");
    for (int i = 0; i < 10 && least == STABLE; i++) {
        size_t n = count_stable(ct);
        least = n < least ? n : least;
    }
    atomic_store(&c.stop, true);
    (void)pthread_join(thread, NULL);
    CT_CHECK(ct, least == STABLE, "%zu of %d that were there all the time (%s)", least, STABLE,
             ct->err.text);
}

static void clear_takes_one_cache_and_counts(rqi_ct *ct)
{
    size_t n = 0;
    put_numbered(ct, "x", STABLE);
    CT_OK(ct, refq_store_clear(ct->store, ct->cache, &n, &ct->err));
    CT_CHECK(ct, n == STABLE, "%zu were removed", n);
    CT_CHECK(ct, rqi_ct_count(ct, NULL, 0) == 0, "some are left");
    CT_OK(ct, refq_store_clear(ct->store, ct->cache, &n, &ct->err));
    CT_CHECK(ct, n == 0, "%zu were removed of nothing", n);
}

const rqi_ct_case rqi_ct_cases_store_page[] = {
    {"page.an_empty_cache_has_none", an_empty_cache_has_none, 0, 0},
    {"page.pages_of_any_size_hold_all", pages_of_any_size_hold_all, 0, 0},
    {"page.names_that_begin_alike_are_kept_apart", names_that_begin_alike_are_kept_apart, 0, 0},
    {"page.names_are_no_patterns", names_are_no_patterns, 0, 0},
    {"page.pages_bring_texts_along", pages_bring_texts_along, 0, 0},
    {"page.a_page_is_bounded_in_bytes", a_page_is_bounded_in_bytes, 0, 0},
    {"page.lists_are_complete_while_others_change", lists_are_complete_while_others_change, 0, 0},
    {"page.clear_takes_one_cache_and_counts", clear_takes_one_cache_and_counts, 0, 0},
    {0},
};
