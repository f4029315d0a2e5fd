/* SPDX-License-Identifier: MIT */
/*
 * Responses: what a tool call or a poll answers, as one JSON object.
 *
 * The names of its members are those that agents and their servers know from
 * mcp-refcache; docs/CALL.md lists them. A response is either complete (it
 * carries the value, or a preview of it), or async: the task is not over, or it
 * has failed or was cancelled.
 */
#ifndef REFQ_RESPONSE_H
#define REFQ_RESPONSE_H

#include <refq/error.h>
#include <refq/export.h>
#include <refq/task.h>

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How much an async response tells. */
typedef enum refq_format {
    REFQ_FORMAT_STANDARD = 0, /* minimal, and started_at, progress, message */
    REFQ_FORMAT_MINIMAL,      /* ref_id, status, is_complete, is_async */
    REFQ_FORMAT_FULL /* standard, and eta_seconds, error, retry_count, can_retry, expected_schema */
} refq_format;

/* "minimal", "standard" or "full". */
REFQ_API const char *refq_format_name(refq_format format);
/* REFQ_ERR_INVALID when text is none of them; the error names them. */
REFQ_API REFQ_MUST_USE refq_err refq_format_parse(const char *text, refq_format *ret,
                                                  refq_error *err);

/* A response. Owned: free it with refq_response_free(). */
typedef struct refq_response {
    char *json; /* one JSON object that strict parsers accept; terminated; owned */
    size_t len;
    bool is_async;      /* no value (yet): see status */
    bool is_complete;   /* the whole value is in it */
    refq_status status; /* of the task; REFQ_COMPLETE for any value */
} refq_response;

/* NULL, and a response that was freed, are fine. */
REFQ_API void refq_response_free(refq_response *response);

#ifdef __cplusplus
}
#endif
#endif
