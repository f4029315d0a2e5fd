/* SPDX-License-Identifier: MIT */
/* The last part of what a program wrote to stderr. */
#ifndef RQI_RUN_TAIL_H
#define RQI_RUN_TAIL_H

#include "base/buf.h"

#include <stdbool.h>

#define RQI_TAIL_DEFAULT ((size_t)4096)

typedef struct rqi_tail {
    size_t max; /* bytes that are kept; 0 = RQI_TAIL_DEFAULT */
    rqi_buf buf;
    bool cut; /* something before it was dropped */
} rqi_tail;

void rqi_tail_add(rqi_tail *tail, const char *data, size_t len);

/* Moves out at most max bytes of valid UTF-8, starting at a line when possible. */
rqi_buf rqi_tail_take(rqi_tail *tail);

/* The last line that is not blank, within `text`; *ret_len is 0 when there is none. */
const char *rqi_tail_last_line(const char *text, size_t len, size_t *ret_len);

#endif
