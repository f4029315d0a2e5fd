/* SPDX-License-Identifier: MIT */
/* One entry: set, got, replaced, deleted, expired. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void what_was_set_comes_back(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "0123456789abcdef");
    const char *text = rqi_ct_entry(ct, "{\"a\": [1, 2.50, \"x\"]}", 0);
    rqi_ct_put(ct, id, text, 0);
    const char *got = rqi_ct_text(ct, id);
    CT_CHECK(ct, strcmp(got, text) == 0, "%s became %s", text, got);
}

static void what_is_not_there_is_not_found(rqi_ct *ct)
{
    char *text = NULL;
    bool there = true;
    CT_REFUSED(ct, refq_store_get(ct->store, rqi_ct_id(ct, "no"), &text, NULL, &ct->err),
               REFQ_ERR_NOTFOUND);
    CT_CHECK(ct, text == NULL, "a text was handed out");
    CT_OK(ct, refq_store_exists(ct->store, rqi_ct_id(ct, "no"), &there, &ct->err));
    CT_CHECK(ct, !there, "it is said to exist");
    CT_OK(ct, refq_store_delete(ct->store, rqi_ct_id(ct, "no"), &there, &ct->err));
    CT_CHECK(ct, !there, "it is said to have been deleted");
}

static void values_come_back_as_they_were(rqi_ct *ct)
{
    static const char *const values[] = {
        "null",
        "true",
        "\"\"",
        "-0",
        "1180591620717411303424",
        "-1e-400",
        "1E+2",
        "0.10",
        "NaN",
        "[Infinity, -Infinity]",
        "\"\\ud800 \\udc00 \\u0000 \\u00e9 \\/ \\\" \\\\ \\n\"",
        "\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xc2\x80 \xef\xbf\xbf\"",
        "{ \"b\" : 1 ,\n\t\"a\":[ ] }",
        "{\"a\": 1, \"a\": 2, \"\": {\"value\": \"}\"}, \"namespace\": \"public\"}",
        "\"', ''; DROP TABLE cache_entries; --\"",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const char *id = rqi_ct_id(ct, "value");
        const char *text = rqi_ct_entry(ct, values[i], 0);
        rqi_ct_put(ct, id, text, 0);
        const char *got = rqi_ct_text(ct, id);
        CT_CHECK(ct, strcmp(got, text) == 0, "%s became %s", text, got);
    }
}

static void any_name_can_be_one(rqi_ct *ct)
{
    static const char *const tails[] = {
        "a",
        ":",
        "a:b:c",
        " ",
        "*?[a-z]\\",
        "%d%s'\"\\",
        "{x}",
        "\n\t\x01\x7f",
        "h\xc3\xa9\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "UPPER",
        "upper",
        "a\\",
        "[",
        "-",
    };
    enum { N = sizeof tails / sizeof tails[0] };
    for (size_t i = 0; i < N; i++) {
        char value[32];
        (void)snprintf(value, sizeof value, "%zu", i);
        rqi_ct_put(ct, rqi_ct_id(ct, tails[i]), rqi_ct_entry(ct, value, 0), 0);
    }
    for (size_t i = 0; i < N; i++) {
        char value[32];
        (void)snprintf(value, sizeof value, "%zu", i);
        const char *id = rqi_ct_id(ct, tails[i]);
        CT_CHECK(ct, strcmp(rqi_ct_text(ct, id), rqi_ct_entry(ct, value, 0)) == 0,
                 "'%s' has another's entry", id);
        bool there = false;
        CT_OK(ct, refq_store_delete(ct->store, id, &there, &ct->err));
        CT_CHECK(ct, there && !rqi_ct_there(ct, id), "'%s' was not deleted", id);
    }
}

static void a_later_set_replaces_it(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "x");
    rqi_ct_put(ct, id, rqi_ct_entry(ct, "1", 0), 0);
    rqi_ct_put(ct, id, rqi_ct_entry(ct, "[\"something longer\"]", 0), 0);
    CT_CHECK(ct, strstr(rqi_ct_text(ct, id), "something longer") != NULL, "it is the old one");
    CT_CHECK(ct, rqi_ct_count(ct, NULL, 0) == 1, "there are two");
}

static void delete_says_whether_there_was_one(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "x");
    bool there = false;
    rqi_ct_put(ct, id, rqi_ct_entry(ct, "1", 0), 0);
    CT_CHECK(ct, rqi_ct_there(ct, id), "it does not exist");
    CT_OK(ct, refq_store_delete(ct->store, id, &there, &ct->err));
    CT_CHECK(ct, there && !rqi_ct_there(ct, id), "it was not deleted");
    CT_OK(ct, refq_store_delete(ct->store, id, &there, &ct->err));
    CT_CHECK(ct, !there, "it was deleted twice");
    CT_OK(ct, refq_store_delete(ct->store, id, NULL, &ct->err));
}

static bool is_gone(rqi_ct *ct, const char *id)
{
    char *text = NULL;
    refq_err rc = refq_store_get(ct->store, id, &text, NULL, &ct->err);
    free(text);
    return rc == REFQ_ERR_NOTFOUND;
}

static void it_ends_with_its_life(rqi_ct *ct)
{
    const char *brief = rqi_ct_id(ct, "brief");
    const char *lasting = rqi_ct_id(ct, "lasting");
    const char *eternal = rqi_ct_id(ct, "eternal");
    rqi_ct_put(ct, brief, rqi_ct_entry(ct, "1", 1), 1);
    rqi_ct_put(ct, lasting, rqi_ct_entry(ct, "2", 3600), 3600);
    rqi_ct_put(ct, eternal, rqi_ct_entry(ct, "3", 0), 0);
    CT_UNTIL(ct, is_gone(ct, brief));
    bool there = true;
    CT_CHECK(ct, !rqi_ct_there(ct, brief), "it exists without being found");
    CT_OK(ct, refq_store_delete(ct->store, brief, &there, &ct->err));
    CT_CHECK(ct, !there, "it was deleted after its end");
    CT_CHECK(ct, rqi_ct_count(ct, NULL, 0) == 2, "%zu are listed, not the two that last",
             rqi_ct_count(ct, NULL, 0));
    CT_CHECK(ct, rqi_ct_there(ct, lasting) && rqi_ct_there(ct, eternal), "another ended, too");
}

static void it_is_there_while_it_lives(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "x");
    int64_t end = rqi_ct_now_ms() + 1000; /* the entry's own end comes 500 ms later at the latest */
    rqi_ct_put(ct, id, rqi_ct_entry(ct, "1", 3), 3);
    while (rqi_ct_now_ms() < end) {
        CT_CHECK(ct, rqi_ct_there(ct, id), "it ended before its time");
        rqi_ct_nap();
    }
}

