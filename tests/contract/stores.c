/* SPDX-License-Identifier: MIT */
/* The suite of stores: what each of its tests begins and ends with, and does again and again. */
#include "contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const rqi_ct_case *const groups[] = {
    rqi_ct_cases_store_entry, rqi_ct_cases_store_bounds, rqi_ct_cases_store_many,
    rqi_ct_cases_store_page,  rqi_ct_cases_store_whole,
};

static const rqi_ct_capability capabilities[] = {
    {REFQ_STORE_DURABLE, "durable"},
    {REFQ_STORE_SHARED, "shared"},
    {REFQ_STORE_OPAQUE, "opaque"},
    {0, NULL},
};

static refq_err begin(rqi_ct *ct, refq_error *err)
{
    refq_ref ref;
    refq_err rc = refq_ref_make("contract", &ref, err);
    if (rc == REFQ_OK) {
        (void)snprintf(ct->cache, sizeof ct->cache, "contract-%s", ref.hex);
        rc = ct->stores->open(ct->stores->arg, &ct->store, err);
    }
    if (rc == REFQ_OK) {
        ct->capabilities = refq_store_capabilities(ct->store);
    }
    return rc;
}

static void end(rqi_ct *ct)
{
    refq_error err = {0};
    if (ct->store != NULL && refq_store_clear(ct->store, ct->cache, NULL, &err) != REFQ_OK &&
        ct->failure[0] == '\0') {
        (void)snprintf(ct->failure, sizeof ct->failure, "cannot be cleared: %s", err.text);
    }
    refq_store_close(ct->store);
}

static const rqi_ct_suite suite = {
    .thing = "store",
    .groups = groups,
    .groups_n = sizeof groups / sizeof groups[0],
    .begin = begin,
    .end = end,
    .capabilities = capabilities,
};

int refq_contract_store_run(const refq_contract_store *subject,
                            const refq_contract_options *options)
{
    const rqi_ct like = {.suite = &suite, .stores = subject};
    return rqi_ct_run(&like, subject->name, options);
}

int refq_contract_store_main(const refq_contract_store *subject, int argc, char **argv)
{
    const rqi_ct like = {.suite = &suite, .stores = subject};
    return rqi_ct_main(&like, subject->name, argc, argv);
}

/* --- Entries ---------------------------------------------------------------------------------- */

static char *allocate(rqi_ct *ct, size_t size)
{
    char *text = malloc(size);
    CT_CHECK(ct, text != NULL, "out of memory");
    return rqi_ct_own_text(ct, text);
}

const char *rqi_ct_id(rqi_ct *ct, const char *tail)
{
    size_t size = strlen(ct->cache) + strlen(tail) + 2;
    char *id = allocate(ct, size);
    (void)snprintf(id, size, "%s:%s", ct->cache, tail);
    return id;
}

/* Halves of seconds have one spelling only. */
const char *rqi_ct_entry(rqi_ct *ct, const char *value, int ttl_s)
{
    size_t size = strlen(value) + 512;
    char *text = allocate(ct, size);
    char expires[32] = "null";
    if (ttl_s != 0) {
        (void)snprintf(expires, sizeof expires, "%" PRId64 ".5", (int64_t)time(NULL) + ttl_s);
    }
    (void)snprintf(text, size,
                   "{\"value\": %s, \"namespace\": \"user:alice\", \"policy\": "
                   "{\"user_permissions\": 31, \"agent_permissions\": 17, \"owner\": null, "
                   "\"owner_permissions\": 31, \"allowed_actors\": null, \"denied_actors\": null, "
                   "\"bound_session\": null}, \"created_at\": 1795328728.5, \"expires_at\": %s, "
                   "\"metadata\": {\"tool_name\": \"tool\", \"total_items\": 5}}",
                   value, expires);
    return text;
}

void rqi_ct_put(rqi_ct *ct, const char *ref_id, const char *text, int ttl_s)
{
    refq_bytes bytes = {text, strlen(text)};
    CT_OK(ct, refq_store_set(ct->store, ref_id, bytes, (int64_t)ttl_s * 1000, 0, &ct->err));
}

const char *rqi_ct_text(rqi_ct *ct, const char *ref_id)
{
    char *text = NULL;
    size_t len = 0;
    CT_OK(ct, refq_store_get(ct->store, ref_id, &text, &len, &ct->err));
    (void)rqi_ct_own_text(ct, text);
    CT_CHECK(ct, text[len] == '\0', "the text of %s is not terminated", ref_id);
    return text;
}

bool rqi_ct_there(rqi_ct *ct, const char *ref_id)
{
    bool there = false;
    CT_OK(ct, refq_store_exists(ct->store, ref_id, &there, &ct->err));
    return there;
}

refq_store *rqi_ct_other_store(rqi_ct *ct)
{
    refq_store *store = NULL;
    CT_OK(ct, ct->stores->open(ct->stores->arg, &store, &ct->err));
    return store;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t rqi_ct_count(rqi_ct *ct, const char *name, unsigned limit)
{
    static char *seen[65536];
    size_t n = 0;
    refq_store_page page = {0};
    char next[512] = "";
    do {
        refq_store_query q = {.struct_size = sizeof q,
                              .name = name != NULL ? name : ct->cache,
                              .cursor = next,
                              .limit = limit};
        CT_OK(ct, refq_store_scan(ct->store, &q, &page, &ct->err));
        for (size_t i = 0; i < page.n && n < sizeof seen / sizeof seen[0]; i++) {
            seen[n++] = rqi_ct_own_text(ct, page.items[i].ref_id);
            page.items[i].ref_id = NULL;
        }
        (void)snprintf(next, sizeof next, "%s", page.next);
        refq_store_page_free(&page);
    } while (next[0] != '\0');
    qsort(seen, n, sizeof seen[0], by_text);
    size_t different = n > 0;
    for (size_t i = 1; i < n; i++) {
        different += strcmp(seen[i - 1], seen[i]) != 0;
    }
    return different;
}
