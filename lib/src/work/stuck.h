/* SPDX-License-Identifier: MIT */
/* Attempts that were told to stop and do not. */
#ifndef RQI_WORK_STUCK_H
#define RQI_WORK_STUCK_H

#include "work/worker.h"

#define RQI_STUCK_MS                                                             \
    5000 /* a C handler that has not returned so long after it was told is stuck \
          */

/* Counts them in each line; now and then, however often it is called. */
void rqi_stuck_look(refq_worker *w);

#endif
