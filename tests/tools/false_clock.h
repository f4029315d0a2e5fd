/* SPDX-License-Identifier: MIT */
/* Clocks that a test can move under a program's feet. */
#ifndef RQT_FALSE_CLOCK_H
#define RQT_FALSE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a file of offsets holds: nanoseconds to add to the clocks of the programs that follow it. */
typedef struct rqt_offsets {
    int64_t wall;          /* of all of them */
    int64_t monotonic[16]; /* of one each: a machine that was suspended counts less time */
} rqt_offsets;

/* Maps the file; from now on this program's clocks follow it. which: its place in `monotonic`. */
bool rqt_false_clock_follow(const char *path, size_t which);

#endif
