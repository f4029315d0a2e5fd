/* SPDX-License-Identifier: MIT */
/* Everything that goes to standard output. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "base/buf.h"
#include "render.h"

#include <jansson.h>

#include <stdbool.h>

/* Writes the buffer's content at once; false when standard output takes no more (and then always).
 */
bool cli_out(const rqi_buf *content);

/* Writes text and a line end. */
bool cli_out_line(const char *text);

/* Writes a value as compact JSON on one line; takes json, which may be NULL (out of memory).
 * Returns an exit status. */
int cli_out_json(json_t *json);

/* Writes the table, in colour on a terminal, and empties it. Returns an exit status. */
int cli_out_table(cli_table *table);

/* True when standard output takes no more. */
bool cli_out_broken(void);

/* The exit status after all output: `code`, or EX_IOERR when some of it could not be written. */
int cli_out_finish(int code);

#endif
