/* SPDX-License-Identifier: MIT */
/*
 * The function library, called directly: workers that are nothing but calls, so that a test decides
 * which of them says what and when. Queue "docs".
 */
#ifndef RQT_LIBRARY_H
#define RQT_LIBRARY_H

#include <hiredis/hiredis.h>

#include <stdint.h>

#define RQT_CLAIMS 128

typedef struct rqt_claim {
    char hex[33];
    char entry[48];
    char task[65];
    int attempt;
    int failures, deaths, crashes;
    char scope[512];
} rqt_claim;

/* What one call handed out and answered. */
typedef struct rqt_claims {
    int n;
    rqt_claim c[RQT_CLAIMS];
    char state[8];
    int parked, more;
    int64_t alarm;
    char answer[16]; /* to the one report, "" when there was none */
} rqt_claims;

/* Loads the library; call after each FLUSHALL, which keeps functions, or FUNCTION FLUSH. */
void rqt_library_load(void);

/* FCALL of a function of the library: name and arguments as redisCommand() takes them. The reply is
 * owned. An error reply fails the test. */
redisReply *rqt_fcall(const char *format, ...);

/* The same; an error reply is returned. */
redisReply *rqt_fcall_any(const char *format, ...);

/* The hex digits of task n. Valid for eight calls. */
const char *rqt_hex(int n);

/* Submits task n; pairs: "" or "timeout_ms 5 max_retries 2". delay in ms. */
void rqt_queue_task(int n, const char *task, const char *lane, int64_t delay_ms, const char *pairs);

/* A worker's first beat; offers: names separated by blanks, which go to the catalog too. */
void rqt_worker_begin(const char *worker, const char *offers);
/* A later beat: the order it got, "" for none; *ret_orders: how many tasks have orders. */
const char *rqt_worker_beat(const char *worker, int *ret_orders);

/* finish without reports. */
rqt_claims rqt_claim_some(const char *worker, int want, const char *limits);

/* finish with one report, claiming nothing; returns the answer. format: op and values. */
const char *rqt_report(const char *worker, const rqt_claim *c, const char *format, ...);

/* A field of task n's record, "" when not set. */
const char *rqt_record(int n, const char *name);

/* Moves the clock that the functions see. */
void rqt_pass_time(int64_t ms);

/* The library's own audit of the whole queue: the violations, one a line, "" when there are none.
 */
const char *rqt_library_audit(void);

#endif
