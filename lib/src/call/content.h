/* SPDX-License-Identifier: MIT */
/*
 * What the arguments of a call say once references stand for their values: by
 * this identical calls know each other.
 *
 * DESIGN. A value given by reference and the same value written out make the
 * same call, as long as the values are small and whoever calls may READ them. A
 * value that he may only EXECUTE counts by its reference: if it counted by its
 * content, guesses could be tried against it by looking which call is joined. So
 * does the value of a task that still runs, and one that JSON's strict form
 * cannot hold. Where such a reference stands is part of what the call says: for
 * a text of the same letters inside of a value nobody was asked whether he may
 * use what it names.
 */
#ifndef RQI_CALL_CONTENT_H
#define RQI_CALL_CONTENT_H

#include <refq/bytes.h>
#include <refq/error.h>

#include <jansson.h>
#include <stdbool.h>

enum { RQI_CONTENT_MAX = 64 };

#define RQI_CONTENT_BYTES ((size_t)1 << 20) /* of all values, at each of their places */

/* Zero-initialised. */
typedef struct rqi_content {
    struct {
        const char *ref_id; /* borrowed */
        char *text;         /* of its value, owned; NULL = it counts as itself */
        size_t len;
    } items[RQI_CONTENT_MAX];
    size_t n;
    size_t bytes;
    bool too_large; /* all count as themselves */
} rqi_content;

/* One reference of the arguments; at most RQI_CONTENT_MAX. `value` is copied; a NULL ptr: it counts
 * as itself. */
REFQ_MUST_USE refq_err rqi_content_add(rqi_content *content, const char *ref_id, refq_bytes value,
                                       refq_error *err);

/* Writes the arguments with values in the place of references, and in *ret_references where which
 * references are left (NULL = none are). Both JSON text, owned by the caller (free()). */
REFQ_MUST_USE refq_err rqi_content_write(const rqi_content *content, const json_t *args,
                                         char **ret_args, char **ret_references, refq_error *err);

void rqi_content_done(rqi_content *content);

#endif
