/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The program's own definitions of libc's clock functions take the place of libc's for it
 * and for the shared libraries it uses. They ask the kernel, so nothing of libc has to be found at
 * run time, and a preloaded library, which sanitizers do not like, is not needed.
 */
#include "tools/false_clock.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static rqt_offsets none;
static rqt_offsets *offsets = &none;
static int64_t *monotonic = &none.monotonic[0];

bool rqt_false_clock_follow(const char *path, size_t which)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *place = fd >= 0 ? mmap(NULL, sizeof *offsets, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (place == MAP_FAILED || which >= sizeof none.monotonic / sizeof none.monotonic[0]) {
        return false;
    }
    offsets = place;
    monotonic = &offsets->monotonic[which];
    return true;
}

static int64_t offset_of(clockid_t clock)
{
    const int64_t *place = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE
                               ? &offsets->wall
                           : clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE ? monotonic
                                                                                         : NULL;
    return place != NULL ? __atomic_load_n(place, __ATOMIC_RELAXED) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    long rc = syscall(SYS_clock_gettime, clock, ret);
    int64_t offset = rc == 0 ? offset_of(clock) : 0;
    if (offset != 0) {
        int64_t ns = (int64_t)ret->tv_sec * 1000000000 + ret->tv_nsec + offset;
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
