/* SPDX-License-Identifier: MIT */
/* One line of a terminal that follows a task until it is over. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <refq/task.h>

typedef struct cli_screen cli_screen;

/* Hides the cursor and starts redrawing on standard output. One screen a process: it handles the
 * signals that would leave the cursor hidden. */
refq_err cli_screen_open(cli_screen **ret_screen, refq_error *err);

/* Shows this state from now on. Any thread. */
void cli_screen_update(cli_screen *screen, const refq_task *task);

/* Clears the line, shows the cursor, frees. NULL is fine. */
void cli_screen_close(cli_screen *screen);

#endif
