/* SPDX-License-Identifier: MIT */
#include "base/rand.h"

#include "base/error.h"

#include <sodium.h>

refq_err rqi_rand_init(refq_error *err)
{
    if (sodium_init() < 0) {
        return rqi_fail(err, REFQ_ERR_INTERNAL, "libsodium cannot find a source of random numbers");
    }
    return REFQ_OK;
}

void rqi_rand_hex(char *out, size_t nbytes)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char chunk[32];
    while (nbytes > 0) {
        size_t n = nbytes < sizeof chunk ? nbytes : sizeof chunk;
        randombytes_buf(chunk, n);
        for (size_t i = 0; i < n; i++) {
            *out++ = digits[chunk[i] >> 4];
            *out++ = digits[chunk[i] & 15];
        }
        nbytes -= n;
    }
    *out = '\0';
}

uint32_t rqi_rand_below(uint32_t bound)
{
    return bound == 0 ? 0 : randombytes_uniform(bound);
}
