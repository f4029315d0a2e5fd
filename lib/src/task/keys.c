/* SPDX-License-Identifier: MIT */
#include "task/keys.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static refq_err check_prefix(const char *prefix, refq_error *err)
{
    size_t len = strlen(prefix);
    size_t good =
        strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    if (len == 0 || len > RQI_PREFIX_MAX || good != len) {
        return rqi_fail(
            err, REFQ_ERR_INVALID,
            "'%.40s' cannot be a key prefix; use 1 to %d letters, digits, '_', '-', '.'", prefix,
            RQI_PREFIX_MAX);
    }
    return REFQ_OK;
}

refq_err rqi_keys_make(const char *prefix, const char *queue, rqi_keys *ret, refq_error *err)
{
    rqi_keys k;
    if (prefix == NULL) {
        prefix = RQI_PREFIX_DEFAULT;
    }
    refq_err rc = check_prefix(prefix, err);
    if (rc == REFQ_OK) {
        rc = refq_queue_check(queue, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    (void)snprintf(k.prefix, sizeof k.prefix, "%s", prefix);
    (void)snprintf(k.base, sizeof k.base, "%s:{%s}:", prefix, queue);
    (void)snprintf(k.meta, sizeof k.meta, "%s:{%s}:meta", prefix, queue);
    (void)snprintf(k.entry_prefix, sizeof k.entry_prefix, "mcp-refcache:entry:%s:", queue);
    *ret = k;
    return REFQ_OK;
}

const char *rqi_key_of(const rqi_keys *keys, rqi_key out, const char *a, const char *b)
{
    (void)snprintf(out, sizeof(rqi_key), "%s%s%s", keys->base, a, b);
    return out;
}

const char *rqi_key_entry(const rqi_keys *keys, rqi_key out, const char *hex)
{
    (void)snprintf(out, sizeof(rqi_key), "%s%s", keys->entry_prefix, hex);
    return out;
}

const char *rqi_key_staged(const rqi_keys *keys, rqi_key out, const char *hex, const char *entry)
{
    (void)snprintf(out, sizeof(rqi_key), "%sstaged:%s:%s", keys->base, hex, entry);
    return out;
}

const char *rqi_key_queues(const char *prefix, rqi_key out)
{
    (void)snprintf(out, sizeof(rqi_key), "%s:queues", prefix);
    return out;
}
