/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A table is collected whole before its first line is written, because
 * a column is as wide as its widest cell. Tables are bounded by what the list
 * operations return (1000 rows). Widths are terminal columns, not bytes; the
 * last column is never padded, so that lines carry no trailing blanks.
 */
#include "render.h"

#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cli_cell {
    char *text;   /* owned */
    size_t width; /* columns */
    cli_tone tone;
};

/* --- Colour ----------------------------------------------------------------------------------- */

static const char *const escapes[] = {
    [CLI_PLAIN] = "",          [CLI_BOLD] = "\x1b[1m",    [CLI_RED] = "\x1b[31m",
    [CLI_GREEN] = "\x1b[32m",  [CLI_YELLOW] = "\x1b[33m", [CLI_CYAN] = "\x1b[36m",
    [CLI_MAGENTA] = "\x1b[35m"};

static const cli_tone status_tones[] = {
    [REFQ_PENDING] = CLI_YELLOW, [REFQ_PROCESSING] = CLI_CYAN,   [REFQ_COMPLETE] = CLI_GREEN,
    [REFQ_FAILED] = CLI_RED,     [REFQ_CANCELLED] = CLI_MAGENTA,
};

cli_tone cli_tone_of(refq_status status)
{
    size_t i = (size_t)status;
    return i < sizeof status_tones / sizeof status_tones[0] ? status_tones[i] : CLI_PLAIN;
}

bool cli_colour_wanted(int fd)
{
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool refused = no != NULL && no[0] != '\0';
    bool dumb = term == NULL || strcmp(term, "dumb") == 0;
    return !refused && !dumb && isatty(fd);
}

void cli_paint(rqi_buf *out, bool colour, cli_tone tone, const char *text)
{
    bool painted = colour && tone != CLI_PLAIN;
    if (painted) {
        rqi_buf_adds(out, escapes[tone]);
    }
    rqi_buf_adds(out, text);
    if (painted) {
        rqi_buf_adds(out, "\x1b[0m");
    }
}

/* --- Tables ----------------------------------------------------------------------------------- */

cli_table cli_table_make(const cli_column *columns, size_t n_columns)
{
    return (cli_table){.columns = columns, .n_columns = n_columns};
}

static struct cli_cell *next_cell(cli_table *table)
{
    if (table->n_cells == table->room) {
        size_t room = table->room != 0 ? table->room * 2 : 64;
        struct cli_cell *cells = realloc(table->cells, room * sizeof *cells);
        if (cells == NULL) {
            return NULL;
        }
        table->cells = cells;
        table->room = room;
    }
    return &table->cells[table->n_cells];
}

static char *clean_copy(rqi_buf *raw)
{
    rqi_buf clean = {0};
    cli_text_clean(&clean, rqi_buf_str(raw), raw->len);
    if (clean.len == 0) {
        rqi_buf_addc(&clean, '-');
    }
    char *text = raw->err == REFQ_OK ? rqi_buf_take(&clean, NULL) : NULL;
    rqi_buf_done(&clean);
    return text;
}

void cli_table_add(cli_table *table, cli_tone tone, const char *fmt, ...)
{
    rqi_buf raw = {0};
    va_list ap;
    va_start(ap, fmt);
    rqi_buf_addvf(&raw, fmt, ap);
    va_end(ap);
    char *text = clean_copy(&raw);
    rqi_buf_done(&raw);
    struct cli_cell *cell = text != NULL ? next_cell(table) : NULL;
    if (cell == NULL) {
        free(text);
        table->failed = true;
        return;
    }
    *cell =
        (struct cli_cell){.text = text, .width = cli_text_width(text, strlen(text)), .tone = tone};
    table->n_cells++;
}

static size_t column_width(const cli_table *table, size_t column)
{
    const char *title = table->columns[column].title;
    size_t width = title != NULL ? strlen(title) : 0;
    for (size_t i = column; i < table->n_cells; i += table->n_columns) {
        width = table->cells[i].width > width ? table->cells[i].width : width;
    }
    return width;
}

static void pad(rqi_buf *out, size_t columns)
{
    while (columns-- > 0) {
        rqi_buf_addc(out, ' ');
    }
}

static void put_cell(rqi_buf *out, const cli_table *table, size_t column, size_t width, bool colour,
                     const struct cli_cell *cell)
{
    bool last = column + 1 == table->n_columns;
    bool right = table->columns[column].right;
    size_t gap = width - cell->width;
    pad(out, right ? gap : 0);
    cli_paint(out, colour, cell->tone, cell->text);
    pad(out, right || last ? 0 : gap);
    rqi_buf_adds(out, last ? "\n" : "  ");
}

static void put_heading(rqi_buf *out, const cli_table *table, const size_t *widths, bool colour)
{
    if (table->columns[0].title == NULL) {
        return;
    }
    for (size_t c = 0; c < table->n_columns; c++) {
        char *title = (char *)table->columns[c].title;
        struct cli_cell cell = {.text = title, .width = strlen(title), .tone = CLI_BOLD};
        put_cell(out, table, c, widths[c], colour, &cell);
    }
}

refq_err cli_table_render(const cli_table *table, bool colour, rqi_buf *out)
{
    size_t *widths = calloc(table->n_columns, sizeof *widths);
    if (widths == NULL || table->failed) {
        free(widths);
        return REFQ_ERR_NOMEM;
    }
    for (size_t c = 0; c < table->n_columns; c++) {
        widths[c] = column_width(table, c);
    }
    put_heading(out, table, widths, colour);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t c = i % table->n_columns;
        put_cell(out, table, c, widths[c], colour, &table->cells[i]);
    }
    free(widths);
    return out->err;
}

void cli_table_done(cli_table *table)
{
    for (size_t i = 0; i < table->n_cells; i++) {
        free(table->cells[i].text);
    }
    free(table->cells);
    *table = cli_table_make(table->columns, table->n_columns);
}
