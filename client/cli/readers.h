/* SPDX-License-Identifier: MIT */
/* Readers of option values that several commands share; see options.h. Errors are for the user. */
#ifndef CLI_READERS_H
#define CLI_READERS_H

#include "options.h"

#include <refq/response.h>
#include <refq/task.h>

refq_err cli_read_status(const char *text, void *target, refq_error *err); /* cli_number */
refq_err cli_read_ended(const char *text, void *target, refq_error *err); /* cli_number: terminal */
refq_err cli_read_task(const char *text, void *target, refq_error *err);  /* const char * */
refq_err cli_read_count(const char *text, void *target, refq_error *err); /* cli_number, from 1 */
refq_err cli_read_natural(const char *text, void *target, refq_error *err); /* cli_number, from 0 */
refq_err cli_read_page(const char *text, void *target, refq_error *err); /* cli_number, 1 to 1000 */

refq_err cli_read_lane(const char *text, void *target, refq_error *err);         /* refq_lane */
refq_err cli_read_retries(const char *text, void *target, refq_error *err);      /* cli_number */
refq_err cli_read_reply_format(const char *text, void *target, refq_error *err); /* refq_format */

/* cli_number, milliseconds between two: "5/s", "30/m", "100/h". */
refq_err cli_read_rate(const char *text, void *target, refq_error *err);

/* cli_number, ms: a duration, or a plain number of seconds; 2 s when it has no value. */
refq_err cli_read_period(const char *text, void *target, refq_error *err);

#endif
