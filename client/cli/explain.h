/* SPDX-License-Identifier: MIT */
/* What a task's record means, in one sentence. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "base/buf.h"

#include <refq/client.h>

/* Appends the sentence. Asks the fleet when the task waits: whether anybody offers it matters. */
void cli_explain(rqi_buf *out, refq_client *client, const refq_task *task);

#endif
