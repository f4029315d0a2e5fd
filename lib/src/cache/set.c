/* SPDX-License-Identifier: MIT */
/* Storing a value under a new reference. */
#include "cache/cache.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rand.h"
#include "entry/compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REF_BYTES = 8 /* of randomness in a reference: 16 hex digits, as the format has it */ };

static refq_err check_value(const refq_cache *cache, const refq_cache_value *value,
                            const refq_actor *actor, refq_bytes *ret, refq_error *err)
{
    static const refq_actor nobody;
    const refq_actor *who = actor != NULL ? actor : &nobody;
    refq_policy open = refq_policy_preset(REFQ_POLICY_PUBLIC);
    const char *where = value->namespace_name != NULL ? value->namespace_name : "public";
    if (value->ttl_ms != REFQ_FOREVER &&
        (value->ttl_ms < 0 || value->ttl_ms > REFQ_STORE_TTL_MAX_MS)) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a time to live must be 1 ms to 100 years");
    }
    refq_err rc = refq_namespace_valid(where, err);
    rc = rc == REFQ_OK ? refq_access_check(&cache->access, who, &open, where, REFQ_WRITE, NULL, err)
                       : rc;
    refq_bytes text = {.ptr = value->json, .len = value->len};
    return rc == REFQ_OK ? rqi_scan_check(text, 0, ret, err) : rc;
}

static refq_err compose(const refq_cache *cache, const refq_cache_value *value, refq_bytes json,
                        int64_t ttl_ms, rqi_buf *out, refq_error *err)
{
    char *policy = NULL;
    refq_err rc = refq_policy_format(value->policy != NULL ? value->policy : cache->policy, &policy,
                                     NULL, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_scope scope = {.struct_size = sizeof scope, .namespace_name = value->namespace_name};
    rqi_entry entry = {.value = json,
                       .tool_name = value->tool_name,
                       .scope = &scope,
                       .policy = policy,
                       .created_at_ms = rqi_wall_ms(),
                       .ttl_ms = ttl_ms};
    rqi_entry_compose(&entry, out);
    free(policy);
    return out->err == REFQ_OK ? REFQ_OK : rqi_fail(err, out->err, "the value is too large");
}

static int64_t ttl_of(const refq_cache *cache, const refq_cache_value *value)
{
    if (value->ttl_ms == REFQ_FOREVER) {
        return 0;
    }
    return value->ttl_ms == 0 ? cache->ttl_ms : value->ttl_ms;
}

/* A reference that is taken (by chance, or because a lost reply made the store repeat it) is
 * replaced by another. */
static refq_err store(const refq_cache *cache, refq_bytes text, int64_t ttl_ms,
                      char ret_ref_id[REFQ_STORE_ID_MAX + 1], refq_error *err)
{
    char hex[2 * REF_BYTES + 1];
    char ref_id[REFQ_STORE_ID_MAX + 1];
    refq_err rc = REFQ_ERR_CONFLICT;
    for (int tries = 0; rc == REFQ_ERR_CONFLICT && tries < 3; tries++) {
        rqi_rand_hex(hex, REF_BYTES);
        (void)snprintf(ref_id, sizeof ref_id, "%s:%s", cache->name, hex);
        rc = refq_store_set(cache->store, ref_id, text, ttl_ms, REFQ_STORE_IF_ABSENT, err);
    }
    if (rc == REFQ_OK) {
        memcpy(ret_ref_id, ref_id, sizeof ref_id);
    }
    return rc;
}

refq_err refq_cache_set(refq_cache *cache, const refq_cache_value *value, const refq_actor *actor,
                        char ret_ref_id[REFQ_STORE_ID_MAX + 1], refq_error *err)
{
    refq_bytes json;
    rqi_buf text = {0};
    int64_t ttl_ms = ttl_of(cache, value);
    refq_err rc = rqi_rand_init(err);
    rc = rc == REFQ_OK ? check_value(cache, value, actor, &json, err) : rc;
    rc = rc == REFQ_OK ? compose(cache, value, json, ttl_ms, &text, err) : rc;
    rc = rc == REFQ_OK ? store(cache, rqi_buf_bytes(&text), ttl_ms, ret_ref_id, err) : rc;
    rqi_buf_done(&text);
    return rc;
}
