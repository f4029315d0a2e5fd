/* SPDX-License-Identifier: MIT */
/* The values of references in an attempt's arguments, before its handler is started. */
#ifndef RQI_WORK_INPUTS_H
#define RQI_WORK_INPUTS_H

#include "work/attempt.h"

/* Puts them in place, then calls ready(a); or the attempt ends without having run: failed, or
 * parked until its inputs are there. */
void rqi_inputs_start(rqi_attempt *a, void (*ready)(rqi_attempt *a));

/* NULL is fine. */
void rqi_inputs_free(struct rqi_inputs *inputs);

#endif
