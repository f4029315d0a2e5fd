/* SPDX-License-Identifier: MIT */
#include "line_reader.h"

#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)64 * 1024)

int cli_lines_open(cli_line_reader *r, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    *r = (cli_line_reader){.name = standard ? "standard input" : path,
                           .fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC),
                           .buf = rqi_buf_make(CLI_LINE_MAX + CHUNK)};
    if (r->fd == -1) {
        return cli_fail_as(EX_NOINPUT, "cannot open %s: %s", path, strerror(errno));
    }
    return EX_OK;
}

static int read_more(cli_line_reader *r)
{
    char *to = rqi_buf_reserve(&r->buf, CHUNK);
    if (to == NULL) {
        return cli_fail_as(EX_OSERR, "out of memory for %s", r->name);
    }
    ssize_t n = read(r->fd, to, CHUNK);
    if (n < 0 && errno != EINTR) {
        return cli_fail_as(EX_NOINPUT, "cannot read %s: %s", r->name, strerror(errno));
    }
    rqi_buf_commit(&r->buf, n > 0 ? (size_t)n : 0);
    r->at_end = n == 0;
    return EX_OK;
}

/* A terminator in the middle would hide what follows it. */
static int take(cli_line_reader *r, size_t len, const char **ret_line)
{
    r->number++;
    r->taken = len < r->buf.len ? len + 1 : len;
    size_t text = len > 0 && r->buf.ptr[len - 1] == '\r' ? len - 1 : len;
    if (memchr(r->buf.ptr, '\0', text) != NULL) {
        return cli_fail_as(EX_DATAERR, "%s:%lld: there is a zero byte in the line", r->name,
                           (long long)r->number);
    }
    r->buf.ptr[text] = '\0';
    *ret_line = r->buf.ptr;
    return EX_OK;
}

int cli_lines_next(cli_line_reader *r, const char **ret_line)
{
    rqi_buf_consume(&r->buf, r->taken);
    r->taken = 0;
    *ret_line = NULL;
    for (size_t seen = 0;;) {
        const char *end =
            r->buf.len > seen ? memchr(r->buf.ptr + seen, '\n', r->buf.len - seen) : NULL;
        if (end != NULL) {
            return take(r, (size_t)(end - r->buf.ptr), ret_line);
        }
        if (r->at_end) {
            return r->buf.len > 0 ? take(r, r->buf.len, ret_line) : EX_OK;
        }
        if (r->buf.len > CLI_LINE_MAX) {
            return cli_fail_as(EX_DATAERR, "%s:%lld: the line is longer than the 2 MiB allowed",
                               r->name, (long long)r->number + 1);
        }
        seen = r->buf.len;
        int code = read_more(r);
        if (code != EX_OK) {
            return code;
        }
    }
}

bool cli_lines_rewind(cli_line_reader *r)
{
    struct stat st;
    if (fstat(r->fd, &st) != 0 || !S_ISREG(st.st_mode) || lseek(r->fd, 0, SEEK_SET) != 0) {
        return false;
    }
    rqi_buf_clear(&r->buf);
    r->taken = 0;
    r->number = 0;
    r->at_end = false;
    return true;
}

void cli_lines_close(cli_line_reader *r)
{
    if (r->fd > STDIN_FILENO) {
        (void)close(r->fd);
    }
    rqi_buf_done(&r->buf);
}
