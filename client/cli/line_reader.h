/* SPDX-License-Identifier: MIT */
/* Lines of a file or of standard input, each bounded. */
#ifndef CLI_LINE_READER_H
#define CLI_LINE_READER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cli_line_reader {
    const char *name; /* borrowed; for messages */
    int fd;
    rqi_buf buf;    /* read, not handed out yet */
    size_t taken;   /* bytes of buf that the line handed out last takes */
    int64_t number; /* of that line, from 1 */
    bool at_end;
} cli_line_reader;

#define CLI_LINE_MAX ((size_t)2 * 1024 * 1024)

/* Opens a file, or standard input for "-". Returns an exit status. */
int cli_lines_open(cli_line_reader *reader, const char *path);

/* The next line without its end, terminated, valid until the next call; *ret_line is NULL at the
 * end. Returns an exit status. */
int cli_lines_next(cli_line_reader *reader, const char **ret_line);

/* Back to the first line; false when that is not possible (a pipe). */
bool cli_lines_rewind(cli_line_reader *reader);

void cli_lines_close(cli_line_reader *reader);

#endif
