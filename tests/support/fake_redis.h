/* SPDX-License-Identifier: MIT */
/*
 * A server that plays a script: what a real Redis never does, at exactly the moment a test needs.
 *
 *     static const rqt_step script[] = {
 *         {RQT_EXPECT, "SETNAME"}, {RQT_SEND, "+OK\r\n"},
 *         {RQT_EXPECT, "PING"}, {RQT_STALL, "+PONG\r\n"},
 *         {RQT_CLOSE},
 *         {RQT_ACCEPT},            the second and every further connection plays this
 *         {RQT_HANG},
 *     };
 *     rqt_fake_start(RQT_FAKE_UNIX, script, RQT_STEPS(script));
 *
 * The end of a script closes the connection.
 */
#ifndef RQT_FAKE_REDIS_H
#define RQT_FAKE_REDIS_H

#include <stddef.h>

typedef enum rqt_step_kind {
    RQT_EXPECT = 1, /* read until the text has come; what follows it is kept for the next EXPECT */
    RQT_SEND,       /* write the text */
    RQT_STALL,      /* write it byte by byte, each in a packet of its own */
    RQT_FLOOD,      /* write it again and again until the other side has had enough */
    RQT_CLOSE,
    RQT_HANG,  /* read nothing, write nothing, keep the connection */
    RQT_DRAIN, /* read everything, write nothing, until the other side closes */
    RQT_ACCEPT /* what follows is for the next connection; the last such part serves all others */
} rqt_step_kind;

typedef struct rqt_step {
    rqt_step_kind kind;
    const char *text;
} rqt_step;

#define RQT_STEPS(script) (sizeof(script) / sizeof((script)[0]))

typedef enum rqt_fake_kind { RQT_FAKE_UNIX = 0, RQT_FAKE_TCP } rqt_fake_kind;

/* Listens at once, serves in child processes that end with this one. One server at a time.
 * Aborts when it cannot. */
void rqt_fake_start(rqt_fake_kind kind, const rqt_step *script, size_t n);
void rqt_fake_stop(void);

const char *rqt_fake_url(void);   /* "unix:///tmp/..." or "redis://127.0.0.1:port" */
const char *rqt_fake_shown(void); /* the address as error messages give it */
int rqt_fake_connections(void);   /* accepted so far */

/* A TCP port of 127.0.0.1 on which nobody listens now. */
int rqt_free_port(void);

#endif
