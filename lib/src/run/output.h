/* SPDX-License-Identifier: MIT */
/* From what a program put out to the JSON text of its result. */
#ifndef RQI_RUN_OUTPUT_H
#define RQI_RUN_OUTPUT_H

#include "run/outcome.h"

#include <refq/handlers.h>

/* Makes the outcome RQI_DONE with a value, or RQI_PERMANENT when stdout is not what was promised.
 * Takes what out holds. */
void rqi_output_convert(refq_exec_output output, rqi_buf *out, rqi_outcome *outcome);

#endif
