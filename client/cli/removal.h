/* SPDX-License-Identifier: MIT */
/* Removing finished tasks: what `cleanup` and `dead purge` have in common. */
#ifndef CLI_REMOVAL_H
#define CLI_REMOVAL_H

#include "cli.h"

typedef struct cli_removal {
    refq_client *client; /* borrowed */
    bool json;
    bool dry_run;
    bool yes;
    const char *what; /* borrowed: "finished tasks" */
} cli_removal;

/* Counts what matches when a person wants to know, asks, removes, says how many. Returns an exit
 * status. */
int cli_removal_run(const cli_removal *removal, const refq_cleanup_query *query);

#endif
