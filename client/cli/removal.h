/* SPDX-License-Identifier: MIT */
/* Removing finished tasks: what `cleanup` and `dead purge` have in common. */
#ifndef CLI_REMOVAL_H
#define CLI_REMOVAL_H

#include "cli.h"

typedef struct cli_removal {
    const char *queue; /* borrowed; NULL = the default */
    bool dry_run;
    bool yes;
    const char *what; /* borrowed: "finished tasks" */
} cli_removal;

/* Connects, counts what matches when a person wants to know, asks, removes, says how many. The
 * queue of the query is filled in here. Returns an exit status. */
int cli_removal_run(const cli_common *common, const cli_removal *removal,
                    refq_cleanup_query *query);

#endif
