/* SPDX-License-Identifier: MIT */
/* Filling in a refq_error, in one line at each place that fails. */
#ifndef RQI_BASE_ERROR_H
#define RQI_BASE_ERROR_H

#include <refq/error.h>

/* Sets code and text (err may be NULL) and returns code, so that a caller can `return` it. */
refq_err rqi_fail(refq_error *err, refq_err code, const char *fmt, ...) REFQ_PRINTF(3, 4);

/* Puts "what: " before the text already in err (may be NULL); returns the code it holds. */
refq_err rqi_fail_in(refq_error *err, refq_err code, const char *fmt, ...) REFQ_PRINTF(3, 4);

#endif
