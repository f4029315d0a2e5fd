/* SPDX-License-Identifier: MIT */
#include "redis/url.h"

#include "base/error.h"
#include "base/parse.h"
#include "redis/url_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMS                                                                               \
    "write redis://[user:password@]host[:port][/db], rediss:// for TLS, redis+sentinel:// " \
    "or unix:///path/to/socket"

#define SENTINEL_FORM "write redis+sentinel://host[:port],host[:port]/master[/db]"

#define HOST_CHARS                                                   \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
    ".-_:%" /* the last two in IPv6 addresses and their zones */

#define MASTER_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379 };

/* Takes `user[:password]@` off the front of *text when it is there. */
static refq_err take_user(const char **text, rqi_url *url, refq_error *err)
{
    size_t authority = strcspn(*text, "/?");
    const char *at = memrchr(*text, '@', authority);
    if (at == NULL) {
        return REFQ_OK;
    }
    rqi_login *login = &url->login;
    size_t len = (size_t)(at - *text);
    const char *colon = memchr(*text, ':', len);
    size_t user_len = colon != NULL ? (size_t)(colon - *text) : len;
    bool good = rqi_url_decode(*text, user_len, login->user, sizeof login->user);
    if (good && colon != NULL) {
        good =
            rqi_url_decode(colon + 1, len - user_len - 1, login->password, sizeof login->password);
    }
    if (!good) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the user or password in the Redis URL is too long or badly %%-encoded");
    }
    *text = at + 1;
    return REFQ_OK;
}

static refq_err parse_port(const char *text, int *ret, refq_error *err)
{
    int64_t port = 0;
    if (rqi_parse_int(text, 1, 65535, &port, NULL) != REFQ_OK) {
        /* Not quoted: where the host was forgotten, it is the password. */
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the port in the Redis URL must be a number from 1 to 65535; " FORMS);
    }
    *ret = (int)port;
    return REFQ_OK;
}

bool rqi_url_is_host(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len < sizeof((rqi_endpoint){0}.host) && strspn(text, HOST_CHARS) == len;
}

/* host, host:port, [v6] or [v6]:port; text is a private copy. */
static refq_err parse_endpoint(char *text, int default_port, rqi_endpoint *ret, refq_error *err)
{
    char *host = text;
    char *port = NULL;
    if (text[0] == '[') {
        char *close = strchr(text, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != ':')) {
            return rqi_fail(err, REFQ_ERR_INVALID, "unfinished [address] in the Redis URL; " FORMS);
        }
        host = text + 1;
        port = close[1] == ':' ? close + 2 : NULL;
        *close = '\0';
    } else {
        port = strchr(text, ':');
        if (port != NULL) {
            *port++ = '\0';
        }
    }
    if (!rqi_url_is_host(host)) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the Redis URL names no usable host; " FORMS);
    }
    (void)snprintf(ret->host, sizeof ret->host, "%s", host);
    ret->port = default_port;
    return port != NULL ? parse_port(port, &ret->port, err) : REFQ_OK;
}

/* Copies what comes before the path and moves *text behind it. */
static refq_err take_authority(const char **text, char *out, size_t size, refq_error *err)
{
    size_t len = strcspn(*text, "/?");
    /* Before any message quotes a piece of it: what follows the user info has no '@'. */
    if (strchr(*text, '@') != NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "write '/' as %%2F and '?' as %%3F in the user or password of the Redis "
                        "URL, and '@' as %%40 in options");
    }
    if (len >= size) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the host in the Redis URL is too long");
    }
    (void)snprintf(out, size, "%.*s", (int)len, *text);
    *text += len;
    return REFQ_OK;
}

/* `[/N]` and then `[?options]`, up to the end. */
static refq_err parse_tail(const char *text, rqi_url *url, refq_error *err)
{
    char db[32];
    refq_err rc = REFQ_OK;
    size_t len = strcspn(text, "?");
    if (len > 1) {
        (void)snprintf(db, sizeof db, "%.*s", (int)(len < sizeof db ? len : sizeof db) - 1,
                       text + 1);
        rc = rqi_url_db(db, url, err);
    }
    text += len;
    return rc == REFQ_OK && *text == '?' ? rqi_url_options(text + 1, url, err) : rc;
}

static void show_endpoint(const rqi_endpoint *at, char *out, size_t size)
{
    (void)snprintf(out, size, strchr(at->host, ':') ? "[%s]:%d" : "%s:%d", at->host, at->port);
}

