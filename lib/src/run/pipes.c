/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. stdin is a file in memory, not a pipe: the arguments are complete
 * before the program starts, so there is nothing to feed, no EPIPE and no
 * SIGPIPE when it does not read them, and it may seek. stdout and stderr are
 * pipes, because programs reopen /dev/stdout, which a socket refuses. fd 3 is a
 * socket pair, because it goes both ways.
 */
#include "run/pipes.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Some systems demand it (vm.memfd_noexec), older kernels and headers do not know it. */
#define NO_EXEC_SEAL 0x8U

void rqi_pipe_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

void rqi_pipes_close_theirs(rqi_pipes *pipes)
{
    for (int i = 0; i < RQI_N_PIPES; i++) {
        rqi_pipe_close(&pipes->theirs[i]);
    }
}

void rqi_pipes_close(rqi_pipes *pipes)
{
    rqi_pipes_close_theirs(pipes);
    for (int i = 0; i < RQI_N_PIPES; i++) {
        rqi_pipe_close(&pipes->ours[i]);
    }
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int open_input(const refq_bytes *input)
{
    if (input == NULL) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    int fd = memfd_create("refq-args", MFD_CLOEXEC | NO_EXEC_SEAL);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("refq-args", MFD_CLOEXEC);
    }
    if (fd >= 0 && (write_all(fd, input->ptr, input->len) != 0 || lseek(fd, 0, SEEK_SET) != 0)) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int open_pipe(rqi_pipes *p, int which)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return -1;
    }
    p->ours[which] = fds[0];
    p->theirs[which] = fds[1];
    return fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

static int open_control(rqi_pipes *p)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return -1;
    }
    p->ours[RQI_CONTROL] = fds[0];
    p->theirs[RQI_CONTROL] = fds[1];
    return fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

refq_err rqi_pipes_open(rqi_pipes *pipes, const refq_bytes *input, refq_error *err)
{
    rqi_pipes p = {.ours = {-1, -1, -1, -1}, .theirs = {-1, -1, -1, -1}};
    p.theirs[RQI_IN] = open_input(input);
    if (p.theirs[RQI_IN] < 0 || open_pipe(&p, RQI_OUT) != 0 || open_pipe(&p, RQI_LOG) != 0 ||
        open_control(&p) != 0) {
        refq_err code =
            rqi_fail(err, REFQ_ERR_IO, "cannot open the pipes of a program: %s", strerror(errno));
        rqi_pipes_close(&p);
        return code;
    }
    *pipes = p;
    return REFQ_OK;
}
