/* SPDX-License-Identifier: MIT */
/* Tasks this worker has no handler for: how long before each is offered again. */
#ifndef RQI_WORK_UNKNOWN_H
#define RQI_WORK_UNKNOWN_H

#include <refq/task.h>

#define RQI_UNKNOWN_NAMES 32

/* How often each name was given back; the oldest name makes room for a new one. All zero is empty.
 */
typedef struct rqi_unknown {
    struct {
        char name[REFQ_NAME_MAX + 1];
        unsigned times;
    } names[RQI_UNKNOWN_NAMES];
    size_t next; /* the place of the next new name */
} rqi_unknown;

/* Milliseconds: about 100 the first time, doubling to about 5000. */
int64_t rqi_unknown_delay(rqi_unknown *unknown, const char *name);

#endif
