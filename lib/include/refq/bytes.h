/* SPDX-License-Identifier: MIT */
/* A borrowed slice of memory: whoever hands it out keeps owning it. */
#ifndef REFQ_BYTES_H
#define REFQ_BYTES_H

#include <stddef.h>

typedef struct refq_bytes {
    const void *ptr; /* may be NULL only when len is 0 */
    size_t len;      /* bytes */
} refq_bytes;

#endif
