/* SPDX-License-Identifier: MIT */
/* The answer to "what came out of this task", for the commands that end with it. */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "base/buf.h"

#include <refq/client.h>

#include <stdbool.h>

/* Whether tasks outlive this process, so that their references are of use to others. */
bool cli_is_durable(refq_client *client);

/* Reads a complete task's value as JSON text and appends it to out. When the
 * task is not complete, says so on stderr. Returns an exit status. */
int cli_answer_read(refq_client *client, const refq_ref *ref, rqi_buf *out);

/* Says on stderr why this task has no value: it runs still, it failed (with the error in full), it
 * was cancelled. Names it by its reference, or by its task's name where a reference leads nowhere.
 * Returns an exit status. */
int cli_answer_missing(refq_client *client, const refq_task *task);

#endif
