/* SPDX-License-Identifier: MIT */
/* The progress of a handler, on fd 3: {"progress":{"current":3,"total":12,"message":"page 3"}} */
#ifndef RQI_RUN_PROGRESS_H
#define RQI_RUN_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RQI_MESSAGE_MAX 64 /* bytes of a message that are kept */

typedef struct rqi_progress {
    int64_t current;
    int64_t total; /* 0 = unknown */
    bool has_message;
    char message[RQI_MESSAGE_MAX + 1]; /* valid UTF-8 */
} rqi_progress;

/* Reads the value of "progress". False when it is malformed: current is a whole number >= 0, total
 * and message may be left out. */
bool rqi_progress_read(const json_t *body, rqi_progress *ret);

#endif