static void a_new_life_replaces_the_old(rqi_ct *ct)
{
    const char *witness = rqi_ct_id(ct, "witness");
    const char *renewed = rqi_ct_id(ct, "renewed");
    const char *cut = rqi_ct_id(ct, "cut");
    rqi_ct_put(ct, renewed, rqi_ct_entry(ct, "1", 1), 1);
    rqi_ct_put(ct, renewed, rqi_ct_entry(ct, "2", 0), 0);
    rqi_ct_put(ct, cut, rqi_ct_entry(ct, "1", 0), 0);
    rqi_ct_put(ct, cut, rqi_ct_entry(ct, "2", 1), 1);
    rqi_ct_put(ct, witness, rqi_ct_entry(ct, "3", 1), 1);
    CT_UNTIL(ct, is_gone(ct, witness));
    CT_UNTIL(ct, is_gone(ct, cut));
    CT_CHECK(ct, rqi_ct_there(ct, renewed), "it ended with its first life");
}

static refq_err set_if_absent(rqi_ct *ct, const char *id, const char *text, int ttl_s)
{
    return refq_store_set(ct->store, id, (refq_bytes){text, strlen(text)}, (int64_t)ttl_s * 1000,
                          REFQ_STORE_IF_ABSENT, &ct->err);
}

static void if_absent_keeps_what_is_there(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "x");
    CT_OK(ct, set_if_absent(ct, id, rqi_ct_entry(ct, "1", 0), 0));
    CT_REFUSED(ct, set_if_absent(ct, id, rqi_ct_entry(ct, "2", 0), 0), REFQ_ERR_CONFLICT);
    CT_CHECK(ct, strstr(rqi_ct_text(ct, id), "\"value\": 1,") != NULL, "it was replaced");
    CT_OK(ct, refq_store_delete(ct->store, id, NULL, &ct->err));
    CT_OK(ct, set_if_absent(ct, id, rqi_ct_entry(ct, "2", 0), 0));
}

