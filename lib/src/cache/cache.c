/* SPDX-License-Identifier: MIT */
/* Its beginning and end; entries of the store. */
#include "cache/cache.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TTL_DEFAULT_MS ((int64_t)3600 * 1000)

/* --- Its beginning and end -------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > REFQ_CACHE_NAME_MAX || !isalpha((unsigned char)name[0])) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-') {
            return false;
        }
    }
    return true;
}

static refq_err check_options(const refq_cache_options *o, refq_error *err)
{
    if (o->name != NULL && !is_name(o->name)) {
        return rqi_fail(
            err, REFQ_ERR_INVALID,
            "'%.64s' cannot be a cache's name: a letter, then letters, digits, - and _, "
            "at most %d bytes",
            o->name, REFQ_CACHE_NAME_MAX);
    }
    if (o->ttl_ms != REFQ_FOREVER && (o->ttl_ms < 0 || o->ttl_ms > REFQ_STORE_TTL_MAX_MS)) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "a time to live must be 1 ms to 100 years");
    }
    return REFQ_OK;
}

static refq_err fill(refq_cache *cache, const refq_cache_options *o, refq_error *err)
{
    refq_policy usual = refq_policy_preset(REFQ_POLICY_DEFAULT);
    const char *name = o->name != NULL ? o->name : "default";
    memcpy(cache->name, name, strlen(name) + 1);
    cache->client = o->client;
    cache->ttl_ms = o->ttl_ms == 0 ? TTL_DEFAULT_MS : o->ttl_ms;
    cache->ttl_ms = cache->ttl_ms == REFQ_FOREVER ? 0 : cache->ttl_ms;
    cache->log = o->log;
    cache->hide_errors = o->hide_errors;
    cache->preview = o->preview;
    cache->preview.struct_size = sizeof cache->preview;
    if (o->access != NULL) {
        cache->access = *o->access;
    }
    cache->access.struct_size = sizeof cache->access;
    return refq_policy_copy(o->policy != NULL ? o->policy : &usual, &cache->policy, err);
}

refq_err refq_cache_open(refq_store *store, const refq_cache_options *options,
                         refq_cache **ret_cache, refq_error *err)
{
    static const refq_cache_options none = {.struct_size = sizeof none};
    const refq_cache_options *o = options != NULL ? options : &none;
    refq_err rc = check_options(o, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    refq_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    cache->store = store;
    rc = fill(cache, o, err);
    if (rc != REFQ_OK) {
        refq_cache_close(cache);
        return rc;
    }
    *ret_cache = cache;
    return REFQ_OK;
}

void refq_cache_close(refq_cache *cache)
{
    if (cache != NULL) {
        refq_policy_free(cache->policy);
        free(cache);
    }
}

const char *refq_cache_name(const refq_cache *cache)
{
    return cache->name;
}

/* --- Entries ---------------------------------------------------------------------------------- */

void rqi_held_done(rqi_held *held)
{
    rqi_entry_view_done(&held->view);
    free(held->text);
    *held = (rqi_held){0};
}

refq_err rqi_cache_hidden(refq_error *err, const char *ref_id)
{
    return rqi_fail(err, REFQ_ERR_NOTFOUND, "Invalid or inaccessible reference: %.96s", ref_id);
}

/* What is no entry is as good as none for who asks, but not for who keeps the store. */
static refq_err refuse_entry(refq_cache *cache, const char *ref_id, const refq_error *why,
                             refq_error *err)
{
    char ref[REFQ_STORE_ID_MAX + 8];
    char text[sizeof why->text + 8];
    rqi_log(&cache->log, REFQ_LOG_WARN, "event=broken_entry ref=%s error=%s",
            rqi_log_quote(ref, sizeof ref, ref_id), rqi_log_quote(text, sizeof text, why->text));
    return rqi_cache_hidden(err, ref_id);
}

bool rqi_cache_is_broken(refq_err rc)
{
    return rc == REFQ_ERR_PROTO || rc == REFQ_ERR_LIMIT;
}

refq_err rqi_cache_load(refq_cache *cache, const char *ref_id, rqi_held *ret, refq_error *err)
{
    refq_error why = {0};
    rqi_held held = {0};
    if (refq_store_id_check(ref_id, NULL) != REFQ_OK) {
        return rqi_cache_hidden(err, ref_id);
    }
    refq_err rc = refq_store_get(cache->store, ref_id, &held.text, &held.len, &why);
    if (rc == REFQ_ERR_NOTFOUND) {
        return rqi_cache_hidden(err, ref_id);
    }
    if (rc == REFQ_OK) {
        refq_bytes text = {.ptr = held.text, .len = held.len};
        rc = rqi_entry_read(text, &held.view, &why);
    }
    if (rc == REFQ_OK && !rqi_entry_has_expired(&held.view, rqi_wall_ms())) {
        *ret = held;
        return REFQ_OK;
    }
    rqi_held_done(&held);
    if (rc == REFQ_OK) {
        return rqi_cache_hidden(err, ref_id);
    }
    if (rqi_cache_is_broken(rc)) {
        return refuse_entry(cache, ref_id, &why, err);
    }
    return rqi_fail(err, rc, "%s", why.text);
}

bool rqi_namespace_is(const char *namespace_name, const char *wanted, bool children)
{
    size_t len = wanted != NULL ? strlen(wanted) : 0;
    if (wanted == NULL || strcmp(namespace_name, wanted) == 0) {
        return true;
    }
    return children && strncmp(namespace_name, wanted, len) == 0 && namespace_name[len] == ':';
}
