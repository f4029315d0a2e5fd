/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Plain write(2) instead of stdio: the first errno is known for sure,
 * nothing is lost in a buffer, and lines from the client's thread reach a pipe
 * at once. A reader that went away (`refq list | head -1`) is not worth a
 * message, but the exit status still says that not all was written.
 */
#include "out.h"

#include "exit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first failure, for good. Written by one thread at a time: the client's while it watches, the
 * main one otherwise. */
static int broken;

static bool put(const char *text, size_t len)
{
    while (len > 0 && broken == 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n >= 0) {
            text += n;
            len -= (size_t)n;
        } else if (errno != EINTR) {
            broken = errno;
        }
    }
    return broken == 0;
}

bool cli_out(const rqi_buf *content)
{
    return put(rqi_buf_str(content), content->len);
}

/* In one write: several commands may share one output (xargs -P), and lines must not tear. */
bool cli_out_line(const char *text)
{
    rqi_buf line = {0};
    rqi_buf_adds(&line, text);
    rqi_buf_addc(&line, '\n');
    bool good = line.err == REFQ_OK ? cli_out(&line) : put(text, strlen(text)) && put("\n", 1);
    rqi_buf_done(&line);
    return good;
}

int cli_out_json(json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(json);
    if (text == NULL) {
        return cli_fail_as(EX_OSERR, "out of memory for the JSON output");
    }
    (void)cli_out_line(text);
    free(text);
    return EX_OK;
}

int cli_out_table(cli_table *table)
{
    rqi_buf text = {0};
    refq_err code = cli_table_render(table, cli_colour_wanted(STDOUT_FILENO), &text);
    if (code == REFQ_OK) {
        (void)cli_out(&text);
    }
    rqi_buf_done(&text);
    cli_table_done(table);
    return code == REFQ_OK ? EX_OK : cli_fail_as(EX_OSERR, "out of memory for the table");
}

bool cli_out_broken(void)
{
    return broken != 0;
}

int cli_out_finish(int code)
{
    if (broken == 0) {
        return code;
    }
    if (broken != EPIPE) {
        return cli_fail_as(EX_IOERR, "cannot write the output: %s", strerror(broken));
    }
    return EX_IOERR;
}
