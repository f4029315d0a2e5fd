/* SPDX-License-Identifier: MIT */
/* JSON pointers: where in a document something is. A place is a chain of steps from the root, so
 * that going down costs nothing and the text is only made when somebody asks. */
#ifndef RQI_SCHEMA_PLACE_H
#define RQI_SCHEMA_PLACE_H

#include "base/buf.h"

#include <jansson.h>

#include <stdbool.h>

typedef struct rqi_js_place {
    const struct rqi_js_place *up; /* NULL: the root, and nothing below counts */
    const char *key;               /* NULL: an array's index */
    size_t key_len;
    size_t index;
} rqi_js_place;

/* Appends the pointer; nothing for the root. */
void rqi_js_place_write(rqi_buf *out, const rqi_js_place *place);

/* Steps from the root. */
size_t rqi_js_place_depth(const rqi_js_place *place);

/* Takes the first step off a JSON pointer ("/a~1b/3" gives "a/b") and unescapes it into `out`,
 * which it replaces. False at the end and for what is no pointer: then *pointer is left where it
 * is. */
bool rqi_js_pointer_next(const char **pointer, rqi_buf *out);

/* The value that a pointer's step leads to; NULL when there is none. Borrowed. */
json_t *rqi_js_pointer_step(const json_t *value, const rqi_buf *step, rqi_js_place *ret);

#endif
