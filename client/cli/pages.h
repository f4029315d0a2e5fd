/* SPDX-License-Identifier: MIT */
/* Walking through a list page by page. */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include <refq/client.h>

typedef struct cli_pages {
    refq_list_query query; /* its limit and cursor are taken care of */
    int64_t limit;         /* tasks in all; 0 = every one */
    const char *from;      /* cursor to begin at; NULL = from the start */
    int64_t n;             /* tasks seen */
    char *next;            /* afterwards: where to go on; "" = there is no more */
} cli_pages;

/* Calls each() for every task until it returns something else than EX_OK, which is then returned.
 * Returns an exit status. */
int cli_pages_each(refq_client *client, cli_pages *pages,
                   int (*each)(void *arg, const refq_task *task), void *arg);

void cli_pages_done(cli_pages *pages);

#endif
