/* SPDX-License-Identifier: MIT */
/* The resource limits of a program. */
#ifndef RQI_RUN_LIMITS_H
#define RQI_RUN_LIMITS_H

#include <refq/handlers.h>

/* REFQ_ERR_LIMIT for what no program could live with, or no system grants. */
refq_err rqi_limits_check(const refq_exec_limits *limits, refq_error *err);

/* Sets them for this process; a stricter limit that stands already is kept. 0, or -1 with errno. */
int rqi_limits_apply(const refq_exec_limits *limits);

#endif
