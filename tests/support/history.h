/* SPDX-License-Identifier: MIT */
/*
 * The history of a run: what producers, handlers and faults did, written outside of Redis.
 *
 * One line an event, one write() a line, appended by any number of processes:
 *
 *     <monotonic ns> <wall ms> <pid> <event> <ref> <attempt> <fence> [name=value ...]
 *
 * with `-` for a ref or fence there is none of, and 0 for no attempt. All processes of a run share
 * one machine and so one monotonic clock; wall time is for people only.
 *
 *     event     by        details
 *     submit    producer  task, retries (allowed), key; before each try
 *     accepted  producer  as (the task to follow), existed
 *     refused   producer  code; the try's outcome is unknown, or it was refused
 *     cancel    producer  before it asks
 *     stopped   producer  status; the answer to a cancel
 *     seen      producer  as final; what a reader saw on the way
 *     start     handler   worker (pid)
 *     done      handler   value (hash of what it is about to return)
 *     failed    handler   class: retry | permanent
 *     told      handler   it was told to stop, and does
 *     fault     faults    id, name, target (pid; 0 = the server), reach, back, for (ms it lasted:
 * it is over) healed    faults    id final     reader    status (none = no such task), failures,
 * deaths, reason, value, and of the value: vref, vattempt, vfence. Attempt and fence are the
 * record's
 *
 * `reach` says what a fault explains: `none` = nothing, `worker` = that the target's attempts run
 * again or twice, `loss` = that the server forgot the last moments before it: `back`
 * milliseconds (3000 unless stated).
 */
#ifndef RQT_HISTORY_H
#define RQT_HISTORY_H

#include <refq/refq.h>

#include <stdbool.h>
#include <sys/types.h>

typedef enum rqt_event_kind {
    RQT_SUBMIT = 0,
    RQT_ACCEPTED,
    RQT_REFUSED,
    RQT_CANCEL,
    RQT_STOPPED,
    RQT_SEEN,
    RQT_START,
    RQT_DONE,
    RQT_FAILED,
    RQT_TOLD,
    RQT_FAULT,
    RQT_HEALED,
    RQT_FINAL,
    RQT_EVENT_KINDS
} rqt_event_kind;

const char *rqt_event_name(rqt_event_kind kind);

/* --- Writing ---------------------------------------------------------------------------------- */

/* Opens the file for appending; the descriptor, or -1. Any thread may write to it. */
int rqt_history_open(const char *path);

/* Appends one event now. ref and fence may be NULL; details may be "". A line that could not be
 * written as a whole ends the program: a history with holes proves nothing. */
void rqt_history_add(int fd, rqt_event_kind kind, const char *ref, unsigned attempt,
                     const char *fence, const char *details, ...) REFQ_PRINTF(6, 7);

/* The hash that `value` holds. */
uint64_t rqt_history_hash(const char *text, size_t len);

/* --- Reading ---------------------------------------------------------------------------------- */

typedef struct rqt_fence {
    uint64_t ms;
    uint64_t seq;
} rqt_fence;

typedef struct rqt_event {
    int64_t at_ns;
    rqt_event_kind kind;
    pid_t pid;
    unsigned attempt;
    rqt_fence fence;     /* 0-0 = none */
    const char *ref;     /* "-" = none; borrowed from the history */
    const char *details; /* "" = none; likewise */
    const char *line;    /* the whole line; likewise */
} rqt_event;

typedef struct rqt_history {
    rqt_event *events; /* sorted by reference, then by time */
    size_t n;
    size_t cap;
    char **texts; /* owned: two for each file */
    size_t texts_n;
} rqt_history;

/* Adds a file's events (or a text's, for tests); call rqt_history_sort() after the last one. The
 * error names the line. */
refq_err rqt_history_read(rqt_history *h, const char *path, refq_error *err);
refq_err rqt_history_parse(rqt_history *h, const char *text, refq_error *err);
void rqt_history_sort(rqt_history *h);
void rqt_history_done(rqt_history *h);

/* A detail as text (into out; false when it is not there) or number (otherwise: `missing`). */
bool rqt_event_text(const rqt_event *e, const char *name, char *out, size_t size);
int64_t rqt_event_number(const rqt_event *e, const char *name, int64_t missing);

int rqt_fence_compare(rqt_fence a, rqt_fence b);

#endif
