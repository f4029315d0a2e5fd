/* SPDX-License-Identifier: MIT */
/* What other threads have left for the loop: the lease's notices, a reload, being quiet. */
#ifndef RQI_WORK_NOTICES_H
#define RQI_WORK_NOTICES_H

#include <refq/work.h>

/* On the loop's thread, when it was woken. */
void rqi_notices_take(refq_worker *w);

#endif
