/* SPDX-License-Identifier: MIT */
/* Tasks in tests: submitted by the client library, looked at as redis-cli would. */
#ifndef RQT_TASKS_H
#define RQT_TASKS_H

#include <refq/refq.h>

#define RQT_QUEUE "docs"

/* One client for the whole test, made on first use. */
refq_client *rqt_client(void);
void rqt_client_end(void);

/* Submits one task of RQT_QUEUE; the reference and the size of the spec are filled in here. */
refq_ref rqt_submit(refq_spec spec);

/* Its text; valid until the next call. */
const char *rqt_ref_text(const refq_ref *ref);

/* A field of the task's hash, "" when it is not set; valid until the next Redis call. */
const char *rqt_field(const refq_ref *ref, const char *name);
long long rqt_number(const refq_ref *ref, const char *name);

/* A field of the queue's meta hash. */
long long rqt_meta(const char *name);

bool rqt_is(const refq_ref *ref, const char *status);
void rqt_expect(const refq_ref *ref, const char *status, int budget_ms);

/* Whether nothing is pending or processing now. */
bool rqt_is_idle(void);

/* Waits until nothing is pending or processing; fails the test after the budget. */
void rqt_expect_idle(int budget_ms);

/* Callers noted of the one task that has any: 0 until the second has come. */
long long rqt_callers(void);

/* The stored cache entry, "" when there is none; valid until the next Redis call. */
const char *rqt_entry(const refq_ref *ref);

#endif
