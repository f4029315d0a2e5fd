/* SPDX-License-Identifier: MIT */
/* Running programs through a keeper of the test's own, and looking at what they leave behind. */
#ifndef RQT_SUPPORT_EXEC_RUN_H
#define RQT_SUPPORT_EXEC_RUN_H

#include "run/exec.h"

#include <check.h>

#include <event2/event.h>
#include <sys/stat.h>

#define RQT_BUDGET_MS 30000

/* Made anew for every test by rqt_exec_case(). */
extern char rqt_dir[64]; /* an empty folder */
extern struct event_base *rqt_base;
extern rqi_keeper *rqt_keeper;
extern refq_error rqt_error; /* of the last call that took one */

/* What is known of one run. Zero it before rqt_run_start(), but for what asks for something. */
struct rqt_run {
    rqi_exec *exec;
    int done;
    rqi_outcome_kind kind;
    char value[8192]; /* its start */
    size_t value_len;
    char error[RQI_ERROR_MAX];
    int64_t retry_after_ms;
    char tail[65536 + 1];
    int marked; /* processes with `mark` when the end was reported */
    const char *mark;
    int n_progress;
    int64_t current, total;
    char message[80];
    int n_debug; /* lines of fd 3 that were logged as ignored */
    bool cancel_on_progress;
    bool askable;       /* false: there is no on_ask */
    const char *answer; /* to every question, at once; NULL = none */
    refq_err answered;
    int n_asks;
    int n_unasked; /* questions that were given up */
    char asked[RQI_ASK_MAX + 1];
    refq_logger logger; /* counts n_debug */
};

/* A test case whose tests each have a folder and a keeper. */
TCase *rqt_exec_case(Suite *suite, const char *name);

void rqt_keeper_up(void);
void rqt_keeper_down(void);

/* Writes an executable (by mode) shell script into the folder. */
void rqt_script(const char *name, const char *body, mode_t mode);

/* A call whose callbacks fill in *run; what to run is left to the caller. */
rqi_exec_call rqt_call(struct rqt_run *run);

/* Starts a run; its callbacks fill in *run. */
refq_err rqt_run_start(struct rqt_run *run, const refq_exec_def *def, const char *args,
                       int64_t timeout_ms);
void rqt_run_wait(const struct rqt_run *run);

/* Lets the loop turn until *n is at least `want`. */
void rqt_turn_until(const int *n, int want);

/* Lets the loop turn for some milliseconds. */
void rqt_turn_for(int64_t ms);

/* Start and wait. */
struct rqt_run rqt_run_def(const refq_exec_def *def, const char *args, int64_t timeout_ms);
struct rqt_run rqt_run_script(const char *body, refq_exec_output output);

/* The run's kind, and its value or error. */
void rqt_run_expect(const struct rqt_run *run, rqi_outcome_kind kind, const char *text);

/* A number of seconds that no other sleep in the system has. */
const char *rqt_new_mark(void);

/* Living processes with `mark` as a part of one of their arguments. */
int rqt_count_marked(const char *mark);
void rqt_wait_marked(const char *mark, int want);

/* A child of `parent` with this name; 0 when there is none. */
pid_t rqt_find_child(pid_t parent, const char *name);

int rqt_count_fds(void);

#endif
