/* SPDX-License-Identifier: MIT */
/* The worker processes of one test. */
#ifndef RQT_FLEET_H
#define RQT_FLEET_H

#include <sys/types.h>

/* Starts a worker (see rqt_worker) and waits until it is registered. */
pid_t rqt_fleet_add(const char *config, const char *const *options);

/* kill -9; the process is reaped. */
void rqt_fleet_kill(pid_t pid);

/* The worker ends by itself with this status; fails the test when it does not within 20 s. */
void rqt_fleet_expect_end(pid_t pid, int status);

/* SIGTERM; fails the test unless the worker ends with status 0. */
void rqt_fleet_stop(pid_t pid);

/* The same for all that are left. */
void rqt_fleet_end(void);

/* The worker whose incarnation this is; fails the test when there is none. */
pid_t rqt_fleet_pid(const char *incarnation);

/* Whether any worker's log holds the text. */
int rqt_fleet_said(const char *text);

#endif
