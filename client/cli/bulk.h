/* SPDX-License-Identifier: MIT */
/* Submitting many tasks from a file of JSON lines. */
#ifndef CLI_BULK_H
#define CLI_BULK_H

#include "cli.h"

typedef struct cli_bulk_options {
    const char *from;  /* a path, or "-" */
    const char *queue; /* checked */
    refq_spec defaults;
    const char *id_seed; /* NULL = random references */
    int64_t skip;        /* lines at the beginning */
    bool dry_run;
    bool wait_full;
    bool force; /* do not ask whether anybody offers the tasks */
} cli_bulk_options;

/* Returns an exit status. */
int cli_bulk_submit(const cli_common *common, const cli_bulk_options *options);

#endif
