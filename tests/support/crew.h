/* SPDX-License-Identifier: MIT */
/* The workers of a chaos run: so many at a time, each replaced when a fault has taken it away. */
#ifndef RQT_CREW_H
#define RQT_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { RQT_CREW_MAX = 16 };

typedef struct rqt_crew_options {
    const char *const *programs; /* NULL-terminated: taken in turn */
    const char *history;         /* path */
    const char *clocks;          /* path: see tools/false_clock.h; a worker's place is its slot */
    int64_t lease_ms;
    int slots;
    int size;
} rqt_crew_options;

/* Options are borrowed until the end. */
void rqt_crew_start(const rqt_crew_options *options);

/* Replaces who is gone. Fails the test when somebody went without being told, but for a worker that
 * could not begin because the server did not answer: it gives up and says so. */
void rqt_crew_tend(void);

/* While there is no server nobody is hired. */
void rqt_crew_outage(bool on);

/* A worker's process, or 0 when it is frozen, leaving or gone. */
pid_t rqt_crew_pid(int slot);

/* kill -9 (returns when it is gone), SIGSTOP and SIGCONT, SIGTERM. */
void rqt_crew_kill(int slot);
void rqt_crew_freeze(int slot);
void rqt_crew_thaw(int slot);
void rqt_crew_dismiss(int slot);

/* Whether a dismissed worker has left; then it is replaced. */
bool rqt_crew_has_left(int slot);

/* SIGTERM to all; fails the test unless each ends with status 0. */
void rqt_crew_end(void);

#endif
