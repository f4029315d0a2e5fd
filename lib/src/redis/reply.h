/* SPDX-License-Identifier: MIT */
/* Reading replies without trusting their shape. */
#ifndef RQI_REDIS_REPLY_H
#define RQI_REDIS_REPLY_H

#include <refq/bytes.h>
#include <refq/error.h>

#include <hiredis/hiredis.h>
#include <stdint.h>

/* Walks a flat array. A wrong type or a missing element sets `bad` and yields zero values, so a
 * reader takes what it expects and asks once at the end. */
typedef struct rqi_cursor {
    const redisReply *array;
    size_t at;
    int bad;
} rqi_cursor;

rqi_cursor rqi_cursor_of(const redisReply *reply);
int rqi_cursor_more(const rqi_cursor *cur);

/* Strings of digits count as numbers: Redis hashes hold text. */
int64_t rqi_next_int(rqi_cursor *cur);

/* Borrowed from the reply; never NULL, hiredis terminates every string with a zero byte. */
refq_bytes rqi_next_bytes(rqi_cursor *cur);
const char *rqi_next_str(rqi_cursor *cur);

/* Fills err from an error reply ("-OOM ...") and returns the code it stands for. */
refq_err rqi_reply_error(const redisReply *reply, refq_error *err);

/* 1 when the error says that this connection leads to the wrong or an unready server. */
int rqi_reply_wants_reconnect(const redisReply *reply);

/* REFQ_ERR_PROTO with a sentence, for a reply of an unexpected shape. */
refq_err rqi_reply_unexpected(refq_error *err, const char *what);

#endif
