/* SPDX-License-Identifier: MIT */
/* The environment of a program: clean, not the worker's. */
#ifndef RQI_RUN_ENV_H
#define RQI_RUN_ENV_H

#include "run/exec.h"
#include "run/strv.h"

/* Appends the environment of the run to ret: REFQ_REF_ID, REFQ_ATTEMPT, REFQ_FENCE, TRACEPARENT,
 REFQ_OUTPUT_FILE unless it is NULL,
 * what the definition lists, and the harmless part of the worker's own. REFQ_ERR_INVALID for an
 * entry that is not NAME=VALUE. */
refq_err rqi_env_build(const rqi_exec_call *call, const char *output_file, rqi_strv *ret,
                       refq_error *err);

#endif
