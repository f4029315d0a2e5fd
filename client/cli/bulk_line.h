/* SPDX-License-Identifier: MIT */
/* One line of a bulk submit: a JSON object that says what `submit` says with options. */
#ifndef CLI_BULK_LINE_H
#define CLI_BULK_LINE_H

#include <refq/backend.h>

/* A spec and what its texts point to. */
typedef struct cli_bulk_item {
    refq_spec spec; /* args, task, key and traceparent point into the texts */
    char *args;
    char *task;
    char *key;
    char *traceparent;
    int64_t line;
} cli_bulk_item;

/* Reads a line; what it does not say is as in `defaults` (its task may be NULL: the line has to
 * name one then). Checks all that can be checked without a server. The caller frees the item in any
 * case (cli_bulk_item_done). */
refq_err cli_bulk_line_read(const char *text, const refq_spec *defaults, cli_bulk_item *ret,
                            refq_error *err);

void cli_bulk_item_done(cli_bulk_item *item);

#endif
