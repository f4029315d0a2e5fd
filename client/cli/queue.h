/* SPDX-License-Identifier: MIT */
/* Which queue a command is about, and whether there is such a queue. */
#ifndef CLI_QUEUE_H
#define CLI_QUEUE_H

#include <refq/client.h>

/* The queue given, else REFQ_QUEUE, else "default"; complains when it cannot be a queue's name.
 * Returns an exit status. */
int cli_queue_pick(const char *given, const char **ret);

/* What is known about a queue's name. */
typedef struct cli_queue_known {
    bool known;                       /* somebody has submitted to it or served it */
    char nearest[REFQ_QUEUE_MAX + 1]; /* the known name most like it; "" when none is close */
} cli_queue_known;

/* A backend that cannot list queues knows them all. */
refq_err cli_queue_look(refq_client *client, const char *queue, cli_queue_known *ret,
                        refq_error *err);

/* Complains when the queue is not known, with the nearest name. Returns an exit status:
 * EX_NOINPUT when it is not known. */
int cli_queue_require(refq_client *client, const char *queue);

#endif
