/* SPDX-License-Identifier: MIT */
/*
 * Where a Redis server is and how to log in; docs/REDIS.md tells people.
 *
 *     redis://[user[:password]@]host[:port][/db][?option=value&...]
 *     rediss://...                        the same over TLS
 *     unix:///path/to/redis.sock[?db=N]   (user:password@ as above is allowed)
 *     redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/db]
 *     rediss+sentinel://...               TLS to the Sentinels and to the server
 *
 * Options: db, user, password_file, and for TLS ca, cert, key, server_name. User info and the
 * values of options may be percent-encoded.
 *
 * Each setting is taken from the first place that has it: an option of the URL, the URL itself, the
 * environment (REFQ_REDIS_USER, REFQ_REDIS_PASSWORD or REFQ_REDIS_PASSWORD_FILE, REFQ_REDIS_CA,
 * REFQ_REDIS_CERT, REFQ_REDIS_KEY; for the Sentinels' own login REFQ_SENTINEL_USER and
 * REFQ_SENTINEL_PASSWORD or REFQ_SENTINEL_PASSWORD_FILE).
 */
#ifndef RQI_REDIS_URL_H
#define RQI_REDIS_URL_H

#include <refq/error.h>

#include <stdbool.h>
#include <stddef.h>

#define RQI_URL_DEFAULT   "redis://127.0.0.1:6379"
#define RQI_SENTINELS_MAX 8
#define RQI_PASSWORD_MAX  511 /* bytes */

typedef enum rqi_scheme { RQI_SCHEME_TCP = 0, RQI_SCHEME_UNIX, RQI_SCHEME_SENTINEL } rqi_scheme;

typedef struct rqi_login {
    char user[128];                      /* empty = the default user */
    char password[RQI_PASSWORD_MAX + 1]; /* empty = none */
    char password_file[512];             /* wins over `password`; read anew for each connection */
} rqi_login;

typedef struct rqi_endpoint {
    char host[256]; /* name or address, without brackets */
    int port;
} rqi_endpoint;

/* Files in PEM form, read anew for each connection. */
typedef struct rqi_tls_settings {
    bool on;
    char ca[512];          /* file or folder of accepted CAs; empty = the system's */
    char cert[512];        /* our certificate and its chain; empty = none */
    char key[512];         /* its private key; set whenever cert is */
    char server_name[256]; /* the name to expect in the certificate; empty = the host's */
} rqi_tls_settings;

typedef struct rqi_url {
    rqi_scheme scheme;
    rqi_tls_settings tls;
    char host[256]; /* TCP only */
    int port;       /* TCP only */
    char path[108]; /* socket; unix only */
    rqi_login login;
    int db; /* 0 = no SELECT is sent */
    rqi_endpoint sentinels[RQI_SENTINELS_MAX];
    size_t sentinels_n;
    char master[65]; /* Sentinel's name of the server; Sentinel only */
    rqi_login sentinel_login;
    char shown[384]; /* for messages: never holds a password */
} rqi_url;

/* text NULL: REFQ_REDIS, else RQI_URL_DEFAULT. Files that it names are not looked at. */
refq_err rqi_url_parse(const char *text, rqi_url *ret, refq_error *err);

/* True for what may be a host's name or address, as in rqi_endpoint. */
bool rqi_url_is_host(const char *text);

#endif
