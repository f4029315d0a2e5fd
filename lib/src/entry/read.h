/* SPDX-License-Identifier: MIT */
/* Reading an entry of the ref cache, whoever wrote it. */
#ifndef RQI_ENTRY_READ_H
#define RQI_ENTRY_READ_H

#include "json/scan.h"

#include <refq/access.h>

/* An entry taken apart. `value` and `metadata` are slices of the entry's text. */
typedef struct rqi_entry_view {
    refq_bytes value;
    rqi_scan_kind kind;   /* of the value */
    refq_bytes metadata;  /* empty when there is none */
    char *namespace_name; /* owned */
    refq_policy *policy;  /* owned */
    int64_t created_at_ms;
    int64_t expires_at_ms; /* 0 = never */
} rqi_entry_view;

/* Free *ret with rqi_entry_view_done(). REFQ_ERR_PROTO when it is no entry: the error says which
 * member is wrong. */
REFQ_MUST_USE refq_err rqi_entry_read(refq_bytes text, rqi_entry_view *ret, refq_error *err);
void rqi_entry_view_done(rqi_entry_view *view);

/* As readers of the format have it: at this very moment it is expired. */
bool rqi_entry_has_expired(const rqi_entry_view *view, int64_t now_ms);

/* A member of the metadata that is a text; owned by the caller, NULL when there is none. */
char *rqi_entry_metadata_text(const rqi_entry_view *view, const char *name);

/* "object", "array", "string", "number", "boolean" or "null". */
const char *rqi_entry_type(rqi_scan_kind kind);

#endif
