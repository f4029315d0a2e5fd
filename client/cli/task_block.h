/* SPDX-License-Identifier: MIT */
/* A task's record as a block of labelled lines for people. */
#ifndef CLI_TASK_BLOCK_H
#define CLI_TASK_BLOCK_H

#include <refq/task.h>

/* error: the last error in full, NULL = as the record has it. Returns an exit status. */
int cli_task_block(const refq_task *task, const char *error);

#endif
