/* SPDX-License-Identifier: MIT */
/* From a claimed task in a reply to a running attempt. */
#ifndef RQI_WORK_INTAKE_H
#define RQI_WORK_INTAKE_H

#include "redis/reply.h"
#include "work/line.h"

/* Reads one claimed task; NULL when the reply is malformed or there is no memory. *ret_fetch says
 * that its arguments are too large for the reply. */
rqi_attempt *rqi_intake_read(rqi_line *line, rqi_cursor *cur, bool *ret_fetch);

/* Takes it among those held and starts it, once its arguments are there. */
void rqi_intake_start(rqi_attempt *a, bool fetch);

#endif
