/* SPDX-License-Identifier: MIT */
/* A worker inside of the test process, on a thread of its own. One at a time. */
#ifndef RQT_INWORKER_H
#define RQT_INWORKER_H

#include <refq/refq.h>

/* Makes a worker on the fixture's server; zero numbers mean the test's defaults: a lease of 5 s,
 * 4 slots. */
void rqt_inworker_make(refq_worker_options o);

/* Has it serve a queue. Takes the reference. */
void rqt_inworker_serve(const char *queue, refq_handlers *set);

void rqt_inworker_start(void);

/* Stops it and frees it; fails the test unless refq_worker_run() answered so. */
void rqt_inworker_stop(refq_err expected);

/* Waits for it to end by itself. */
void rqt_inworker_expect_end(refq_err expected);

refq_worker *rqt_inworker(void);

/* How often the log had a line with this text; for ever: never reset within a test. */
int rqt_inworker_said(const char *text);

/* A new set; a C handler for it. */
refq_handlers *rqt_handlers(void);
void rqt_handlers_add(refq_handlers *set, refq_task_def def, refq_run_mode mode, refq_handler fn,
                      void *arg);

#endif
