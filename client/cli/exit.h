/* SPDX-License-Identifier: MIT */
/* Exit statuses of `refq` (sysexits.h) and the one way it complains: a line on stderr. */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

#include <refq/error.h>

#include <sysexits.h>

/* The command worked, the answer is bad: the task failed, was cancelled, or was past cancelling. */
#define CLI_EXIT_NO 1

/* The exit status that tells a script what kind of failure this is. */
int cli_exit_code(refq_err err);

/* Prints `refq: text` on stderr and returns cli_exit_code(err->code). */
int cli_fail(const refq_error *err);

/* The same with a text and status of its own. */
int cli_fail_as(int code, const char *fmt, ...) REFQ_PRINTF(2, 3);

/* Prints `refq: text` on stderr: something worth knowing that is no failure. */
void cli_note(const char *fmt, ...) REFQ_PRINTF(1, 2);

#endif
