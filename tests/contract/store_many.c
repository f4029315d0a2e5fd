/* SPDX-License-Identifier: MIT */
/* Many entries, and many who use them at the same time. */
#include "contract.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITERS 10
#define EACH    50

static void many_are_got_at_once(rqi_ct *ct)
{
    enum { N = 450 };
    static const char *ids[N];
    static refq_store_item items[N];
    for (int i = 0; i < N; i++) {
        char tail[16];
        (void)snprintf(tail, sizeof tail, "%03x", (unsigned)i);
        ids[i] = rqi_ct_id(ct, tail);
        if (i % 3 != 0) {
            (void)snprintf(tail, sizeof tail, "%d", i);
            rqi_ct_put(ct, ids[i], rqi_ct_entry(ct, tail, 0), 0);
        }
    }
    CT_OK(ct, refq_store_get_many(ct->store, ids, N, items, &ct->err));
    const char *wrong = NULL;
    for (int i = 0; i < N && wrong == NULL; i++) {
        char tail[16];
        (void)snprintf(tail, sizeof tail, "%d", i);
        const char *want = i % 3 != 0 ? rqi_ct_entry(ct, tail, 0) : NULL;
        bool same = want == NULL ? items[i].text == NULL
                                 : items[i].text != NULL && strcmp(items[i].text, want) == 0 &&
                                       items[i].len == strlen(want);
        wrong = same ? NULL : ids[i];
    }
    refq_store_items_free(items, N);
    CT_CHECK(ct, wrong == NULL, "%s is not what it was", wrong);
}

static void one_may_be_asked_for_twice(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "x");
    const char *ids[] = {id, rqi_ct_id(ct, "no"), id};
    refq_store_item items[3];
    rqi_ct_put(ct, id, rqi_ct_entry(ct, "1", 0), 0);
    CT_OK(ct, refq_store_get_many(ct->store, ids, 3, items, &ct->err));
    bool good = items[0].text != NULL && items[1].text == NULL && items[2].text != NULL &&
                items[0].text != items[2].text;
    refq_store_items_free(items, 3);
    CT_CHECK(ct, good, "not what was asked for");
}

static void many_are_deleted_at_once(rqi_ct *ct)
{
    size_t n = 0;
    const char *ids[] = {rqi_ct_id(ct, "a"), rqi_ct_id(ct, "b"), rqi_ct_id(ct, "no")};
    rqi_ct_put(ct, ids[0], rqi_ct_entry(ct, "1", 0), 0);
    rqi_ct_put(ct, ids[1], rqi_ct_entry(ct, "1", 0), 0);
    rqi_ct_put(ct, rqi_ct_id(ct, "c"), rqi_ct_entry(ct, "1", 0), 0);
    CT_OK(ct, refq_store_delete_many(ct->store, ids, 3, &n, &ct->err));
    CT_CHECK(ct, n == 2, "%zu were deleted", n);
    CT_CHECK(ct, rqi_ct_count(ct, NULL, 0) == 1, "the wrong ones are gone");
}

/* --- Threads ---------------------------------------------------------------------------------- */

struct writer {
    rqi_ct *ct;
    refq_store *store;
    int number;
    int wins;
    const char *text;
    refq_error err;
    bool failed;
};

static void *write_fifty(void *arg)
{
    struct writer *w = arg;
    for (int i = 0; i < EACH && !w->failed; i++) {
        char id[128];
        (void)snprintf(id, sizeof id, "%s:%d-%d", w->ct->cache, w->number, i);
        refq_bytes text = {w->text, strlen(w->text)};
        w->failed = refq_store_set(w->store, id, text, 0, 0, &w->err) != REFQ_OK;
    }
    return NULL;
}

/* Runs `fn` on so many threads and waits for all of them. */
static void run_writers(rqi_ct *ct, void *(*fn)(void *), struct writer *writers, int n)
{
    pthread_t threads[WRITERS];
    int started = 0;
    while (started < n && pthread_create(&threads[started], NULL, fn, &writers[started]) == 0) {
        started++;
    }
    for (int i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    CT_CHECK(ct, started == n, "cannot start threads");
    for (int i = 0; i < n; i++) {
        CT_CHECK(ct, !writers[i].failed, "writer %d: %s", i, writers[i].err.text);
    }
}

static void ten_writers_of_fifty_make_five_hundred(rqi_ct *ct)
{
    struct writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){
            .ct = ct, .store = ct->store, .number = i, .text = rqi_ct_entry(ct, "[1]", 0)};
    }
    run_writers(ct, write_fifty, writers, WRITERS);
    size_t n = rqi_ct_count(ct, NULL, 0);
    CT_CHECK(ct, n == WRITERS * EACH, "%zu entries", n);
}

