/* SPDX-License-Identifier: MIT */
/* A tool that programs in other languages drive: JSON lines on stdin, one answer each on stdout. */
#ifndef RQT_TOOLS_JSON_LINES_H
#define RQT_TOOLS_JSON_LINES_H

#include <refq/error.h>

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Returns the answer, which is taken. The request is borrowed. */
typedef json_t *(*rqt_answer_fn)(void *arg, const json_t *request);

/* Until the end of stdin. */
void rqt_lines_serve(rqt_answer_fn answer, void *arg);

/* {"ok": false, "error": ..., "text": ...} */
json_t *rqt_lines_failed(const refq_error *err);

/* Members of a request; NULL and 0 when they are not there. */
const char *rqt_lines_text(const json_t *request, const char *name);
int64_t rqt_lines_number(const json_t *request, const char *name);

#endif