static refq_err parse_tcp(const char *rest, rqi_url *url, refq_error *err)
{
    char authority[384];
    rqi_endpoint at;
    refq_err rc = take_authority(&rest, authority, sizeof authority, err);
    if (rc == REFQ_OK) {
        rc = parse_endpoint(authority, REDIS_PORT, &at, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    (void)snprintf(url->host, sizeof url->host, "%s", at.host);
    url->port = at.port;
    show_endpoint(&at, url->shown, sizeof url->shown);
    return parse_tail(rest, url, err);
}

static refq_err parse_unix(const char *rest, rqi_url *url, refq_error *err)
{
    size_t len = strcspn(rest, "?");
    if (rest[0] != '/') {
        return rqi_fail(
            err, REFQ_ERR_INVALID,
            "a unix URL needs an absolute path: unix:///path/to/socket (three slashes)");
    }
    if (len >= sizeof url->path || len < 2) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the socket path in the Redis URL has %zu bytes; "
                        "allowed are 2 to %zu",
                        len, sizeof url->path - 1);
    }
    (void)snprintf(url->path, sizeof url->path, "%.*s", (int)len, rest);
    (void)snprintf(url->shown, sizeof url->shown, "%s", url->path);
    return parse_tail(rest + len, url, err);
}

/* --- Sentinel --------------------------------------------------------------------------------- */

static refq_err parse_sentinels(char *list, rqi_url *url, refq_error *err)
{
    for (char *at = list; at != NULL;) {
        char *text = strsep(&at, ",");
        if (url->sentinels_n == RQI_SENTINELS_MAX) {
            return rqi_fail(err, REFQ_ERR_INVALID,
                            "the Redis URL names more than %d Sentinels; a few are enough",
                            RQI_SENTINELS_MAX);
        }
        refq_err rc = parse_endpoint(text, SENTINEL_PORT, &url->sentinels[url->sentinels_n], err);
        if (rc != REFQ_OK) {
            return rc;
        }
        url->sentinels_n++;
    }
    return REFQ_OK;
}

/* `/master`, up to a further '/' or '?'; moves *text behind it. */
static refq_err take_master(const char **text, rqi_url *url, refq_error *err)
{
    const char *name = **text == '/' ? *text + 1 : *text;
    size_t len = strcspn(name, "/?");
    if (name == *text || len == 0 || len >= sizeof url->master ||
        strspn(name, MASTER_CHARS) < len) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "a Sentinel URL needs the master's name (as in sentinel.conf, at most %zu "
                        "of A-Z a-z 0-9 . _ -) behind the hosts; " SENTINEL_FORM,
                        sizeof url->master - 1);
    }
    (void)snprintf(url->master, sizeof url->master, "%.*s", (int)len, name);
    *text = name + len;
    return REFQ_OK;
}

static refq_err parse_sentinel(const char *rest, rqi_url *url, refq_error *err)
{
    char authority[RQI_SENTINELS_MAX * 272];
    char first[272];
    refq_err rc = take_authority(&rest, authority, sizeof authority, err);
    if (rc == REFQ_OK) {
        rc = parse_sentinels(authority, url, err);
    }
    if (rc == REFQ_OK) {
        rc = take_master(&rest, url, err);
    }
    if (rc != REFQ_OK) {
        return rc;
    }
    show_endpoint(&url->sentinels[0], first, sizeof first);
    (void)snprintf(url->shown, sizeof url->shown, "'%s' of Sentinel %.200s%s", url->master, first,
                   url->sentinels_n > 1 ? " and others" : "");
    return parse_tail(rest, url, err);
}

/* --- Public ----------------------------------------------------------------------------------- */

static const struct {
    const char *prefix;
    rqi_scheme scheme;
    bool tls;
    refq_err (*parse)(const char *rest, rqi_url *url, refq_error *err);
} schemes[] = {
    {"redis://", RQI_SCHEME_TCP, false, parse_tcp},
    {"rediss://", RQI_SCHEME_TCP, true, parse_tcp},
    {"unix://", RQI_SCHEME_UNIX, false, parse_unix},
    {"redis+sentinel://", RQI_SCHEME_SENTINEL, false, parse_sentinel},
    {"rediss+sentinel://", RQI_SCHEME_SENTINEL, true, parse_sentinel},
};

static refq_err parse_scheme(const char *text, rqi_url *url, refq_error *err)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = strlen(schemes[i].prefix);
        if (strncmp(text, schemes[i].prefix, len) == 0) {
            const char *rest = text + len;
            url->scheme = schemes[i].scheme;
            url->tls.on = schemes[i].tls;
            refq_err rc = take_user(&rest, url, err);
            return rc != REFQ_OK ? rc : schemes[i].parse(rest, url, err);
        }
    }
    const char *at = strrchr(text, '@'); /* before it may be a password */
    return rqi_fail(err, REFQ_ERR_INVALID, "'%s%.60s' is not a Redis URL; " FORMS,
                    at != NULL ? "..." : "", at != NULL ? at : text);
}

refq_err rqi_url_parse(const char *text, rqi_url *ret, refq_error *err)
{
    if (text == NULL) {
        text = getenv("REFQ_REDIS");
    }
    if (text == NULL || text[0] == '\0') {
        text = RQI_URL_DEFAULT;
    }
    rqi_url url = {0};
    refq_err rc = parse_scheme(text, &url, err);
    if (rc == REFQ_OK) {
        rc = rqi_url_environment(&url, err);
    }
    if (rc == REFQ_OK) {
        *ret = url;
    }
    return rc;
}