static void what_has_ended_is_absent(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "x");
    CT_OK(ct, set_if_absent(ct, id, rqi_ct_entry(ct, "1", 1), 1));
    CT_UNTIL(ct, set_if_absent(ct, id, rqi_ct_entry(ct, "2", 0), 0) == REFQ_OK);
    CT_CHECK(ct, strstr(rqi_ct_text(ct, id), "\"value\": 2,") != NULL, "it was not stored");
}

static void any_bytes_come_back(rqi_ct *ct)
{
    char bytes[512];
    char *got = NULL;
    size_t len = 0;
    const char *id = rqi_ct_id(ct, "bytes");
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)i;
    }
    CT_OK(ct, refq_store_set(ct->store, id, (refq_bytes){bytes, sizeof bytes}, 0, 0, &ct->err));
    CT_OK(ct, refq_store_get(ct->store, id, &got, &len, &ct->err));
    (void)rqi_ct_own_text(ct, got);
    CT_CHECK(ct, len == sizeof bytes && memcmp(got, bytes, len) == 0, "%zu other bytes", len);
}

/* Nothing that others put there may break more than itself. */
static void what_others_spoil_harms_no_other(rqi_ct *ct)
{
    if (ct->stores->spoil == NULL) {
        return;
    }
    char *text = NULL;
    bool there = false;
    const char *bad = rqi_ct_id(ct, "bad");
    rqi_ct_put(ct, rqi_ct_id(ct, "good"), rqi_ct_entry(ct, "1", 0), 0);
    ct->stores->spoil(ct->stores->arg, bad);
    CT_REFUSED(ct, refq_store_get(ct->store, bad, &text, NULL, &ct->err), REFQ_ERR_PROTO);
    refq_store_query q = {.struct_size = sizeof q, .name = ct->cache, .limit = 1000, .texts = true};
    refq_store_page page = {0};
    size_t n = 0;
    size_t skipped = 0;
    char next[512] = "";
    do {
        q.cursor = next;
        CT_OK(ct, refq_store_scan(ct->store, &q, &page, &ct->err));
        n += page.n;
        skipped += page.skipped;
        (void)snprintf(next, sizeof next, "%s", page.next);
        refq_store_page_free(&page);
    } while (next[0] != '\0');
    CT_CHECK(ct, n == 1 && skipped == 1, "%zu are listed, %zu are skipped", n, skipped);
    refq_store_item items[2];
    const char *ids[] = {bad, rqi_ct_id(ct, "good")};
    CT_OK(ct, refq_store_get_many(ct->store, ids, 2, items, &ct->err));
    bool good = items[0].text == NULL && items[1].text != NULL;
    refq_store_items_free(items, 2);
    CT_CHECK(ct, good, "get_many does not tell them apart");
    CT_OK(ct, refq_store_delete(ct->store, bad, &there, &ct->err));
    CT_CHECK(ct, there, "it cannot be deleted");
    ct->stores->spoil(ct->stores->arg, bad);
    rqi_ct_put(ct, bad, rqi_ct_entry(ct, "2", 0), 0);
    CT_CHECK(ct, strstr(rqi_ct_text(ct, bad), "\"value\": 2,") != NULL, "it was not replaced");
}

const rqi_ct_case rqi_ct_cases_store_entry[] = {
    {"entry.what_was_set_comes_back", what_was_set_comes_back, 0, 0},
    {"entry.what_is_not_there_is_not_found", what_is_not_there_is_not_found, 0, 0},
    {"entry.values_come_back_as_they_were", values_come_back_as_they_were, 0, 0},
    {"entry.any_name_can_be_one", any_name_can_be_one, 0, 0},
    {"entry.a_later_set_replaces_it", a_later_set_replaces_it, 0, 0},
    {"entry.delete_says_whether_there_was_one", delete_says_whether_there_was_one, 0, 0},
    {"entry.it_ends_with_its_life", it_ends_with_its_life, 0, 0},
    {"entry.it_is_there_while_it_lives", it_is_there_while_it_lives, 0, 0},
    {"entry.a_new_life_replaces_the_old", a_new_life_replaces_the_old, 0, 0},
    {"entry.if_absent_keeps_what_is_there", if_absent_keeps_what_is_there, 0, 0},
    {"entry.what_has_ended_is_absent", what_has_ended_is_absent, 0, 0},
    {"entry.any_bytes_come_back", any_bytes_come_back, REFQ_STORE_OPAQUE, 0},
    {"entry.what_others_spoil_harms_no_other", what_others_spoil_harms_no_other, 0, 0},
    {0},
};
