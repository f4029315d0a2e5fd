/* SPDX-License-Identifier: MIT */
#include "json/keys.h"

#include "base/rand.h"
#include "json/str.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof((rqi_keys *)NULL)->seed == crypto_shorthash_KEYBYTES, "the seed fits");

void rqi_keys_init(rqi_keys *k)
{
    memset(k, 0, sizeof *k);
    (void)rqi_rand_init(NULL);
    randombytes_buf(k->seed, sizeof k->seed);
}

void rqi_keys_done(rqi_keys *k)
{
    free(k->list);
    free(k->heads);
    rqi_buf_done(&k->scratch);
    memset(k, 0, sizeof *k);
}

/* Equal keys may be written differently: what they say is hashed. */
static uint32_t hash_key(rqi_keys *k, refq_bytes key, bool plain)
{
    const unsigned char *p = (const unsigned char *)key.ptr + 1;
    size_t len = key.len - 2;
    if (!plain) {
        rqi_str s = rqi_str_open(key);
        uint32_t c;
        rqi_buf_clear(&k->scratch);
        while (rqi_str_next(&s, &c)) {
            rqi_str_add_utf8(&k->scratch, c);
        }
        k->failed = k->failed || k->scratch.err != REFQ_OK;
        p = (const unsigned char *)rqi_buf_str(&k->scratch);
        len = k->scratch.len;
    }
    unsigned char out[crypto_shorthash_BYTES];
    uint32_t hash;
    (void)crypto_shorthash(out, p, len, k->seed);
    memcpy(&hash, out, sizeof hash);
    return hash;
}

static void link_key(rqi_keys *k, uint32_t i)
{
    uint32_t *head = &k->heads[k->list[i].hash & (k->n_heads - 1)];
    k->list[i].next = *head;
    *head = i;
}

/* More chains, all linked anew from the bottom up, as pop expects it. */
static bool grow_heads(rqi_keys *k)
{
    uint32_t n = k->n_heads != 0 ? k->n_heads * 2 : 64;
    uint32_t *heads = realloc(k->heads, n * sizeof *heads);
    if (heads == NULL) {
        return false;
    }
    k->heads = heads;
    k->n_heads = n;
    memset(heads, 0xff, n * sizeof *heads);
    for (uint32_t i = 0; i < k->n; i++) {
        link_key(k, i);
    }
    return true;
}

static bool make_room(rqi_keys *k)
{
    if (k->n == k->cap) {
        uint32_t cap = k->cap != 0 ? k->cap * 2 : 64;
        rqi_key *list = k->cap > UINT32_MAX / 4 ? NULL : realloc(k->list, cap * sizeof *list);
        if (list == NULL) {
            return false;
        }
        k->list = list;
        k->cap = cap;
    }
    return k->n < k->n_heads || grow_heads(k);
}

/* A chain has the newest first, so that the keys of the innermost object are in front. */
static uint32_t find(const rqi_keys *k, uint32_t bottom, refq_bytes key, uint32_t hash)
{
    uint32_t i = k->n_heads != 0 ? k->heads[hash & (k->n_heads - 1)] : RQI_KEYS_NONE;
    while (i != RQI_KEYS_NONE && i >= bottom) {
        if (k->list[i].hash == hash && rqi_str_equal(k->list[i].text, key)) {
            return i;
        }
        i = k->list[i].next;
    }
    return RQI_KEYS_NONE;
}

uint32_t rqi_keys_add(rqi_keys *k, uint32_t bottom, refq_bytes key, bool plain, bool *ret_is_new)
{
    uint32_t hash = hash_key(k, key, plain);
    uint32_t found = find(k, bottom, key, hash);
    *ret_is_new = found == RQI_KEYS_NONE;
    if (!*ret_is_new) {
        return found;
    }
    k->failed = k->failed || !make_room(k);
    if (k->failed) {
        return RQI_KEYS_NONE;
    }
    k->list[k->n] = (rqi_key){.text = key, .hash = hash};
    link_key(k, k->n);
    return k->n++;
}

void rqi_keys_pop(rqi_keys *k, uint32_t bottom)
{
    while (k->n > bottom) {
        k->n--;
        k->heads[k->list[k->n].hash & (k->n_heads - 1)] = k->list[k->n].next;
    }
}
