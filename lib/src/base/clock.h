/* SPDX-License-Identifier: MIT */
/* Time. Durations and deadlines use the monotonic clock; wall time is for logs only: every time
 * that is stored comes from the Redis server's clock. */
#ifndef RQI_BASE_CLOCK_H
#define RQI_BASE_CLOCK_H

#include <stdint.h>

int64_t rqi_mono_ms(void);
int64_t rqi_mono_us(void);
int64_t rqi_wall_ms(void);

#endif
