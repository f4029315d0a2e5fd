/* SPDX-License-Identifier: MIT */
/* refq_ctx: a run as its C handler sees it. */
#ifndef RQI_RUN_CTX_H
#define RQI_RUN_CTX_H

#include "run/run.h"

/* Calls the handler and puts how it ended into the outcome. On any thread. */
void rqi_ctx_run(rqi_run *run);

#endif
