/* SPDX-License-Identifier: MIT */
/*
 * The worker's loop: what its parts share.
 *
 * DESIGN. One thread runs an event loop that claims, starts programs and
 * reports; handlers run elsewhere (programs, pool threads). Each queue it serves
 * is a line (line.h); these share the slots and the connections:
 *
 *   main    finish/pull and mine: everything that changes tasks, in one order, so that a reply to
 *           `mine` always tells the state after all earlier calls
 *   bell    BLPOP, parked while there is nothing to do; one for each queue, because it blocks
 *   orders  subscribed to each incarnation's channel: cancellations, answers
 *   beat    the leases, in a thread of its own (lease.c)
 *
 *   claim.c  when something is sent, and for whom    call.c    what is sent over `main`
 *   intake.c from a claim to a running attempt       bell.c    waiting for work
 *   mine.c   after a lost reply: who holds what      setup.c   options and queues
 *   report.c how an attempt's end is told            orders.c  what comes by push
 *   notes.c  what it tells while it runs             drain.c   stopping
 *   notices.c what other threads say                 worker.c  the loop
 */
#ifndef RQI_WORK_WORKER_H
#define RQI_WORK_WORKER_H

#include "redis/conn.h"
#include "run/executor.h"
#include "task/fcall.h"
#include "work/call.h"
#include "work/claim.h"
#include "work/lease.h"
#include "work/line.h"

#include <refq/work.h>

#include <pthread.h>

struct rqi_orders;

struct refq_worker {
    refq_worker_options o; /* numbers filled in; the rest is copied into what follows */
    refq_access access;
    rqi_url url;
    char prefix[RQI_PREFIX_MAX + 1];
    rqi_line *lines[RQI_LINES_MAX]; /* owned */
    size_t lines_n;
    size_t turn; /* the line that is served first among equals */

    struct event_base *base;
    rqi_executor *executor;
    rqi_lease *lease;
    rqi_conn *conn;
    struct rqi_orders *orders;
    rqi_cmd cmd;                            /* scratch */
    rqi_buf scratch[RQI_BATCH_MAX * 3 + 1]; /* texts of one call, reused */
    int notify_fd;                          /* other threads wake the loop */
    struct event *notify;
    struct event *kick;     /* activated to look once per turn whether something is to be sent */
    struct event *deadline; /* of the drain */

    size_t running_n;            /* attempts of all lines that take slots */
    size_t claiming;             /* slots spoken for by calls under way */
    struct rqi_attempts waiting; /* those that must run alone */
    size_t waiting_n;
    int64_t stuck_seen_ms; /* monotonic */
    rqi_attempt *loner;    /* the one whose turn it is */

    bool draining;
    bool quiet;              /* claims nothing */
    bool stuck;              /* a handler's thread still uses this struct: it is never freed */
    int64_t clock_offset_ms; /* server's clock - monotonic clock */
    int fd_stop;             /* eventfd: refq_worker_stop() */
    struct event *stop;
    unsigned stops;
    refq_error failed; /* why the loop ended, REFQ_OK = asked to */

    pthread_mutex_t lock; /* guards what follows, and each line's fresh handlers */
    bool quiet_asked;
    bool health_on;     /* the lease can be asked */
    int64_t asked_ms;   /* when somebody wanted a sign of life from the loop; 0 = it was given */
    refq_health health; /* without sums and ages */
};

/* The line of a queue; NULL when it serves none of that name. */
rqi_line *rqi_worker_line(refq_worker *w, const char *queue);

/* Has the loop look at what other threads have left for it. Any thread. */
void rqi_worker_wake(refq_worker *w);

/* The handler has ended (or never started): report it. On the loop's thread. */
void rqi_worker_attempt_done(rqi_attempt *a);

int64_t rqi_worker_server_ms(const refq_worker *w);
void rqi_worker_fail(refq_worker *w, const refq_error *err); /* ends the loop with an error */

/* What the next beats will say. */
void rqi_worker_tell_lease(refq_worker *w);

/* mine.c: asks what Redis believes we hold; nothing else is sent until that is settled. */
void rqi_mine_ask(rqi_line *line);

/* report.c: adds one report to the command; strings live in scratch bufs. */
void rqi_report_add(rqi_attempt *a, rqi_buf scratch[2]);
void rqi_report_stage(rqi_attempt *a); /* SETs a large result beforehand */

/* bell.c */
refq_err rqi_bell_new(rqi_line *line, struct rqi_bell **ret, refq_error *err);
void rqi_bell_listen(struct rqi_bell *bell);
void rqi_bell_free(struct rqi_bell *bell);

/* orders.c */
refq_err rqi_orders_new(refq_worker *w, struct rqi_orders **ret, refq_error *err);
void rqi_orders_listen(struct rqi_orders *orders,
                       const rqi_line *line); /* to a new incarnation's */
void rqi_orders_free(struct rqi_orders *orders);

/* The attempt's task was cancelled / its question was answered. */
void rqi_orders_cancel(rqi_line *line, const char *hex);
void rqi_orders_answer(rqi_line *line, const char *hex);
/* '' | quiet | drain: what stands for this worker in its queue. */
void rqi_orders_standing(rqi_line *line, const char *order);

#endif
