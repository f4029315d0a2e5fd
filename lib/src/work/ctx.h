/* SPDX-License-Identifier: MIT */
/* refq_ctx: an attempt as its C handler sees it. */
#ifndef RQI_WORK_CTX_H
#define RQI_WORK_CTX_H

#include "work/attempt.h"

/* Calls the handler and puts how it ended into the outcome. On any thread. */
void rqi_ctx_run(rqi_attempt *a);

#endif
