/* SPDX-License-Identifier: MIT */
/* The last words of a command that is interrupted. */
#ifndef CLI_PARTING_H
#define CLI_PARTING_H

/* From now on a signal that ends the program (SIGINT, SIGTERM, SIGHUP) first prints this on stderr;
 * the text is copied, as far as it fits a line. */
void cli_parting_set(const char *text);

/* There is nothing to say any more. */
void cli_parting_clear(void);

#endif
