/* SPDX-License-Identifier: MIT */
/* A wall clock that a test can move under a program's feet. */
#ifndef RQT_WALL_CLOCK_H
#define RQT_WALL_CLOCK_H

#include <stdbool.h>

/* Maps a file that holds one int64_t: nanoseconds to add to this program's wall clock from now on.
 * The monotonic clock stays as it is. */
bool rqt_wall_clock_follow(const char *path);

#endif
