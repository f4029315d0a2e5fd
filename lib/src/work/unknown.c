/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. In a fleet where few workers know a task, most of those that see it give
 * it back; were the delay always long, it would take long to find the one that
 * can. So it is short at first, and grows only with this worker's own experience.
 */
#include "work/unknown.h"

#include "base/rand.h"

#include <stdio.h>
#include <string.h>

#define FIRST_MS 100
#define CAP_MS   5000

static unsigned count_once_more(rqi_unknown *u, const char *name)
{
    for (size_t i = 0; i < RQI_UNKNOWN_NAMES; i++) {
        if (strcmp(u->names[i].name, name) == 0) {
            return u->names[i].times++;
        }
    }
    size_t at = u->next;
    u->next = (at + 1) % RQI_UNKNOWN_NAMES;
    (void)snprintf(u->names[at].name, sizeof u->names[at].name, "%s", name);
    u->names[at].times = 1;
    return 0;
}

int64_t rqi_unknown_delay(rqi_unknown *unknown, const char *name)
{
    unsigned times = count_once_more(unknown, name);
    int64_t bound = times < 6 ? FIRST_MS << times : CAP_MS;
    int64_t half = (bound < CAP_MS ? bound : CAP_MS) / 2;
    return half + (int64_t)rqi_rand_below((uint32_t)half + 1); /* not all at the same time */
}
