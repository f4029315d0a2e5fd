/* SPDX-License-Identifier: MIT */
/* One attempt run by an external program. */
#ifndef RQI_RUN_EXEC_H
#define RQI_RUN_EXEC_H

#include "run/ask.h"
#include "run/keeper.h"
#include "run/outcome.h"

#include <refq/bytes.h>
#include <refq/handlers.h>

typedef struct rqi_exec rqi_exec;

/* What to run. All pointers are borrowed until rqi_exec_start() returns, except def, which must
 * outlive the run. */
typedef struct rqi_exec_call {
    const refq_exec_def *def;
    refq_bytes args;         /* JSON text, an object; given to the program as it is */
    refq_bytes named;        /* those of them that the command names; empty = look into args */
    const char *ref_id;      /* REFQ_REF_ID */
    const char *fence;       /* REFQ_FENCE */
    unsigned attempt;        /* REFQ_ATTEMPT */
    const char *traceparent; /* TRACEPARENT; NULL = not set */
    int64_t timeout_ms;      /* 0 = no limit; running out is a retryable failure */
    const refq_logger *log;  /* borrowed for the whole run; may be NULL */

    /* Both come from the loop, never from inside rqi_exec_start() or rqi_exec_cancel(). on_done
     * comes exactly once, when the program and its whole process group have ended; it borrows the
     * outcome and may empty outcome->value (rqi_buf_take). The rqi_exec is gone when on_done is
     * called. on_progress may be NULL; its message is NULL when the program gave none. */
    void (*on_progress)(void *arg, int64_t current, int64_t total, const char *message);

    /* The program asks a person: {"question":"text"}, with "schema" (an object) when it gave one;
     * at most RQI_ASK_MAX bytes. The question is open until rqi_exec_answer(), and so long
     * timeout_ms does not run; another one meanwhile is dropped. NULL instead of JSON: the program
     * closed fd 3 and reads no answer. NULL for the callback: every question is refused. */
    void (*on_ask)(void *arg, const char *json, size_t len);
    void (*on_done)(void *arg, rqi_outcome *outcome);
    void *arg;
} rqi_exec_call;

/* Starts the program. On failure nothing was started and on_done will not come; a program that
 * cannot be executed (missing, not executable) is reported through on_done as RQI_PERMANENT.
 * REFQ_ERR_INVALID and REFQ_ERR_LIMIT: the task's arguments do not fit the command line (they never
 * will); any other error may pass. */
refq_err rqi_exec_start(rqi_keeper *keeper, const rqi_exec_call *call, rqi_exec **ret,
                        refq_error *err);

/* Tells the program ({"cancel":true} on fd 3 and TERM to its group, KILL after the grace). on_done
 * still comes, as RQI_CANCELLED. Idempotent. */
void rqi_exec_cancel(rqi_exec *exec);

/* Answers the open question with a JSON value. REFQ_ERR_CONFLICT: none is open; REFQ_ERR_INVALID:
 * no JSON; REFQ_ERR_LIMIT: over RQI_ANSWER_MAX bytes. */
refq_err rqi_exec_answer(rqi_exec *exec, const char *json, size_t len);

/* Frees a run that was cut short by rqi_keeper_stop(), before its loop is freed; on_done will not
 * come. NULL is fine. */
void rqi_exec_drop(rqi_exec *exec);

#endif
