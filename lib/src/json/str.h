/* SPDX-License-Identifier: MIT */
/*
 * The characters of a JSON string, given as its text with the quotes, which a
 * scan has found well-formed.
 *
 * DESIGN. A character is what Python calls one: a code point, where two \u
 * escapes that make a surrogate pair are one and a lone surrogate is one, too.
 */
#ifndef RQI_JSON_STR_H
#define RQI_JSON_STR_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct rqi_str {
    const char *p;   /* the next character; borrowed */
    const char *end; /* the closing quote */
} rqi_str;

#define RQI_STR_PY_MAX 12 /* bytes a character takes at most in Python's ASCII form */

rqi_str rqi_str_open(refq_bytes string);

/* The next character; false at the end. */
bool rqi_str_next(rqi_str *s, uint32_t *ret_char);

static inline bool rqi_str_is_surrogate(uint32_t c)
{
    return c >= 0xd800 && c <= 0xdfff;
}

/* Characters in the string: Python's len(). */
size_t rqi_str_len(refq_bytes string);

/* Bytes the character takes in a string as json.dumps() writes it: 1, 2, 6 or 12. */
unsigned rqi_str_py_width(uint32_t c);

/* Appends it in that form. */
void rqi_str_add_py(rqi_buf *out, uint32_t c);

/* Appends it as UTF-8; a lone surrogate in the same three-byte pattern, which is no UTF-8. */
void rqi_str_add_utf8(rqi_buf *out, uint32_t c);

/* Appends the string's content as UTF-8, U+FFFD for lone surrogates. It can hold zero bytes. */
void rqi_str_decode(refq_bytes string, rqi_buf *out);

/* Whether two strings say the same, however they are escaped. */
bool rqi_str_equal(refq_bytes a, refq_bytes b);

/* Whether the string says name (UTF-8, terminated). */
bool rqi_str_is(refq_bytes string, const char *name);

#endif
