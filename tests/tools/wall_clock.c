/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The program's own definitions of libc's clock functions take the place of libc's for it
 * and for the shared libraries it uses. They ask the kernel, so nothing of libc has to be found at
 * run time, and a preloaded library, which sanitizers do not like, is not needed.
 */
#include "tools/wall_clock.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t no_offset;
static int64_t *offset_ns = &no_offset;

bool rqt_wall_clock_follow(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *place =
        fd >= 0 ? mmap(NULL, sizeof *offset_ns, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (place == MAP_FAILED) {
        return false;
    }
    offset_ns = place;
    return true;
}

static bool is_wall(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    long rc = syscall(SYS_clock_gettime, clock, ret);
    if (rc == 0 && is_wall(clock)) {
        int64_t ns = (int64_t)ret->tv_sec * 1000000000 + ret->tv_nsec +
                     __atomic_load_n(offset_ns, __ATOMIC_RELAXED);
        ret->tv_sec = (time_t)(ns / 1000000000);
        ret->tv_nsec = (long)(ns % 1000000000);
    }
    return (int)rc;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec t = {0};
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    ret->tv_sec = t.tv_sec;
    ret->tv_usec = (suseconds_t)(t.tv_nsec / 1000);
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (ret != NULL) {
        *ret = t.tv_sec;
    }
    return t.tv_sec;
}
