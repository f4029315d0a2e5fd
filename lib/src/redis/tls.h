/* SPDX-License-Identifier: MIT */
/* Turning a connected socket into a TLS stream, and telling people what went wrong with it. For
 * stream.c. */
#ifndef RQI_REDIS_TLS_H
#define RQI_REDIS_TLS_H

#include "redis/url.h"

struct bufferevent;
struct event_base;

/* What is learned while hands are shaken, for the error text. Must stay where it is until
 * rqi_tls_leave(). */
typedef struct rqi_tls_notes {
    char expected[256]; /* the name or address that the certificate must hold */
    char found[160];    /* the names it holds; "" until they do not match */
    char until[32];     /* when it ran out, "" otherwise */
    bool asked;         /* the server asked for a certificate */
    bool shown;         /* and there was one to show */
} rqi_tls_notes;

/* Takes the socket (closes it on failure too) and begins the handshake: the bufferevent reports
 * BEV_EVENT_CONNECTED once the server's certificate has been verified. host: as it was connected
 * to. *ret is owned by the caller. */
refq_err rqi_tls_start(struct event_base *base, const rqi_tls_settings *settings, const char *host,
                       int fd, rqi_tls_notes *notes, struct bufferevent **ret, refq_error *err);

/* Says why the stream has ended. shown: the server, for the text; heard: it has sent data before;
 * saved: errno. */
refq_err rqi_tls_explain(struct bufferevent *bev, const rqi_tls_notes *notes, const char *shown,
                         bool heard, int saved, refq_error *err);

/* Forgets the notes; call before freeing the bufferevent. */
void rqi_tls_leave(struct bufferevent *bev);

#endif
