/* SPDX-License-Identifier: MIT */
/* Whether there is a point in queueing a task: somebody offers it, or may be about to. */
#ifndef CLI_OFFER_CHECK_H
#define CLI_OFFER_CHECK_H

#include <refq/client.h>

/* Complains when live workers offer no such task, or when nobody is alive on a queue that looks
 * misspelt; notes when nobody is alive. Returns an exit status. */
int cli_offer_check(refq_client *client, const char *queue, const char *task);

#endif
