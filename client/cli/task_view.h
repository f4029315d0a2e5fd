/* SPDX-License-Identifier: MIT */
/* A task's record in the forms the commands show it. */
#ifndef CLI_TASK_VIEW_H
#define CLI_TASK_VIEW_H

#include "base/buf.h"

#include <refq/task.h>

#include <jansson.h>

/* The object programs get: ref_id, status, and every field of the record. NULL when out of memory.
 */
json_t *cli_task_json(const refq_task *task);

/* The same with its error in full, "" = as the record has it. */
json_t *cli_task_json_full(const refq_task *task, const char *error);

/* Any text as a JSON string; bytes that are not UTF-8 become U+FFFD. */
json_t *cli_text_json(const char *text);

/* Appends "3/12", "3" when the total is not known, or nothing. */
void cli_task_count(rqi_buf *out, const refq_task *task);

/* Appends what there is to say besides the status: progress, its message, the error. */
void cli_task_remark(rqi_buf *out, const refq_task *task);

#endif
