/* SPDX-License-Identifier: MIT */
/* How many more attempts of each limited task a worker takes. */
#ifndef RQI_WORK_LIMITS_H
#define RQI_WORK_LIMITS_H

#include "work/line.h"

/* Whether any task of the line has a `concurrency`. */
bool rqi_limits_any(const rqi_line *line);

/* Appends "ocr_pdf=1 thumbs=0"; nothing when no task is limited. */
void rqi_limits_compose(const rqi_line *line, rqi_buf *out);

#endif
