/* SPDX-License-Identifier: MIT */
/*
 * Entries in Redis: one string for each, at "<prefix><ref_id>", and nothing else.
 *
 * DESIGN. A client of its own, so that a value of 100 MB on its way holds up
 * other values and no task. What others put under the prefix is not trusted: a
 * text is never asked for before its size is bounded, because a reply beyond
 * what the connection takes would break it for everybody. GETRANGE bounds one
 * reply by itself; where many texts are wanted STRLEN comes first, and tells
 * what is no string at all.
 */
#include "store/redis.h"

#include "base/error.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "redis/conn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES  ((size_t)1024 * 1024) /* asked for without knowing the size */
#define BATCH_KEYS   200
#define BATCH_BYTES  ((size_t)16 * 1024 * 1024)
#define SLACK_MS     2000 /* longer than the entry's own end: it is never gone before its time */
#define BYTES_PER_MS 1024

static_assert(REFQ_STORE_ENTRY_MAX + BATCH_BYTES < RQI_REPLY_MAX, "one reply holds an entry");
static_assert(REFQ_STORE_ENTRY_MAX + 4096 < RQI_OUT_MAX, "one command holds an entry");

/* --- Asking ----------------------------------------------------------------------------------- */

refq_bytes rqi_store_redis_word(const char *text)
{
    return (refq_bytes){text, strlen(text)};
}

refq_bytes rqi_store_redis_key(const rqi_store_redis *r, const char *ref_id, rqi_store_key out)
{
    int len = snprintf(out, sizeof(rqi_store_key), "%s%s", r->prefix, ref_id);
    return (refq_bytes){out, (size_t)len};
}

int64_t rqi_store_redis_timeout(const rqi_store_redis *r, size_t bytes)
{
    return r->timeout_ms + (int64_t)(bytes / BYTES_PER_MS);
}

refq_err rqi_store_redis_ask(rqi_store_redis *r, rqi_ask *asks, size_t n, refq_error *err)
{
    refq_err rc = rqi_client_ask(r->client, asks, n, err);
    return rc == REFQ_ERR_CLOSED ? rqi_client_ask(r->client, asks, n, err) : rc;
}

/* The only answer to these commands that is an error and the key's fault. */
static bool is_foreign(refq_err rc)
{
    return rc == REFQ_ERR_PROTO;
}

static refq_err say_foreign(const rqi_store_redis *r, const char *ref_id, refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_PROTO,
                    "'%s%.90s' in Redis is no text: another program has put it there; look at it "
                    "with TYPE, remove it with DEL",
                    r->prefix, ref_id);
}

static refq_err say_too_large(const char *ref_id, size_t bytes, refq_error *err)
{
    return rqi_fail(err, REFQ_ERR_LIMIT,
                    "the entry '%.90s' has %zu bytes; at most %zu can be read here", ref_id, bytes,
                    REFQ_STORE_ENTRY_MAX);
}

/* The number that a command has answered. */
static int64_t number_of(const rqi_ask *ask)
{
    int64_t n = 0;
    if (ask->leaves_n == 1 && ask->leaves[0].ptr != NULL) {
        (void)rqi_parse_int(ask->leaves[0].ptr, 0, INT64_MAX, &n, NULL);
    }
    return n;
}

/* --- One entry -------------------------------------------------------------------------------- */

/* The text up to `most` bytes, owned; "" when there is none. */
static refq_err get_range(rqi_store_redis *r, const char *ref_id, size_t most, int64_t timeout_ms,
                          rqi_leaf *ret, refq_error *err)
{
    rqi_store_key key;
    char last[24];
    (void)snprintf(last, sizeof last, "%zu", most - 1);
    const refq_bytes argv[] = {rqi_store_redis_word("GETRANGE"),
                               rqi_store_redis_key(r, ref_id, key), rqi_store_redis_word("0"),
                               rqi_store_redis_word(last)};
    rqi_ask ask = {.argv = argv, .n = 4, .timeout_ms = timeout_ms};
    refq_err rc = rqi_store_redis_ask(r, &ask, 1, err);
    if (rc == REFQ_OK && ask.leaves_n == 1 && ask.leaves[0].ptr != NULL) {
        *ret = ask.leaves[0];
        ask.leaves[0].ptr = NULL;
    } else if (rc == REFQ_OK || is_foreign(rc)) {
        rc = say_foreign(r, ref_id, err);
    }
    rqi_asks_done(&ask, 1);
    return rc;
}

