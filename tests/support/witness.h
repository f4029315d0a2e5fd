/* SPDX-License-Identifier: MIT */
/*
 * Handlers that bear witness, and workers for them.
 *
 * Each test has a redis-server and worker processes of its own. Handlers append a line to the file
 * `side` in their working directory for whatever they do, so that what really ran can be compared
 * with what Redis says. Background processes carry a number of their own in their command line, by
 * which strays are found.
 */
#ifndef RQT_WITNESS_H
#define RQT_WITNESS_H

#include <check.h>
#include <refq/refq.h>
#include <stdbool.h>
#include <sys/types.h>

/* Options of workers that have to be missed soon, with one slot and with four. */
extern const char *const rqt_one_slot[];
extern const char *const rqt_few_slots[];

/* Of workers that may not be missed, however busy the machine is. */
extern const char *const rqt_calm_one[];
extern const char *const rqt_calm_few[];
extern const char *const rqt_calm_many[];

/* A test case whose tests each have a server, and are audited at their end. */
TCase *rqt_witness_case(Suite *suite, const char *name);

/* Writes the handlers and their task file; returns its path. */
const char *rqt_witness_config(void);

/* The side file. */
const char *rqt_side(void);

/* How many of its lines start with `word`, and whether one is the task's. */
int rqt_said(const char *word);
bool rqt_said_by(const char *word, const refq_ref *ref);
void rqt_expect_said(const char *word, int n, int budget_ms);

/* Processes that handlers have left behind. */
int rqt_strays(void);

/* The worker that runs the task. */
pid_t rqt_runner_of(const refq_ref *ref);

#endif
