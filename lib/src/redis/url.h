/* SPDX-License-Identifier: MIT */
/*
 * Where a Redis server is and how to log in.
 *
 *     redis://[user[:password]@]host[:port][/db]
 *     unix:///path/to/redis.sock[?db=N]        (user:password@ as above is allowed)
 *
 * A password may also come from REFQ_REDIS_PASSWORD, which keeps it out of the process list. Parts
 * of the user info may be percent-encoded.
 */
#ifndef RQI_REDIS_URL_H
#define RQI_REDIS_URL_H

#include <refq/error.h>

#define RQI_URL_DEFAULT "redis://127.0.0.1:6379"

typedef enum rqi_scheme { RQI_SCHEME_TCP = 0, RQI_SCHEME_UNIX } rqi_scheme;

typedef struct rqi_url {
    rqi_scheme scheme;
    char host[256];     /* name or address without brackets; TCP only */
    char path[108];     /* socket; unix only */
    char user[128];     /* empty = none */
    char password[512]; /* empty = none */
    int port;           /* TCP only */
    int db;             /* 0 = no SELECT is sent */
    char shown[384];    /* for messages: never holds the password */
} rqi_url;

/* text NULL: REFQ_REDIS, else RQI_URL_DEFAULT. */
refq_err rqi_url_parse(const char *text, rqi_url *ret, refq_error *err);

#endif