/* 0 when it is not there. */
static refq_err get_size(rqi_store_redis *r, const char *ref_id, int64_t *ret, refq_error *err)
{
    const refq_store_item item = {.ref_id = (char *)ref_id};
    int64_t size = 0;
    refq_err rc = rqi_store_redis_sizes(r, &item, 1, &size, err);
    if (rc == REFQ_OK && size < 0) {
        rc = say_foreign(r, ref_id, err);
    }
    if (rc == REFQ_OK) {
        *ret = size;
    }
    return rc;
}

/* One that fills the first piece: all of it, now that its size is known. */
static refq_err get_large(rqi_store_redis *r, const char *ref_id, rqi_leaf *ret, refq_error *err)
{
    int64_t size = 0;
    refq_err rc = get_size(r, ref_id, &size, err);
    if (rc == REFQ_OK && (uint64_t)size > REFQ_STORE_ENTRY_MAX) {
        rc = say_too_large(ref_id, (size_t)size, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_leaf leaf = {0};
    rc = get_range(r, ref_id, REFQ_STORE_ENTRY_MAX + 1, rqi_store_redis_timeout(r, (size_t)size),
                   &leaf, err);
    if (rc == REFQ_OK && leaf.len > REFQ_STORE_ENTRY_MAX) {
        free(leaf.ptr);
        return say_too_large(ref_id, leaf.len, err);
    }
    if (rc == REFQ_OK) {
        *ret = leaf;
    }
    return rc;
}

static refq_err redis_get(refq_store *s, const char *ref_id, char **ret_text, size_t *ret_len,
                          refq_error *err)
{
    rqi_store_redis *r = (rqi_store_redis *)s;
    rqi_leaf leaf = {0};
    refq_err rc =
        get_range(r, ref_id, FIRST_BYTES, rqi_store_redis_timeout(r, FIRST_BYTES), &leaf, err);
    if (rc == REFQ_OK && leaf.len == FIRST_BYTES) {
        free(leaf.ptr);
        leaf.ptr = NULL;
        rc = get_large(r, ref_id, &leaf, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    if (leaf.len == 0) {
        free(leaf.ptr);
        return rqi_store_not_found(err, ref_id);
    }
    *ret_text = leaf.ptr;
    *ret_len = leaf.len;
    return REFQ_OK;
}

static refq_err redis_set(refq_store *s, const char *ref_id, refq_bytes text, int64_t ttl_ms,
                          unsigned flags, refq_error *err)
{
    rqi_store_redis *r = (rqi_store_redis *)s;
    rqi_store_key key;
    char ttl[24];
    bool if_absent = (flags & REFQ_STORE_IF_ABSENT) != 0;
    refq_bytes argv[6] = {rqi_store_redis_word("SET"), rqi_store_redis_key(r, ref_id, key), text};
    rqi_ask ask = {.argv = argv, .n = 3, .timeout_ms = rqi_store_redis_timeout(r, text.len)};
    if (ttl_ms != 0) {
        (void)snprintf(ttl, sizeof ttl, "%lld", (long long)(ttl_ms + SLACK_MS));
        argv[ask.n++] = rqi_store_redis_word("PX");
        argv[ask.n++] = rqi_store_redis_word(ttl);
    }
    if (if_absent) {
        argv[ask.n++] = rqi_store_redis_word("NX");
    }
    refq_err rc =
        if_absent ? rqi_client_ask(r->client, &ask, 1, err) : rqi_store_redis_ask(r, &ask, 1, err);
    bool stored = rc == REFQ_OK && ask.leaves_n == 1 && ask.leaves[0].ptr != NULL;
    rqi_asks_done(&ask, 1);
    if (rc == REFQ_OK && !stored) {
        return rqi_fail(err, REFQ_ERR_CONFLICT, "there is an entry '%.150s' already", ref_id);
    }
    return rc;
}

/* Not repeated: nobody could tell how many there were. */
static refq_err redis_remove(refq_store *s, const char *const *ref_ids, size_t n, size_t *ret_n,
                             refq_error *err)
{
    rqi_store_redis *r = (rqi_store_redis *)s;
    refq_bytes *argv = malloc((n + 1) * sizeof *argv);
    rqi_store_key *keys = malloc(n * sizeof *keys);
    refq_err rc = REFQ_ERR_NOMEM;
    if (argv != NULL && keys != NULL) {
        argv[0] = rqi_store_redis_word("DEL");
        for (size_t i = 0; i < n; i++) {
            argv[i + 1] = rqi_store_redis_key(r, ref_ids[i], keys[i]);
        }
        rqi_ask ask = {.argv = argv, .n = n + 1};
        rc = rqi_client_ask(r->client, &ask, 1, err);
        if (rc == REFQ_OK) {
            *ret_n = (size_t)number_of(&ask);
        }
        rqi_asks_done(&ask, 1);
    } else {
        rc = rqi_store_no_memory(err);
    }
    free(argv);
    free(keys);
    return rc;
}

static refq_err redis_exists(refq_store *s, const char *ref_id, bool *ret, refq_error *err)
{
    const refq_store_item item = {.ref_id = (char *)ref_id};
    int64_t size = 0;
    refq_err rc = rqi_store_redis_sizes((rqi_store_redis *)s, &item, 1, &size, err);
    if (rc == REFQ_OK) {
        *ret = size > 0;
    }
    return rc;
}

/* --- Many entries ----------------------------------------------------------------------------- */

static refq_err read_sizes(const rqi_ask *asks, size_t n, int64_t *ret, refq_error *err)
{
    for (size_t i = 0; i < n; i++) {
        refq_err rc = asks[i].err.code;
        if (rc != REFQ_OK && !is_foreign(rc)) {
            return rqi_fail(err, rc, "%s", asks[i].err.text);
        }
        ret[i] = is_foreign(rc) ? -1 : number_of(&asks[i]);
    }
    return REFQ_OK;
}

refq_err rqi_store_redis_sizes(rqi_store_redis *r, const refq_store_item *items, size_t n,
                               int64_t *ret, refq_error *err)
{
    rqi_ask *asks = calloc(n, sizeof *asks);
    rqi_store_key *keys = malloc(n * sizeof *keys);
    refq_bytes *argv = malloc(2 * n * sizeof *argv);
    refq_err rc = REFQ_ERR_NOMEM;
    if (asks != NULL && keys != NULL && argv != NULL) {
        for (size_t i = 0; i < n; i++) {
            argv[2 * i] = rqi_store_redis_word("STRLEN");
            argv[2 * i + 1] = rqi_store_redis_key(r, items[i].ref_id, keys[i]);
            asks[i] = (rqi_ask){.argv = &argv[2 * i], .n = 2};
        }
        rc = rqi_store_redis_ask(r, asks, n, err);
        if (rc == REFQ_OK || is_foreign(rc)) {
            rc = read_sizes(asks, n, ret, err);
        }
        rqi_asks_done(asks, n);
    } else {
        rc = rqi_store_no_memory(err);
    }
    free(asks);
    free(keys);
    free(argv);
    return rc;
}

/* Some texts at once. */
struct batch {
    refq_store_item *items[BATCH_KEYS];
    rqi_store_key keys[BATCH_KEYS];
    refq_bytes argv[BATCH_KEYS + 1];
    size_t n;
    size_t bytes;
};

static refq_err fetch(rqi_store_redis *r, struct batch *b, refq_error *err)
{
    if (b->n == 0) {
        return REFQ_OK;
    }
    rqi_ask ask = {
        .argv = b->argv, .n = b->n + 1, .timeout_ms = rqi_store_redis_timeout(r, b->bytes)};
    refq_err rc = rqi_store_redis_ask(r, &ask, 1, err);
    if (rc == REFQ_OK && ask.leaves_n != b->n) {
        rc = rqi_fail(err, REFQ_ERR_PROTO, "unexpected answer of the server to MGET");
    }
    for (size_t i = 0; i < b->n && rc == REFQ_OK; i++) {
        rqi_leaf *leaf = &ask.leaves[i];
        bool gone = leaf->len == 0;
        b->items[i]->text = gone ? NULL : leaf->ptr;
        b->items[i]->len = leaf->len;
        leaf->ptr = gone ? leaf->ptr : NULL;
    }
    rqi_asks_done(&ask, 1);
    b->n = 0;
    b->bytes = 0;
    return rc;
}

refq_err rqi_store_redis_texts(rqi_store_redis *r, refq_store_item *items, size_t n, size_t most,
                               refq_error *err)
{
    size_t sum = 0;
    refq_err rc = REFQ_OK;
    struct batch *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return rqi_store_no_memory(err);
    }
    b->argv[0] = rqi_store_redis_word("MGET");
    for (size_t i = 0; i < n && rc == REFQ_OK; i++) {
        size_t len = items[i].len;
        if (len == 0 || len > REFQ_STORE_ENTRY_MAX || len > most - sum) {
            continue;
        }
        sum += len;
        if (b->n == BATCH_KEYS || (b->n > 0 && b->bytes + len > BATCH_BYTES)) {
            rc = fetch(r, b, err);
        }
        b->argv[b->n + 1] = rqi_store_redis_key(r, items[i].ref_id, b->keys[b->n]);
        b->items[b->n++] = &items[i];
        b->bytes += len;
    }
    if (rc == REFQ_OK) {
        rc = fetch(r, b, err);
    }
    free(b);
    return rc;
}

/* Puts what there is to know of each entry into ret, whose ref_ids are borrowed. */
static refq_err look_up(rqi_store_redis *r, refq_store_item *ret, size_t n, int64_t *sizes,
                        refq_error *err)
{
    size_t sum = 0;
    refq_err rc = rqi_store_redis_sizes(r, ret, n, sizes, err);
    for (size_t i = 0; i < n && rc == REFQ_OK; i++) {
        ret[i].len = sizes[i] > 0 ? (size_t)sizes[i] : 0;
        sum += ret[i].len <= REFQ_STORE_ENTRY_MAX ? ret[i].len : 0;
    }
    if (rc == REFQ_OK && sum > REFQ_STORE_MANY_BYTES) {
        rc = rqi_fail(err, REFQ_ERR_LIMIT,
                      "these %zu entries have %zu bytes together; at most %zu can be read at once: "
                      "ask for fewer",
                      n, sum, REFQ_STORE_MANY_BYTES);
    }
    return rc == REFQ_OK ? rqi_store_redis_texts(r, ret, n, REFQ_STORE_MANY_BYTES, err) : rc;
}

static refq_err redis_get_many(refq_store *s, const char *const *ref_ids, size_t n,
                               refq_store_item *ret, refq_error *err)
{
    int64_t *sizes = malloc(n * sizeof *sizes);
    if (sizes == NULL) {
        return rqi_store_no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        ret[i].ref_id = (char *)ref_ids[i];
    }
    refq_err rc = look_up((rqi_store_redis *)s, ret, n, sizes, err);
    for (size_t i = 0; i < n; i++) {
        ret[i].ref_id = NULL;
    }
    free(sizes);
    return rc;
}

/* --- The store -------------------------------------------------------------------------------- */

static refq_err redis_ping(refq_store *s, refq_error *err)
{
    const refq_bytes argv[] = {rqi_store_redis_word("PING")};
    rqi_ask ask = {.argv = argv, .n = 1};
    refq_err rc = rqi_store_redis_ask((rqi_store_redis *)s, &ask, 1, err);
    rqi_asks_done(&ask, 1);
    return rc;
}

static void redis_close(refq_store *s)
{
    rqi_store_redis *r = (rqi_store_redis *)s;
    refq_client_close(r->client);
    free(r);
}

static const refq_store_ops ops = {
    .struct_size = sizeof ops,
    .name = "redis",
    .capabilities = REFQ_STORE_DURABLE | REFQ_STORE_SHARED | REFQ_STORE_OPAQUE,
    .get = redis_get,
    .get_many = redis_get_many,
    .set = redis_set,
    .remove = redis_remove,
    .exists = redis_exists,
    .scan = rqi_store_redis_scan,
    .stat = rqi_store_redis_stat,
    .ping = redis_ping,
    .close = redis_close,
};

refq_err rqi_store_redis_open(const refq_store_options *o, const char *where, refq_store **ret,
                              refq_error *err)
{
    const char *prefix = o->prefix != NULL ? o->prefix : RQI_STORE_PREFIX;
    size_t len = strnlen(prefix, RQI_STORE_PREFIX_MAX + 1);
    if (len == 0 || len > RQI_STORE_PREFIX_MAX || rqi_utf8_valid(prefix, len) != len) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the prefix of keys is 1 to %d bytes of UTF-8",
                        RQI_STORE_PREFIX_MAX);
    }
    rqi_store_redis *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return rqi_store_no_memory(err);
    }
    r->pub.ops = &ops;
    r->timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : RQI_TIMEOUT_MS;
    (void)snprintf(r->prefix, sizeof r->prefix, "%s", prefix);
    refq_redis_options redis = {
        .struct_size = sizeof redis, .url = where, .timeout_ms = o->timeout_ms, .log = o->log};
    refq_err rc = refq_client_open(&redis, &r->client, err);
    if (rc != REFQ_OK) {
        free(r);
        return rc;
    }
    *ret = &r->pub;
    return REFQ_OK;
}
