/* SPDX-License-Identifier: MIT */
/* The help texts, made from the command and option tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli.h"

#include "base/buf.h"

/* The list of commands. */
void cli_help_all(rqi_buf *out, const cli_command *const *commands, size_t n,
                  const cli_group *common);

/* Everything about one command. */
void cli_help_command(rqi_buf *out, const cli_command *command, const cli_group *common);

/* The verbs of a group such as "dead", with their options; nothing when it has none. */
void cli_help_verbs(rqi_buf *out, const cli_command *const *commands, size_t n, const char *group);

#endif