static void ten_handles_of_fifty_make_five_hundred(rqi_ct *ct)
{
    struct writer writers[WRITERS];
    const char *text = rqi_ct_entry(ct, "[1]", 0);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] =
            (struct writer){.ct = ct, .store = rqi_ct_other_store(ct), .number = i, .text = text};
    }
    run_writers(ct, write_fifty, writers, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        refq_store_close(writers[i].store);
    }
    size_t n = rqi_ct_count(ct, NULL, 0);
    CT_CHECK(ct, n == WRITERS * EACH, "%zu entries", n);
}

static void *set_absent(void *arg)
{
    struct writer *w = arg;
    for (int i = 0; i < EACH && !w->failed; i++) {
        char id[128];
        (void)snprintf(id, sizeof id, "%s:%d", w->ct->cache, i);
        refq_bytes text = {w->text, strlen(w->text)};
        refq_err rc = refq_store_set(w->store, id, text, 0, REFQ_STORE_IF_ABSENT, &w->err);
        w->wins += rc == REFQ_OK;
        w->failed = rc != REFQ_OK && rc != REFQ_ERR_CONFLICT;
    }
    return NULL;
}

static void one_of_many_is_first(rqi_ct *ct)
{
    struct writer writers[WRITERS];
    int wins = 0;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){
            .ct = ct, .store = ct->store, .number = i, .text = rqi_ct_entry(ct, "1", 0)};
    }
    run_writers(ct, set_absent, writers, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        wins += writers[i].wins;
    }
    CT_CHECK(ct, wins == EACH, "%d were the first of %d", wins, EACH);
}

/* Writer 0 reads, the others replace: what is read is one of the texts that were written. */
static void *replace_or_read(void *arg)
{
    struct writer *w = arg;
    char id[128];
    (void)snprintf(id, sizeof id, "%s:shared", w->ct->cache);
    for (int i = 0; i < EACH * 4 && !w->failed; i++) {
        char *got = NULL;
        size_t len = 0;
        refq_bytes text = {w->text, strlen(w->text)};
        if (w->number != 0) {
            w->failed = refq_store_set(w->store, id, text, 0, 0, &w->err) != REFQ_OK;
            continue;
        }
        w->failed = refq_store_get(w->store, id, &got, &len, &w->err) != REFQ_OK;
        char digit = got != NULL ? got[strlen("{\"value\": \"")] : '?';
        for (size_t at = strlen("{\"value\": \""); got != NULL && got[at] != '"'; at++) {
            w->failed = w->failed || got[at] != digit;
        }
        free(got);
    }
    return NULL;
}

static void readers_see_whole_entries(rqi_ct *ct)
{
    struct writer writers[4];
    char value[4096];
    for (int i = 0; i < 4; i++) {
        memset(value, '0' + i, sizeof value);
        value[0] = '"';
        value[1000 + i * 900] = '"';
        value[1001 + i * 900] = '\0';
        writers[i] = (struct writer){
            .ct = ct, .store = ct->store, .number = i, .text = rqi_ct_entry(ct, value, 0)};
    }
    rqi_ct_put(ct, rqi_ct_id(ct, "shared"), writers[0].text, 0);
    run_writers(ct, replace_or_read, writers, 4);
}

const rqi_ct_case rqi_ct_cases_store_many[] = {
    {"many.are_got_at_once", many_are_got_at_once, 0, 0},
    {"many.one_may_be_asked_for_twice", one_may_be_asked_for_twice, 0, 0},
    {"many.are_deleted_at_once", many_are_deleted_at_once, 0, 0},
    {"many.ten_writers_of_fifty_make_five_hundred", ten_writers_of_fifty_make_five_hundred, 0, 0},
    {"many.ten_handles_of_fifty_make_five_hundred", ten_handles_of_fifty_make_five_hundred,
     REFQ_STORE_SHARED, 0},
    {"many.one_of_many_is_first", one_of_many_is_first, 0, 0},
    {"many.readers_see_whole_entries", readers_see_whole_entries, 0, 0},
    {0},
};
