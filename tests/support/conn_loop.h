/* SPDX-License-Identifier: MIT */
/*
 * One connection to Redis under test, on a loop in the test's own thread.
 *
 * Every request has an rqt_answer that counts its callbacks, so that "exactly once" is checked for
 * all of them by looking at one number.
 */
#ifndef RQT_CONN_LOOP_H
#define RQT_CONN_LOOP_H

#include "redis/conn.h"
#include "support/wait.h"

#include <event2/event.h>

typedef struct rqt_answer {
    int calls;
    refq_err code;
    char error[256];
    int type;
    size_t elements;
    char text[256];
    void (*then)(void); /* called from inside the callback */
} rqt_answer;

extern struct event_base *rqt_conn_base;
extern rqi_conn *rqt_conn;
extern int rqt_ups, rqt_downs; /* of rqt_conn */

void rqt_loop_begin(void);
void rqt_loop_end(void); /* closes the connection too */

/* Turns the loop until the condition holds or the budget is spent. */
#define RQT_RUN_UNTIL(cond, budget_ms) \
    RQT_UNTIL((event_base_loop(rqt_conn_base, EVLOOP_NONBLOCK), (cond)), budget_ms)

/* Turns the loop for a while, for what must not happen. */
void rqt_run_for(int ms);

/* Opens rqt_conn; timeout_ms and patient as in rqi_conn_options. */
void rqt_open_with(const char *url, int64_t timeout_ms, bool patient);
void rqt_open(const char *url); /* 5 s, not patient */
void rqt_close(void);

/* Sends a command given word by word, NULL at the end. */
void rqt_ask(rqt_answer *a, int64_t timeout_ms, ...);
void rqt_on_reply(void *arg, const refq_error *err, const redisReply *reply); /* arg: rqt_answer */

/* Wait up to 10 s for the answer. */
void rqt_expect_error(rqt_answer *a, refq_err code, const char *phrase);
void rqt_expect_text(rqt_answer *a, const char *text);
void rqt_ping(void);

#endif
