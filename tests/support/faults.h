/* SPDX-License-Identifier: MIT */
/*
 * Faults, drawn by a seed and written into the history.
 *
 *     kill      a worker is killed, and replaced
 *     freeze    a worker stands still for more than three leases
 *     suspend   a worker stands still for one to three leases, and its clock with it
 *     nap       a worker stands still for less than half a lease
 *     term      a worker is told to end, and replaced
 *     restart   the server is killed, and started again on what it had persisted
 *     flush     the server forgets its functions
 *     destroy   the lanes lose their consumer groups
 *     cut       all connections are closed
 *     pause     the server answers nobody for more than a lease
 *     sleep     the server does nothing at all for up to more than a lease
 *     skew      the queue's clock jumps, and back
 *     wall      the workers' wall clocks jump, and back
 *     full      the server has no memory for new tasks
 *     truncate  restart, and what was written last is lost (only when asked for)
 *     failover  the primary is killed while its replica lags behind, and Sentinel promotes the
 *               replica (only when asked for; see sentinels.h, which must have been started)
 *
 * A suspended worker, like a suspended machine, does not notice: it reports what it had to report
 * while others run the same tasks.
 */
#ifndef RQT_FAULTS_H
#define RQT_FAULTS_H

#include "tools/false_clock.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct rqt_faults_options {
    uint64_t seed;
    const char *names; /* separated by commas; NULL = all that lose nothing */
    int history;       /* descriptor */
    int64_t lease_ms;
    rqt_offsets *clocks; /* the workers' */
    int crew;            /* workers */
    int64_t gap_ms;      /* between two faults, on average */
    void (*doom)(void);  /* called when what the server accepts now will be lost by a failover */
} rqt_faults_options;

/* False when a name is unknown; why is then printed. */
bool rqt_faults_known(const char *names);

/* Begins and ends faults that are due, and tends the crew. Call it every few milliseconds. */
void rqt_faults_start(const rqt_faults_options *options);
void rqt_faults_step(void);

/* Ends all faults that act; returns when everything is well again. */
void rqt_faults_heal(void);

/* How often so far. */
int rqt_faults_count(const char *name);

/* One line for each kind: how often. */
void rqt_faults_print(void);

#endif
