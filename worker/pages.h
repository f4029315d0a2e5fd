/* SPDX-License-Identifier: MIT */
/* What is told over HTTP about a worker's health. */
#ifndef REFQ_WORKER_PAGES_H
#define REFQ_WORKER_PAGES_H

#include "base/buf.h"

#include <refq/work.h>

#define RQI_HANGS_MS 10000 /* a loop or thread that is silent for so long is not alive */

/* The page of a path; the status, 404 for an unknown path. *ret_type lives for ever. */
int rqi_page(const refq_health *health, const char *path, rqi_buf *body, const char **ret_type);

#endif
