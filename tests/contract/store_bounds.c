/* SPDX-License-Identifier: MIT */
/* What is too long, too large, too much, or nothing at all. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((size_t)1024 * 1024)

static void names_out_of_bounds_are_refused(rqi_ct *ct)
{
    char text[] = "{}";
    char *got = NULL;
    char long_name[REFQ_STORE_ID_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const bad[] = {NULL, "", long_name, "a:\xff", "a:\xc0\x80", "a:\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bool there = false;
        refq_store_item item;
        refq_bytes bytes = {text, 2};
        CT_REFUSED(ct, refq_store_get(ct->store, bad[i], &got, NULL, &ct->err), REFQ_ERR_INVALID);
        CT_REFUSED(ct, refq_store_get_many(ct->store, &bad[i], 1, &item, &ct->err),
                   REFQ_ERR_INVALID);
        CT_REFUSED(ct, refq_store_set(ct->store, bad[i], bytes, 0, 0, &ct->err), REFQ_ERR_INVALID);
        CT_REFUSED(ct, refq_store_delete(ct->store, bad[i], &there, &ct->err), REFQ_ERR_INVALID);
        CT_REFUSED(ct, refq_store_exists(ct->store, bad[i], &there, &ct->err), REFQ_ERR_INVALID);
    }
}

static void the_longest_name_is_taken(rqi_ct *ct)
{
    char tail[REFQ_STORE_ID_MAX + 1];
    size_t len = REFQ_STORE_ID_MAX - strlen(ct->cache) - 1;
    memset(tail, '*', len);
    tail[len] = '\0';
    const char *id = rqi_ct_id(ct, tail);
    rqi_ct_put(ct, id, rqi_ct_entry(ct, "1", 0), 0);
    CT_CHECK(ct, rqi_ct_there(ct, id), "it is not there");
    CT_CHECK(ct, rqi_ct_count(ct, NULL, 0) == 1, "it is not listed");
}

static void odd_calls_are_refused(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "x");
    const char *text = rqi_ct_entry(ct, "1", 0);
    refq_bytes bytes = {text, strlen(text)};
    CT_REFUSED(ct, refq_store_set(ct->store, id, (refq_bytes){0}, 0, 0, &ct->err),
               REFQ_ERR_INVALID);
    CT_REFUSED(ct, refq_store_set(ct->store, id, bytes, -1, 0, &ct->err), REFQ_ERR_INVALID);
    CT_REFUSED(ct, refq_store_set(ct->store, id, bytes, 0, 64, &ct->err), REFQ_ERR_INVALID);
    CT_REFUSED(ct, refq_store_set(ct->store, id, bytes, INT64_MAX, 0, &ct->err), REFQ_ERR_LIMIT);
    CT_CHECK(ct, !rqi_ct_there(ct, id), "it was stored nevertheless");
    CT_OK(ct, refq_store_set(ct->store, id, bytes, REFQ_STORE_TTL_MAX_MS, 0, &ct->err));
    CT_CHECK(ct, rqi_ct_there(ct, id), "the longest life is none");
}

/* A value of so many bytes, as JSON text; owned by the test. */
static const char *large_entry(rqi_ct *ct, size_t size, char fill)
{
    char *value = malloc(size + 1);
    CT_CHECK(ct, value != NULL, "out of memory");
    memset(value, fill, size);
    value[0] = value[size - 1] = '"';
    value[size] = '\0';
    const char *text = rqi_ct_entry(ct, value, 0);
    free(value);
    return text;
}

static void a_large_one_comes_back(rqi_ct *ct)
{
    const size_t sizes[] = {MIB - 500, MIB, 16 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *id = rqi_ct_id(ct, "large");
        const char *text = large_entry(ct, sizes[i], 'x');
        rqi_ct_put(ct, id, text, 0);
        CT_CHECK(ct, strcmp(rqi_ct_text(ct, id), text) == 0, "%zu bytes came back changed",
                 sizes[i]);
    }
}

/* Where programs tend to read pieces, every length counts. */
static void each_size_around_a_piece_comes_back(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "piece");
    size_t frame = strlen(rqi_ct_entry(ct, "", 0));
    for (size_t size = MIB - 2; size <= MIB + 2; size++) {
        const char *text = large_entry(ct, size - frame, 'y');
        CT_CHECK(ct, strlen(text) == size, "the test is wrong");
        rqi_ct_put(ct, id, text, 0);
        CT_CHECK(ct, strcmp(rqi_ct_text(ct, id), text) == 0, "%zu bytes came back changed", size);
    }
}

static void one_beyond_the_bound_is_refused(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "huge");
    char *text = calloc(1, REFQ_STORE_ENTRY_MAX + 1); /* never touched */
    CT_CHECK(ct, text != NULL, "out of memory");
    (void)rqi_ct_own_text(ct, text);
    refq_bytes bytes = {text, REFQ_STORE_ENTRY_MAX + 1};
    CT_REFUSED(ct, refq_store_set(ct->store, id, bytes, 0, 0, &ct->err), REFQ_ERR_LIMIT);
    CT_CHECK(ct, !rqi_ct_there(ct, id), "it was stored nevertheless");
}

static void more_than_so_many_are_refused(rqi_ct *ct)
{
    static const char *ids[REFQ_STORE_MANY_MAX + 1];
    static refq_store_item items[REFQ_STORE_MANY_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < REFQ_STORE_MANY_MAX + 1; i++) {
        ids[i] = "a:b";
    }
    CT_REFUSED(ct, refq_store_get_many(ct->store, ids, REFQ_STORE_MANY_MAX + 1, items, &ct->err),
               REFQ_ERR_LIMIT);
    CT_REFUSED(ct, refq_store_delete_many(ct->store, ids, REFQ_STORE_MANY_MAX + 1, &n, &ct->err),
               REFQ_ERR_LIMIT);
    CT_OK(ct, refq_store_get_many(ct->store, NULL, 0, NULL, &ct->err));
    CT_OK(ct, refq_store_delete_many(ct->store, NULL, 0, &n, &ct->err));
}

static void odd_pages_are_refused(rqi_ct *ct)
{
    refq_store_page page = {0};
    char name[REFQ_STORE_ID_MAX + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    refq_store_query q = {.struct_size = sizeof q, .limit = 1001};
    CT_REFUSED(ct, refq_store_scan(ct->store, &q, &page, &ct->err), REFQ_ERR_LIMIT);
    const char *const bad[] = {"", name, "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        q = (refq_store_query){.struct_size = sizeof q, .name = bad[i]};
        CT_REFUSED(ct, refq_store_scan(ct->store, &q, &page, &ct->err), REFQ_ERR_INVALID);
    }
}

const rqi_ct_case rqi_ct_cases_store_bounds[] = {
    {"bounds.names_out_of_bounds_are_refused", names_out_of_bounds_are_refused, 0, 0},
    {"bounds.the_longest_name_is_taken", the_longest_name_is_taken, 0, 0},
    {"bounds.odd_calls_are_refused", odd_calls_are_refused, 0, 0},
    {"bounds.a_large_one_comes_back", a_large_one_comes_back, 0, 0},
    {"bounds.each_size_around_a_piece_comes_back", each_size_around_a_piece_comes_back, 0, 0},
    {"bounds.one_beyond_the_bound_is_refused", one_beyond_the_bound_is_refused, 0, 0},
    {"bounds.more_than_so_many_are_refused", more_than_so_many_are_refused, 0, 0},
    {"bounds.odd_pages_are_refused", odd_pages_are_refused, 0, 0},
    {0},
};
