/* SPDX-License-Identifier: MIT */
/* A hiredis reader that does not believe array headers. */
#ifndef RQI_REDIS_READER_H
#define RQI_REDIS_READER_H

#include <hiredis/hiredis.h>

/* NULL when out of memory; free with redisReaderFree(). */
redisReader *rqi_reader_new(void);

#endif
