/* SPDX-License-Identifier: MIT */
/* Retry delays: min(cap, base * factor^n), jittered. */
#ifndef RQI_BASE_BACKOFF_H
#define RQI_BASE_BACKOFF_H

#include <refq/handlers.h>

#include <stdint.h>

/* The delay bound before retry number n (0 = first retry), in ms, without jitter. */
int64_t rqi_backoff_bound(const refq_backoff *b, unsigned n);

/* The same with the policy's jitter applied. */
int64_t rqi_backoff_delay(const refq_backoff *b, unsigned n);

#endif
