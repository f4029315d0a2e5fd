/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t which)
{
    struct timespec ts;
    (void)clock_gettime(which, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t rqi_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t rqi_mono_ms(void)
{
    return rqi_mono_us() / 1000;
}

int64_t rqi_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}
