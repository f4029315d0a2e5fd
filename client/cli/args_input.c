/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The arguments are encoded once here only to be checked, before
 * anything is sent: a mistake in them is told without needing a server. The
 * library encodes them again when it submits, which costs nothing that counts.
 */
#include "args_input.h"

#include "exit.h"

#include "codec/args.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int read_fd(int fd, const char *what, const char *name, rqi_buf *out)
{
    char chunk[16 * 1024];
    while (out->err == REFQ_OK) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0) {
            return EX_OK;
        }
        if (n > 0) {
            rqi_buf_add(out, chunk, (size_t)n);
        } else if (errno != EINTR) {
            return cli_fail_as(EX_NOINPUT, "%s: cannot read %s: %s", what, name, strerror(errno));
        }
    }
    return EX_OK;
}

static int read_file(const char *path, const char *what, rqi_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return cli_fail_as(EX_NOINPUT, "%s: cannot open %s: %s", what, path, strerror(errno));
    }
    int code = read_fd(fd, what, path, out);
    (void)close(fd);
    return code;
}

int cli_input_read(const char *given, const char *what, rqi_buf *out)
{
    if (strcmp(given, "-") == 0) {
        return read_fd(STDIN_FILENO, what, "standard input", out);
    }
    if (given[0] == '@') {
        return read_file(given + 1, what, out);
    }
    rqi_buf_adds(out, given);
    return EX_OK;
}

static int check(const rqi_buf *json)
{
    if (json->err == REFQ_ERR_LIMIT) {
        return cli_fail_as(EX_DATAERR, "--args: the arguments are larger than the 1 MiB allowed; "
                                       "put the data in a file and pass its path");
    }
    if (json->err != REFQ_OK) {
        return cli_fail_as(EX_OSERR, "--args: out of memory");
    }
    rqi_buf packed = {0};
    refq_error err = {0};
    refq_err code = rqi_args_encode(rqi_buf_str(json), json->len, &packed, &err);
    rqi_buf_done(&packed);
    return code == REFQ_OK ? EX_OK : cli_fail_as(EX_DATAERR, "%s", err.text);
}

int cli_args_read(const char *given, rqi_buf *out)
{
    *out = rqi_buf_make(RQI_ARGS_MAX);
    int code = cli_input_read(given != NULL ? given : "{}", "--args", out);
    return code == EX_OK ? check(out) : code;
}
