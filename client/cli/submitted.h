/* SPDX-License-Identifier: MIT */
/* What a command says about a task it has just submitted. */
#ifndef CLI_SUBMITTED_H
#define CLI_SUBMITTED_H

#include "cli.h"

/* Prints its reference, as an object with -o json. Returns an exit status. */
int cli_submitted_show(const cli_common *common, const refq_submitted *done, refq_status status);

/* Prints its reference on stderr, waits (timeout_ms < 0: for ever), prints its value; says on
 * stderr why there is none. Returns an exit status. Where tasks end with the process no reference
 * is printed. */
int cli_submitted_wait(const cli_common *common, refq_client *client, int64_t timeout_ms,
                       const refq_submitted *done);

#endif
