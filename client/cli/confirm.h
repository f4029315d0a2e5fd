/* SPDX-License-Identifier: MIT */
/* Asking before something is done that cannot be undone. */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include <refq/export.h>

#include <stdbool.h>

/* EX_OK when `yes` is set or the person at the terminal agrees to the question; CLI_EXIT_NO when
 * they do not; EX_USAGE, after saying so, when nobody can be asked. */
int cli_confirm(bool yes, const char *fmt, ...) REFQ_PRINTF(2, 3);

#endif
