/* SPDX-License-Identifier: MIT */
/*
 * rqi_buf: an owned, growable byte buffer with a hard maximum.
 *
 * DESIGN. Every byte that comes from outside is collected in one of these, so
 * the maximum is the place where "how large may this get" is decided. Errors
 * are sticky: after a failed append the buffer stays failed (REFQ_ERR_LIMIT,
 * REFQ_ERR_NOMEM, or REFQ_ERR_INTERNAL for a bad format) and later appends do
 * nothing, so a composer appends freely and asks once at the end. Raw memcpy of
 * foreign data happens only here.
 */
#ifndef RQI_BASE_BUF_H
#define RQI_BASE_BUF_H

#include <refq/bytes.h>
#include <refq/error.h>

#include <stdarg.h>

typedef struct rqi_buf {
    char *ptr;    /* owned; NULL while empty; one zero byte always follows the data */
    size_t len;   /* bytes in use */
    size_t cap;   /* bytes allocated */
    size_t max;   /* 0 = RQI_BUF_MAX */
    refq_err err; /* first failure, sticky */
} rqi_buf;

#define RQI_BUF_MAX ((size_t)512 * 1024 * 1024)

/* A buffer that refuses to grow beyond max bytes. `(rqi_buf){0}` is valid too. */
rqi_buf rqi_buf_make(size_t max);

void rqi_buf_add(rqi_buf *b, const void *ptr, size_t len);
void rqi_buf_adds(rqi_buf *b, const char *text);
void rqi_buf_addc(rqi_buf *b, char c);
void rqi_buf_addf(rqi_buf *b, const char *fmt, ...) REFQ_PRINTF(2, 3);
void rqi_buf_addvf(rqi_buf *b, const char *fmt, va_list ap) REFQ_PRINTF(2, 0);

/* Appends text as a JSON string, quotes included; text must be valid UTF-8. */
void rqi_buf_add_json(rqi_buf *b, const char *text, size_t len);

/* Makes room for at least extra bytes and returns where to write; NULL on failure.
 * Follow with rqi_buf_commit(). */
char *rqi_buf_reserve(rqi_buf *b, size_t extra);
void rqi_buf_commit(rqi_buf *b, size_t written);

/* Removes n bytes (at most all) from the front. */
void rqi_buf_consume(rqi_buf *b, size_t n);

/* Empties without giving memory back; also clears the error. */
void rqi_buf_clear(rqi_buf *b);

/* Frees the memory; the buffer is then empty and usable again. */
void rqi_buf_done(rqi_buf *b);

/* Returns the data, owned by the caller (free()), zero-terminated, and empties b. NULL when failed
 * or out of memory. */
char *rqi_buf_take(rqi_buf *b, size_t *ret_len);

/* Borrowed view of the content. */
refq_bytes rqi_buf_bytes(const rqi_buf *b);

/* The content as a terminated string; "" when empty. Borrowed. */
const char *rqi_buf_str(const rqi_buf *b);

#endif
