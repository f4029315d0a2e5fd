/* SPDX-License-Identifier: MIT */
/* Random numbers from libsodium; safe to call from any thread after rqi_rand_init(). */
#ifndef RQI_BASE_RAND_H
#define RQI_BASE_RAND_H

#include <refq/error.h>

#include <stddef.h>
#include <stdint.h>

/* Prepares the generator once per process; cheap to repeat. */
refq_err rqi_rand_init(refq_error *err);

/* Writes nbytes random bytes as 2*nbytes lower-case hex digits and a terminator. */
void rqi_rand_hex(char *out, size_t nbytes);

/* Uniform in [0, bound); 0 when bound is 0. */
uint32_t rqi_rand_below(uint32_t bound);

#endif
