/* SPDX-License-Identifier: MIT */
/* What the files of a run in a process share: exec.c looks after any, exec_start.c starts programs,
 * child.c handlers of this program. */
#ifndef RQI_RUN_EXEC_STATE_H
#define RQI_RUN_EXEC_STATE_H

#include "run/control.h"
#include "run/exec.h"
#include "run/pipes.h"
#include "run/scrape.h"
#include "run/tail.h"
#include "run/verdict.h"

struct event;

/* In what the two kinds of process differ. */
typedef struct rqi_exec_manner {
    refq_err (*spawn)(rqi_exec *e, const rqi_exec_call *call, refq_error *err);
    void (*verdict)(const rqi_ending *ending, rqi_outcome *outcome);
    bool logs; /* it may write lines into the worker's log */
    bool term; /* it is told to end by TERM; false: by the line on fd 3 alone */
} rqi_exec_manner;

struct rqi_exec_stream {
    rqi_exec *exec;
    struct event *event; /* NULL once closed */
};

struct rqi_exec {
    rqi_keeper *keeper;
    const rqi_exec_manner *manner;
    refq_exec_def def;  /* its pointers are borrowed */
    rqi_exec_call call; /* only timeout_ms, log and callbacks: the rest was the caller's */
    uint64_t id;
    rqi_pipes pipes;
    struct rqi_exec_stream streams[RQI_LOG + 1];
    struct event *timer; /* until stopping the timeout, then the grace */
    int64_t deadline_ms; /* of the timeout, monotonic; 0 = none */
    int64_t left_ms;     /* of the timeout while a question is open */
    rqi_buf out;
    rqi_buf folder; /* path; empty = none */
    rqi_tail tail;
    rqi_control control;
    rqi_scrape *scrape; /* NULL = no pattern */
    size_t max_output;
    bool stopping; /* it was told to end */
    bool cancelled;
    bool timed_out;
    bool overflowed;
    bool ended;
};

/* Opens the pipes (input NULL: an empty stdin), watches them and calls spawn. */
refq_err rqi_exec_begin(rqi_keeper *keeper, const rqi_exec_call *call,
                        const rqi_exec_manner *manner, const refq_bytes *input, rqi_exec **ret,
                        refq_error *err);

/* For spawn: completes the order and hands it to the keeper. */
refq_err rqi_exec_order(rqi_exec *e, rqi_spawn *order, refq_error *err);

#endif
