/* SPDX-License-Identifier: MIT */
/* The store as a whole: its table, its numbers, other handles on it. */
#include "contract.h"

#include <string.h>

static void it_says_what_it_is(rqi_ct *ct)
{
    const refq_store_ops *ops = ct->store->ops;
    CT_CHECK(ct, ops->struct_size >= sizeof(size_t), "its table has no size");
    CT_CHECK(ct, refq_store_name(ct->store) != NULL && refq_store_name(ct->store)[0] != '\0',
             "it has no name");
    CT_CHECK(ct,
             ops->get != NULL && ops->set != NULL && ops->remove != NULL && ops->scan != NULL &&
                 ops->ping != NULL && ops->close != NULL,
             "an operation that every store has is missing");
    CT_OK(ct, refq_store_ping(ct->store, &ct->err));
    refq_store_close(NULL);
}

static void it_counts(rqi_ct *ct)
{
    refq_store_stat before = {.struct_size = sizeof before};
    refq_store_stat after = {.struct_size = sizeof after};
    refq_err rc = refq_store_count(ct->store, &before, &ct->err);
    if (rc == REFQ_ERR_UNSUPPORTED) {
        return;
    }
    CT_CHECK(ct, rc == REFQ_OK, "%s", ct->err.text);
    rqi_ct_put(ct, rqi_ct_id(ct, "a"), rqi_ct_entry(ct, "1", 0), 0);
    rqi_ct_put(ct, rqi_ct_id(ct, "b"), rqi_ct_entry(ct, "1", 0), 0);
    CT_OK(ct, refq_store_count(ct->store, &after, &ct->err));
    CT_CHECK(ct, after.partial || after.entries >= 2, "it counts %lld", (long long)after.entries);
    CT_CHECK(ct, after.bytes == -1 || after.bytes > 0, "it has %lld bytes", (long long)after.bytes);
}

static void handles_share_entries(rqi_ct *ct)
{
    refq_store *other = rqi_ct_other_store(ct);
    const char *id = rqi_ct_id(ct, "x");
    bool there = false;
    bool gone = true;
    rqi_ct_put(ct, id, rqi_ct_entry(ct, "1", 0), 0);
    refq_err rc = refq_store_exists(other, id, &there, &ct->err);
    if (rc == REFQ_OK) {
        rc = refq_store_delete(other, id, NULL, &ct->err);
    }
    refq_store_close(other);
    CT_CHECK(ct, rc == REFQ_OK, "%s", ct->err.text);
    gone = !rqi_ct_there(ct, id);
    CT_CHECK(ct, there && gone, "the handles see different entries");
}

static void entries_outlive_handles(rqi_ct *ct)
{
    const char *id = rqi_ct_id(ct, "x");
    const char *text = rqi_ct_entry(ct, "\"\\u00e9\"", 0);
    rqi_ct_put(ct, id, text, 0);
    refq_store_close(ct->store);
    ct->store = NULL;
    ct->store = rqi_ct_other_store(ct);
    CT_CHECK(ct, strcmp(rqi_ct_text(ct, id), text) == 0, "it is another one now");
}

const rqi_ct_case rqi_ct_cases_store_whole[] = {
    {"whole.it_says_what_it_is", it_says_what_it_is, 0, 0},
    {"whole.it_counts", it_counts, 0, 0},
    {"whole.handles_share_entries", handles_share_entries, REFQ_STORE_SHARED, 0},
    {"whole.entries_outlive_handles", entries_outlive_handles, REFQ_STORE_DURABLE, 0},
    {0},
};
