/* SPDX-License-Identifier: MIT */
/* Reading the result of a program that wrote it to a file. */
#ifndef RQI_RUN_RESULT_H
#define RQI_RUN_RESULT_H

#include "run/folder.h"
#include "run/outcome.h"

/* Appends the file's bytes to out, or makes the outcome a failure and returns false. The file stays
 * the caller's. */
bool rqi_result_read(rqi_result_file file, size_t max, rqi_buf *out, rqi_outcome *outcome);

#endif
