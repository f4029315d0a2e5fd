/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The digest is the name under which a running task or a result is found
 * again by whoever makes the same call, so what decides who may see the result
 * is part of it: a call of another owner, namespace, session or policy is
 * another call. SHA-256, cut to 128 bits: names must not collide by intent
 * either, because arguments come from outside.
 */
#include "call/digest.h"

#include "base/error.h"
#include "codec/json.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* References in them have been replaced by their values. */
#define ARGS_MAX ((size_t)64 << 20)
#define DEPTH    (2 * RQI_JSON_DEPTH)

/* With its length in front, so that no two lists of texts are the same bytes. */
static void add(crypto_hash_sha256_state *hash, const char *text, size_t len)
{
    uint64_t n = len;
    (void)crypto_hash_sha256_update(hash, (const unsigned char *)&n, sizeof n);
    (void)crypto_hash_sha256_update(hash, (const unsigned char *)text, len);
}

static void add_text(crypto_hash_sha256_state *hash, const char *text)
{
    add(hash, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

/* Owned by the caller (free()); NULL and err. */
static char *canonical(refq_bytes args, refq_error *err)
{
    json_t *root = NULL;
    if (rqi_json_load(args.ptr, args.len, ARGS_MAX, DEPTH, &root, err) != REFQ_OK) {
        return NULL;
    }
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(root);
    if (text == NULL) {
        (void)rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    return text;
}

static void write_digest(const rqi_identical *call, const char *args, const char *references,
                         char out[RQI_DIGEST_LEN + 1])
{
    crypto_hash_sha256_state hash;
    unsigned char digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256_init(&hash);
    add_text(&hash, call->task);
    add_text(&hash, call->namespace_name);
    add_text(&hash, call->owner);
    add_text(&hash, call->session);
    add_text(&hash, call->policy);
    add_text(&hash, args);
    add_text(&hash, references);
    (void)crypto_hash_sha256_final(&hash, digest);
    (void)sodium_bin2hex(out, RQI_DIGEST_LEN + 1, digest, RQI_DIGEST_LEN / 2);
}

refq_err rqi_call_digest(const rqi_identical *call, char out[RQI_DIGEST_LEN + 1], refq_error *err)
{
    refq_error own = {0};
    err = err != NULL ? err : &own;
    refq_bytes left = {call->references, call->references != NULL ? strlen(call->references) : 0};
    char *args = canonical(call->args, err);
    char *references = args != NULL && left.len > 0 ? canonical(left, err) : NULL;
    bool ok = args != NULL && (references != NULL || left.len == 0);
    if (ok) {
        write_digest(call, args, references, out);
    }
    free(args);
    free(references);
    return ok ? REFQ_OK : err->code;
}
