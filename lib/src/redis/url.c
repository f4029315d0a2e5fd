/* SPDX-License-Identifier: MIT */
#include "redis/url.h"

#include "base/error.h"
#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMS "write redis://[user:password@]host[:port][/db] or unix:///path/to/socket[?db=N]"

#define HOST_CHARS                                                   \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
    ".-_:%" /* the last two in IPv6 addresses and their zones */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    int i = at != NULL ? (int)(at - digits) : -1;
    return i < 16 ? i : i - 6;
}

/* Copies text, undoing %XX; 0 when it does not fit or is malformed. */
static int decode(const char *text, size_t len, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return 0;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (n + 1 >= size) {
            return 0;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return 1;
}

/* Takes `user[:password]@` off the front of *text when it is there. */
static refq_err take_user(const char **text, rqi_url *url, refq_error *err)
{
    size_t authority = strcspn(*text, "/?");
    const char *at = NULL;
    for (size_t i = 0; i < authority; i++) {
        if ((*text)[i] == '@') {
            at = *text + i;
        }
    }
    if (at == NULL) {
        return REFQ_OK;
    }
    size_t len = (size_t)(at - *text);
    const char *colon = memchr(*text, ':', len);
    size_t user_len = colon != NULL ? (size_t)(colon - *text) : len;
    int good = decode(*text, user_len, url->user, sizeof url->user);
    if (good && colon != NULL) {
        good = decode(colon + 1, len - user_len - 1, url->password, sizeof url->password);
    }
    if (!good) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the user or password in the Redis URL is too long or badly %%-encoded");
    }
    *text = at + 1;
    return REFQ_OK;
}

static refq_err parse_db(const char *text, rqi_url *url, refq_error *err)
{
    int64_t db = 0;
    if (rqi_parse_int(text, 0, 1000000, &db, err) != REFQ_OK) {
        return rqi_fail_in(err, REFQ_ERR_INVALID, "database number in the Redis URL");
    }
    url->db = (int)db;
    return REFQ_OK;
}

static refq_err parse_port(const char *text, rqi_url *url, refq_error *err)
{
    int64_t port = 0;
    if (rqi_parse_int(text, 1, 65535, &port, err) != REFQ_OK) {
        return rqi_fail_in(err, REFQ_ERR_INVALID, "port in the Redis URL");
    }
    url->port = (int)port;
    return REFQ_OK;
}

/* host, host:port, [v6] or [v6]:port; authority is a private copy. */
static refq_err parse_host(char *authority, rqi_url *url, refq_error *err)
{
    char *host = authority;
    char *port = NULL;
    if (authority[0] == '[') {
        char *close = strchr(authority, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != ':')) {
            return rqi_fail(err, REFQ_ERR_INVALID, "unfinished [address] in the Redis URL; " FORMS);
        }
        host = authority + 1;
        port = close[1] == ':' ? close + 2 : NULL;
        *close = '\0';
    } else {
        port = strchr(authority, ':');
        if (port != NULL) {
            *port++ = '\0';
        }
    }
    size_t len = strlen(host);
    if (len == 0 || len >= sizeof url->host || strspn(host, HOST_CHARS) != len) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the Redis URL names no usable host; " FORMS);
    }
    (void)snprintf(url->host, sizeof url->host, "%s", host);
    url->port = 6379;
    return port != NULL ? parse_port(port, url, err) : REFQ_OK;
}

static refq_err parse_tcp(const char *rest, rqi_url *url, refq_error *err)
{
    char authority[384];
    size_t len = strcspn(rest, "/");
    /* Before any message quotes a piece of it: what follows the user info has no '@'. */
    if (strchr(rest, '@') != NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "write '/' as %%2F and '?' as %%3F in the user or password of the Redis "
                        "URL");
    }
    if (len >= sizeof authority) {
        return rqi_fail(err, REFQ_ERR_INVALID, "the host in the Redis URL is too long");
    }
    memcpy(authority, rest, len);
    authority[len] = '\0';
    refq_err rc = parse_host(authority, url, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    (void)snprintf(url->shown, sizeof url->shown, strchr(url->host, ':') ? "[%s]:%d" : "%s:%d",
                   url->host, url->port);
    return rest[len] == '/' && rest[len + 1] != '\0' ? parse_db(rest + len + 1, url, err) : REFQ_OK;
}

static refq_err parse_unix(const char *rest, rqi_url *url, refq_error *err)
{
    size_t len = strcspn(rest, "?");
    url->scheme = RQI_SCHEME_UNIX;
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
    memcpy(url->path, rest, len);
    url->path[len] = '\0';
    (void)snprintf(url->shown, sizeof url->shown, "%s", url->path);
    if (rest[len] == '\0') {
        return REFQ_OK;
    }
    if (strncmp(rest + len, "?db=", 4) != 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "only ?db=N may follow the socket path");
    }
    return parse_db(rest + len + 4, url, err);
}

static const struct {
    const char *prefix;
    refq_err (*parse)(const char *rest, rqi_url *url, refq_error *err);
} schemes[] = {{"redis://", parse_tcp}, {"unix://", parse_unix}};

static refq_err parse_scheme(const char *text, rqi_url *url, refq_error *err)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = strlen(schemes[i].prefix);
        if (strncmp(text, schemes[i].prefix, len) == 0) {
            const char *rest = text + len;
            refq_err rc = take_user(&rest, url, err);
            return rc != REFQ_OK ? rc : schemes[i].parse(rest, url, err);
        }
    }
    if (strncmp(text, "rediss://", 9) == 0) {
        return rqi_fail(err, REFQ_ERR_UNSUPPORTED,
                        "rediss:// (TLS) is not offered by this version; use a local stunnel or a "
                        "unix socket");
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
    if (rc != REFQ_OK) {
        return rc;
    }
    const char *password = getenv("REFQ_REDIS_PASSWORD");
    if (url.password[0] == '\0' && password != NULL) {
        if (strlen(password) >= sizeof url.password) {
            return rqi_fail(err, REFQ_ERR_LIMIT, "REFQ_REDIS_PASSWORD is longer than %zu bytes",
                            sizeof url.password - 1);
        }
        (void)snprintf(url.password, sizeof url.password, "%s", password);
    }
    *ret = url;
    return REFQ_OK;
}
