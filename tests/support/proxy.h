/* SPDX-License-Identifier: MIT */
/*
 * A middleman between workers and the fixture's server that breaks connections at a chosen moment:
 * just before the server sees a request, or just after it has run it.
 */
#ifndef RQT_PROXY_H
#define RQT_PROXY_H

typedef enum rqt_aim {
    RQT_CLAIMS,  /* calls that only claim; for a lost reply, those that were given tasks */
    RQT_REPORTS, /* calls that report ends of attempts (and claim as well) */
    RQT_SUBMITS,
    RQT_INPUTS /* what a worker asks about entries that its task's arguments refer to */
} rqt_aim;

typedef enum rqt_fault {
    RQT_LOSE_REQUEST, /* the server never sees it */
    RQT_LOSE_REPLY,   /* the server has run it, the caller is not told */
    RQT_HOLD_REQUEST  /* nothing more of this connection arrives until rqt_proxy_let_go() */
} rqt_fault;

/* One proxy per process, in a thread of its own. */
void rqt_proxy_start(void);
void rqt_proxy_stop(void);
const char *rqt_proxy_url(void);

/* From now on breaks each `every`-th call aimed at, `times` times in all. */
void rqt_proxy_aim(rqt_aim aim, rqt_fault fault, int every, int times);
int rqt_proxy_hits(void); /* since the last aim */
void rqt_proxy_let_go(void);

#endif
