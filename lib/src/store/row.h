/* SPDX-License-Identifier: MIT */
/*
 * An entry's text taken apart into the columns of mcp-refcache's table, and put together again.
 *
 * DESIGN. The table is another program's, and so is what stands in it: a row is copied as it is
 * while the database is locked, and checked afterwards. Each part is checked by itself: a value
 * such as `1, "namespace": "public"` would make a well-formed entry that nobody wrote.
 */
#ifndef RQI_STORE_ROW_H
#define RQI_STORE_ROW_H

#include "base/buf.h"

#include <stdbool.h>

/* The columns of an entry. */
typedef struct rqi_row {
    refq_bytes value;      /* JSON text; borrowed, as are the others */
    refq_bytes namespace_; /* UTF-8 */
    refq_bytes policy;     /* JSON text of an object */
    refq_bytes metadata;   /* likewise */
    double created_at;     /* Unix seconds */
    double expires_at;     /* likewise */
    bool expires;          /* false: never; then expires_at means nothing */
} rqi_row;

/* Takes an entry apart. The namespace is decoded into *names, which the caller frees, and which is
 * borrowed by the row like the text. REFQ_ERR_INVALID when a member is missing, of the wrong kind,
 * or one that the table has no column for. */
refq_err rqi_row_split(refq_bytes text, rqi_row *ret, rqi_buf *names, refq_error *err);

/* Appends the entry. REFQ_ERR_PROTO when a part is not what it should be; then out is of no use. */
refq_err rqi_row_join(const rqi_row *row, rqi_buf *out, refq_error *err);

#endif
