/* SPDX-License-Identifier: MIT */
/* What refq_worker_health() tells, kept by the loop. */
#ifndef RQI_WORK_HEALTH_H
#define RQI_WORK_HEALTH_H

#include "work/worker.h"

/* All of this on the loop's thread. */

/* The worker can be asked from now on; the lease has been started. */
void rqi_health_open(refq_worker *w);

/* Once per turn: what others see from now on. Tells of a change of state. */
void rqi_health_publish(refq_worker *w);

/* An attempt has ended, but for its report. */
void rqi_health_count(const rqi_attempt *a);

/* The lease is about to be stopped. */
void rqi_health_close(refq_worker *w);

#endif
