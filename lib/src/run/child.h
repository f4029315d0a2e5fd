/* SPDX-License-Identifier: MIT */
/*
 * A C handler in a process of its own.
 *
 * DESIGN. A handler that crashes takes its process along; in a child of the
 * keeper that is one attempt and not the worker with all it runs. The child is
 * forked from the keeper like a program, but calls the handler instead of
 * executing something: the keeper was forked before there were threads, so
 * everything may be called in the child, and the code and data of the program
 * are there, as they were when the keeper was forked. All else is as for a
 * program: minder, pipes, limits, stderr tail, and fd 3 for progress, questions
 * and the order to stop. What is new:
 *
 *     stdin    a rqi_child_input, then plugin path, configuration and arguments
 *     stdout   a rqi_child_result, then error text and value; the handler's own
 *              stdout is its stderr
 *
 * Executing the worker's binary again, with the handler's name as an option, would
 * be the other way; it costs a start for each attempt and cannot know what an
 * embedding program has registered.
 */
#ifndef RQI_RUN_CHILD_H
#define RQI_RUN_CHILD_H

#include "run/exec.h"
#include "run/run.h"

/* Starts run->handler in a child. Of the run, ref, fence, number, task, timeout_ms, deadline_ms and
 * args (codec byte and msgpack) are read; of the call, timeout_ms, log, callbacks and of its def
 * kill_grace_ms, log_tail and limits (def NULL: the defaults). As rqi_exec_start() else: the same
 * callbacks, the same calls for *ret. A child that dies without a result ends as RQI_CRASHED.
 * REFQ_ERR_UNSUPPORTED: the handler was registered after the keeper was started. */
refq_err rqi_child_start(rqi_keeper *keeper, const rqi_run *run, const rqi_exec_call *call,
                         rqi_exec **ret, refq_error *err);

#endif
