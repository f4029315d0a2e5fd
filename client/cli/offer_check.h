/* SPDX-License-Identifier: MIT */
/* Whether there is a point in queueing a task: somebody offers it, or may be about to. */
#ifndef CLI_OFFER_CHECK_H
#define CLI_OFFER_CHECK_H

#include <refq/client.h>

#include <stdbool.h>

/* Complains when live workers offer no such task, or when nobody is alive on a queue that looks
 * misspelt; notes when nobody is alive. Returns an exit status. */
int cli_offer_check(refq_client *client, const char *queue, const char *task);

/* Whether a worker, alive or not, offers a task of this name. */
bool cli_offers(const refq_worker_info *worker, const char *task);

#endif
