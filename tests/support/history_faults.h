/* SPDX-License-Identifier: MIT */
/* The faults of a history, and what they explain. */
#ifndef RQT_HISTORY_FAULTS_H
#define RQT_HISTORY_FAULTS_H

#include "support/history.h"

#define RQT_FOREVER INT64_MAX

typedef struct rqt_window rqt_window;

typedef struct rqt_faults_seen {
    rqt_window *windows; /* owned: when each fault acted */
    size_t n;
} rqt_faults_seen;

refq_err rqt_faults_seen_read(const rqt_history *h, rqt_faults_seen *ret);
void rqt_faults_seen_done(rqt_faults_seen *f);

/* Whether a fault that explains repeated or doubled attempts hit the worker in that time. */
bool rqt_fault_hit_worker(const rqt_faults_seen *f, pid_t worker, int64_t from_ns, int64_t to_ns);

/* Whether the server may have forgotten what was so at the first time, by the second. */
bool rqt_fault_lost_memory(const rqt_faults_seen *f, int64_t from_ns, int64_t to_ns);

/* How long, in ns, faults held up the server or the worker between two times. */
int64_t rqt_fault_held_up(const rqt_faults_seen *f, pid_t worker, int64_t from_ns, int64_t to_ns);

/* When the worker was killed, if it was after that time; else RQT_FOREVER. */
int64_t rqt_fault_killed_at(const rqt_faults_seen *f, pid_t worker, int64_t from_ns);

#endif
