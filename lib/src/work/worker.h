/* SPDX-License-Identifier: MIT */
/*
 * The worker's loop: what its parts share.
 *
 * DESIGN. One thread runs an event loop that claims, starts programs and
 * reports; handlers run elsewhere (programs, pool threads). Four connections:
 *
 *   main    finish/pull and mine: everything that changes tasks, in one order, so that a reply to
 *           `mine` always tells the state after all earlier calls
 *   bell    BLPOP, parked while there is nothing to do
 *   orders  subscribed to this incarnation's channel: cancellations
 *   beat    the lease, in a thread of its own (lease.c)
 *
 *   claim.c  what is sent over `main`, and when      bell.c   waiting for work
 *   mine.c   after a lost reply: who holds what      setup.c  options and handlers
 *   report.c how an attempt's end is told            orders.c cancellations by push
 *   worker.c start, stop, incarnations
 */
#ifndef RQI_WORK_WORKER_H
#define RQI_WORK_WORKER_H

#include "redis/conn.h"
#include "run/executor.h"
#include "task/fcall.h"
#include "task/keys.h"
#include "work/attempt.h"
#include "work/lease.h"

#include <refq/work.h>

#define RQI_BATCH_MAX     128                 /* reports, and claims, of one call */
#define RQI_INLINE_RESULT ((size_t)64 * 1024) /* larger results are staged */
#define RQI_STAGED_TTL_MS 600000
#define RQI_UNKNOWN_MS    5000 /* before a task this worker cannot run is offered again */

struct rqi_bell;
struct rqi_orders;

struct refq_worker {
    refq_worker_options o; /* numbers filled in; strings are copied into what follows */
    rqi_url url;
    rqi_keys keys;
    char queue[REFQ_QUEUE_MAX + 1];
    refq_handlers *handlers;   /* a reference; NULL until it serves a queue */
    char id[REFQ_HEX_LEN + 1]; /* this incarnation */
    unsigned generation;       /* rises with each incarnation */

    struct event_base *base;
    rqi_executor *executor;
    rqi_lease *lease;
    rqi_conn *conn;
    struct rqi_bell *bell;
    struct rqi_orders *orders;
    rqi_cmd cmd;                        /* scratch */
    rqi_buf scratch[RQI_BATCH_MAX * 3]; /* texts of one call, reused */
    int notify_fd;                      /* the lease thread wakes the loop */
    struct event *notify;
    struct event *kick;     /* activated to look once per turn whether something is to be sent */
    struct event *later;    /* looks again after a pause: progress, or a call that failed */
    struct event *alarm;    /* the next due task that is ours to wake up for */
    struct event *deadline; /* of the drain */

    struct rqi_attempts held; /* all attempts */
    struct rqi_attempts ready;
    size_t held_n, ready_n;
    size_t running_n; /* loading or running: these take slots */

    bool started; /* registered: may claim */
    bool draining;
    bool saying_bye;
    bool stuck;     /* a handler's thread still uses this struct: it is never freed */
    bool broken;    /* the last call failed for a reason that time may mend */
    bool hungry;    /* free slots should be filled: nothing says that nothing is there */
    bool parked;    /* Redis lists us as waiting for the bell */
    bool last_full; /* the last claim got all it wanted */
    bool recount;   /* ask `mine` before anything else */
    bool asking_mine;
    unsigned calls;          /* finish calls under way */
    size_t claiming;         /* slots spoken for by them */
    int64_t clock_offset_ms; /* server's clock - monotonic clock */
    int fd_stop;             /* eventfd: refq_worker_stop() */
    struct event *stop;
    unsigned stops;
    refq_error failed; /* why the loop ended, REFQ_OK = asked to */
    bool progress_any; /* some attempt has progress to be sent */
};

/* The handler has ended (or never started): report it. On the loop's thread. */
void rqi_worker_attempt_done(rqi_attempt *a);

rqi_attempt *rqi_worker_find(refq_worker *w, const char *hex, const char *entry_or_null);
void rqi_worker_add(refq_worker *w, rqi_attempt *a);
void rqi_worker_drop(refq_worker *w, rqi_attempt *a); /* removes and frees */
int64_t rqi_worker_server_ms(const refq_worker *w);
void rqi_worker_fail(refq_worker *w, const refq_error *err); /* ends the loop with an error */

/* The incarnation is dead to Redis: stop everything it ran and begin a new one. */
void rqi_worker_reborn(refq_worker *w);

/* claim.c */
void rqi_claim_kick(refq_worker *w); /* look for something to send, once per turn of the loop */
void rqi_claim_now(refq_worker *w);  /* there may be work: do not trust being parked */
void rqi_claim_look(refq_worker *w); /* called by the kick event */
void rqi_claim_up(void *arg);        /* the main connection is up */

void rqi_claim_pause(refq_worker *w); /* after a failure that is not the connection's */

/* mine.c: asks what Redis believes we hold; nothing else is sent until that is settled. */
void rqi_mine_ask(refq_worker *w);

/* report.c: adds one report to the command; strings live in scratch bufs. */
void rqi_report_add(refq_worker *w, rqi_attempt *a, rqi_buf scratch[2]);
void rqi_report_progress(refq_worker *w, rqi_attempt *a, rqi_buf scratch[1]);
void rqi_report_stage(refq_worker *w, rqi_attempt *a); /* SETs a large result beforehand */

/* bell.c */
refq_err rqi_bell_new(refq_worker *w, struct rqi_bell **ret, refq_error *err);
void rqi_bell_listen(struct rqi_bell *bell);
void rqi_bell_free(struct rqi_bell *bell);

/* orders.c */
refq_err rqi_orders_new(refq_worker *w, struct rqi_orders **ret, refq_error *err);
void rqi_orders_renew(struct rqi_orders *orders); /* the incarnation has changed */
void rqi_orders_cancel(refq_worker *w, const char *hex);
void rqi_orders_free(struct rqi_orders *orders);

#endif
