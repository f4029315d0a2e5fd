/* SPDX-License-Identifier: MIT */
/* Tables with aligned columns for people, coloured where that helps and is wanted. */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include "base/buf.h"

#include <refq/task.h>

#include <stdbool.h>
#include <stddef.h>

typedef enum cli_tone {
    CLI_PLAIN = 0,
    CLI_BOLD,
    CLI_RED,
    CLI_GREEN,
    CLI_YELLOW,
    CLI_CYAN,
    CLI_MAGENTA
} cli_tone;

/* The tone a status is shown in, everywhere the same. */
cli_tone cli_tone_of(refq_status status);

/* True when fd is a terminal that should get colours (NO_COLOR and TERM=dumb say no). */
bool cli_colour_wanted(int fd);

/* Appends text in a tone, plainly when colour is false. */
void cli_paint(rqi_buf *out, bool colour, cli_tone tone, const char *text);

typedef struct cli_column {
    const char *title; /* NULL in the first column: the table has no heading line */
    bool right;        /* numbers: aligned to the right */
} cli_column;

struct cli_cell;

typedef struct cli_table {
    const cli_column *columns; /* borrowed */
    size_t n_columns;
    struct cli_cell *cells; /* owned; row after row */
    size_t n_cells;
    size_t room; /* cells allocated */
    bool failed; /* out of memory; reported by cli_table_render() */
} cli_table;

cli_table cli_table_make(const cli_column *columns, size_t n_columns);

/* Adds the next cell, left to right, row by row. Foreign text is cleaned; "" shows as "-". */
void cli_table_add(cli_table *table, cli_tone tone, const char *fmt, ...) REFQ_PRINTF(3, 4);

/* Appends the whole table to out. REFQ_ERR_NOMEM when a cell was lost. */
refq_err cli_table_render(const cli_table *table, bool colour, rqi_buf *out);

void cli_table_done(cli_table *table);

#endif
