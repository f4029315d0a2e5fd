/* SPDX-License-Identifier: MIT */
/*
 * The keys of the objects that are open during a scan, to notice one that
 * comes again.
 *
 * DESIGN. A chained hash table whose entries are a stack: the keys of the
 * innermost object are on top and go when it closes, which puts back the
 * chains as they were. So memory is what the open objects hold, and nothing is
 * allocated for a single key. Keys come from outside: the hash is SipHash with
 * a random seed.
 */
#ifndef RQI_JSON_KEYS_H
#define RQI_JSON_KEYS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct rqi_key {
    refq_bytes text; /* with its quotes; borrowed */
    uint32_t hash;
    uint32_t next;      /* below it in the chain; RQI_KEYS_NONE ends it */
    size_t value_size;  /* the rest is the user's, 0 when pushed: what the value measures */
    uint32_t value_end; /* where it ends */
    uint32_t move;      /* 1 + index of what was noted about it */
} rqi_key;

#define RQI_KEYS_NONE UINT32_MAX

typedef struct rqi_keys {
    rqi_key *list; /* the stack; owned */
    uint32_t n;
    uint32_t cap;
    uint32_t *heads; /* n_heads chains; owned */
    uint32_t n_heads;
    unsigned char seed[16];
    rqi_buf scratch; /* a key without its escapes */
    bool failed;     /* out of memory */
} rqi_keys;

/* Begins empty. */
void rqi_keys_init(rqi_keys *k);
void rqi_keys_done(rqi_keys *k);

/* The index of the key among those at bottom and above, pushed when it is not there: then
 * *ret_is_new. RQI_KEYS_NONE without memory. Invalidates pointers into list. */
uint32_t rqi_keys_add(rqi_keys *k, uint32_t bottom, refq_bytes key, bool plain, bool *ret_is_new);

/* Forgets the keys at bottom and above. */
void rqi_keys_pop(rqi_keys *k, uint32_t bottom);

#endif
