/* SPDX-License-Identifier: MIT */
#include "support/wait.h"

#include <time.h>

int64_t rqt_now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void rqt_nap(void)
{
    struct timespec ts = {.tv_nsec = 5000000};
    (void)nanosleep(&ts, NULL);
}
