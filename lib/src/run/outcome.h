/* SPDX-License-Identifier: MIT */
/* How an attempt ended, whatever ran it. */
#ifndef RQI_RUN_OUTCOME_H
#define RQI_RUN_OUTCOME_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum rqi_outcome_kind {
    RQI_DONE = 0,  /* value holds the result: valid JSON text */
    RQI_RETRYABLE, /* failed; another attempt may succeed */
    RQI_PERMANENT, /* failed; another attempt would fail too */
    RQI_CANCELLED, /* ended because it was told to */
    RQI_CRASHED    /* a C handler took its own process down: a death, no failure */
} rqi_outcome_kind;

#define RQI_ERROR_MAX   2048 /* bytes of an error text */
#define RQI_ERROR_SHORT 64   /* of them in a record */

typedef struct rqi_outcome {
    rqi_outcome_kind kind;
    rqi_buf value;             /* RQI_DONE only; owned */
    char error[RQI_ERROR_MAX]; /* valid UTF-8, one or a few lines; empty when done */
    rqi_buf log_tail;          /* last bytes of stderr, however it ended; valid UTF-8; owned */
    int64_t retry_after_ms;    /* -1 = by backoff */
    bool lost;                 /* nobody knows how it ended: no failure of the handler */
} rqi_outcome;

/* Sets the kind and the text of a failure; what is not UTF-8 in it is replaced. */
void rqi_outcome_fail(rqi_outcome *outcome, rqi_outcome_kind kind, const char *fmt, ...)
    REFQ_PRINTF(3, 4);

/* Cuts an error text to what a record keeps of it: one line, whole characters, "..." at the end
 * when it was longer. */
void rqi_outcome_short(const char *error, char out[RQI_ERROR_SHORT + 1]);

/* Appends the line of a task's history that tells of an attempt, one JSON object. class: "done",
 * "retryable", "permanent" ...; worker: who ran it. */
void rqi_outcome_history(const rqi_outcome *outcome, unsigned attempt, int64_t at_ms,
                         const char *class, const char *worker, rqi_buf *out);

/* Frees what the outcome owns. */
void rqi_outcome_done(rqi_outcome *outcome);

#endif
