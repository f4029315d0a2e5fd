/* SPDX-License-Identifier: MIT */
#include "base/backoff.h"

#include "base/rand.h"

int64_t rqi_backoff_bound(const refq_backoff *b, unsigned n)
{
    double bound = (double)b->base_ms;
    double cap = (double)b->cap_ms;
    /* Stops at the cap, so that factor^n never overflows however large n is. */
    while (n-- > 0 && bound < cap && b->factor > 1) {
        bound *= b->factor;
    }
    return (int64_t)(bound < cap ? bound : cap);
}

int64_t rqi_backoff_delay(const refq_backoff *b, unsigned n)
{
    int64_t bound = rqi_backoff_bound(b, n);
    if (b->no_jitter || bound <= 0) {
        return bound;
    }
    uint32_t range = bound < UINT32_MAX ? (uint32_t)bound : UINT32_MAX - 1;
    return (int64_t)rqi_rand_below(range + 1);
}
