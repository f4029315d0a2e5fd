/* SPDX-License-Identifier: MIT */
/*
 * The worker's end of a program's fd 3: one JSON object a line.
 *
 *     up    {"progress":{...}}   {"ask":...}
 *     down  {"cancel":true}      {"answer":...}   {"error":"why there is no answer"}
 */
#ifndef RQI_RUN_CONTROL_H
#define RQI_RUN_CONTROL_H

#include "run/ask.h"
#include "run/lines.h"
#include "run/progress.h"

#include <refq/log.h>

#include <stdbool.h>

struct event_base;
struct event;

/* All may be called from inside rqi_control_drain() too; none may close the control. */
typedef struct rqi_control_calls {
    void (*on_progress)(void *arg, const rqi_progress *progress);
    /* A question, valid JSON; it is open until rqi_control_answer() or rqi_control_refuse(). NULL:
     * the program closed its end, so the question is open no more. */
    void (*on_ask)(void *arg, const char *json, size_t len);
    /* {"log":{"level":1,"line":"event=..."}}; NULL: such a line is none that is known. */
    void (*on_log)(void *arg, int level, const char *line);
    void *arg;
} rqi_control_calls;

typedef struct rqi_control {
    int fd; /* -1 = closed */
    bool asking;
    const refq_logger *log; /* borrowed; may be NULL */
    struct event *readable;
    struct event *writable;
    rqi_lines lines;
    rqi_buf out; /* what the socket did not take yet */
    rqi_control_calls calls;
} rqi_control;

/* Takes *fd (non-blocking) and sets it to -1; on failure it is left alone. */
refq_err rqi_control_open(rqi_control *c, struct event_base *base, int *fd, refq_error *err);

/* Reads what has come, up to n chunks. */
void rqi_control_drain(rqi_control *c, unsigned n);

void rqi_control_cancel(rqi_control *c);

/* Answers the open question with any JSON value. REFQ_ERR_CONFLICT: none is open; REFQ_ERR_INVALID:
 * not JSON; REFQ_ERR_LIMIT: over RQI_ANSWER_MAX bytes, or the program reads nothing. */
refq_err rqi_control_answer(rqi_control *c, const char *json, size_t len);

/* Tells why there will be no answer; closes the open question, if any. */
void rqi_control_refuse(rqi_control *c, const char *why);

/* Twice is fine. */
void rqi_control_close(rqi_control *c);

#endif
