/* SPDX-License-Identifier: MIT */
/* What the end of a program means for the attempt. */
#ifndef RQI_RUN_VERDICT_H
#define RQI_RUN_VERDICT_H

#include "run/keeper.h"
#include "run/outcome.h"

#include <refq/handlers.h>

#include <stdbool.h>

#define RQI_EXIT_PERMANENT 65 /* EX_DATAERR */
#define RQI_EXIT_RETRYABLE 75 /* EX_TEMPFAIL */

/* All that is known when a program has ended. Borrowed. */
typedef struct rqi_ending {
    const refq_exec_def *def;
    const rqi_child_event *event;
    bool cancelled;
    bool timed_out;
    bool overflowed; /* stdout exceeded max_output */
    int64_t timeout_ms;
    size_t max_output;
    rqi_buf *out; /* stdout; its content is taken when it becomes the value */
} rqi_ending;

#define RQI_WORDS_MAX 1040 /* bytes of the last line of stderr in an error */

/* ": <last line of stderr>", or nothing. */
void rqi_verdict_words(const rqi_outcome *outcome, char *out, size_t size);

/* The ends that have nothing to do with what the process itself says; false for all others. */
bool rqi_verdict_early(const rqi_ending *ending, rqi_outcome *outcome);

/* Fills in kind, value and error; outcome->log_tail is set already. */
void rqi_verdict(const rqi_ending *ending, rqi_outcome *outcome);

#endif
