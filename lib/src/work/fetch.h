/* SPDX-License-Identifier: MIT */
/* What an attempt needs from Redis before it can run. */
#ifndef RQI_WORK_FETCH_H
#define RQI_WORK_FETCH_H

#include "work/attempt.h"

/* Has `again` called after a pause, when the failure is one that time may mend and the attempt is
 * still wanted; false when not. An attempt that is stopped meanwhile ends without it. */
bool rqi_fetch_later(rqi_attempt *a, const refq_error *err, void (*again)(rqi_attempt *a));

/* Ends an attempt that never ran, because it was stopped or could not get what it needs. */
void rqi_fetch_end(rqi_attempt *a, const char *what, const refq_error *err);

#endif
