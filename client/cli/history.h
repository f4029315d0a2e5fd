/* SPDX-License-Identifier: MIT */
/* What a task's attempts came to. */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

#include <refq/client.h>

#include "base/buf.h"

#include <jansson.h>

/* The attempts that are over, newest first: an array of objects with attempt, at, class, worker,
 * error, stderr. The caller owns *ret. Returns an exit status. */
int cli_history_read(refq_client *client, const refq_ref *ref, json_t **ret);

/* Appends the last error of a task in full, as it is in its history; as the record has it,
 * shortened, when the history cannot say; nothing when there is no error. */
void cli_history_error(refq_client *client, const refq_task *task, rqi_buf *out);

#endif
