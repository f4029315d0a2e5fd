/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Messages name options and variables, never their values: a password may have got into any
 * of them. A setting of TLS in a URL without TLS is an error, because whoever wrote it believes the
 * connection to be safe; in the environment, which many programs share, it is ignored.
 */
#include "redis/url_settings.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    int i = at != NULL ? (int)(at - digits) : -1;
    return i < 16 ? i : i - 6;
}

bool rqi_url_decode(const char *text, size_t len, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (n + 1 >= size) {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

refq_err rqi_url_db(const char *text, rqi_url *url, refq_error *err)
{
    int64_t db = 0;
    if (rqi_parse_int(text, 0, 1000000, &db, err) != REFQ_OK) {
        return rqi_fail_in(err, REFQ_ERR_INVALID, "database number in the Redis URL");
    }
    url->db = (int)db;
    return REFQ_OK;
}

/* --- Options ---------------------------------------------------------------------------------- */

#define FIELD(f) offsetof(rqi_url, f), sizeof(((rqi_url *)0)->f)

/* Text settings and where else they may come from; `db` is the one number. */
static const struct setting {
    const char *option; /* NULL = environment only */
    const char *variable;
    size_t offset, size;
    bool tls;      /* of TLS only */
    bool sentinel; /* of Sentinel only */
} settings[] = {
    {"user", "REFQ_REDIS_USER", FIELD(login.user), false, false},
    {"password_file", NULL, FIELD(login.password_file), false, false},
    {"ca", "REFQ_REDIS_CA", FIELD(tls.ca), true, false},
    {"cert", "REFQ_REDIS_CERT", FIELD(tls.cert), true, false},
    {"key", "REFQ_REDIS_KEY", FIELD(tls.key), true, false},
    {"server_name", NULL, FIELD(tls.server_name), true, false},
    {NULL, "REFQ_SENTINEL_USER", FIELD(sentinel_login.user), false, true},
};

#define OPTIONS_MAX (N_OF(settings) + 1)

/* Returns how many there are. */
static size_t list_options(const char *ret_names[OPTIONS_MAX])
{
    size_t n = 0;
    ret_names[n++] = "db";
    for (size_t i = 0; i < N_OF(settings); i++) {
        if (settings[i].option != NULL) {
            ret_names[n++] = settings[i].option;
        }
    }
    return n;
}

static int find_option(const char *name)
{
    for (size_t i = 0; i < N_OF(settings); i++) {
        if (settings[i].option != NULL && strcmp(settings[i].option, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* What is no name at all may be a piece of a password: it is not repeated. */
static refq_err unknown_option(const char *name, refq_error *err)
{
    size_t len = strlen(name);
    if (len == 0 || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") != len) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "what follows the '?' of the Redis URL must be option=value, more of them "
                        "after '&'");
    }
    const char *names[OPTIONS_MAX];
    size_t n = list_options(names);
    const char *near = rqi_nearest(name, names, n);
    if (near != NULL) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the Redis URL has no option '%s'; did you mean '%s'?", name, near);
    }
    rqi_buf known = {0};
    for (size_t i = 0; i < n; i++) {
        rqi_buf_addf(&known, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    refq_err rc = rqi_fail(err, REFQ_ERR_INVALID, "the Redis URL has no option '%s'; there are %s",
                           name, rqi_buf_str(&known));
    rqi_buf_done(&known);
    return rc;
}

static refq_err set_text(const struct setting *s, const char *value, size_t len, rqi_url *url,
                         refq_error *err)
{
    char *field = (char *)url + s->offset;
    if (s->tls && !url->tls.on) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the option '%s' of the Redis URL is for TLS: write rediss:// or "
                        "rediss+sentinel://, or leave it out",
                        s->option);
    }
    if (len == 0 || !rqi_url_decode(value, len, field, s->size)) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "the value of the option '%s' of the Redis URL is %s", s->option,
                        len == 0 ? "empty" : "too long or badly %-encoded");
    }
    return REFQ_OK;
}

static refq_err set_option(const char *name, const char *value, size_t len, rqi_url *url,
                           refq_error *err)
{
    char number[16];
    if (strcmp(name, "db") == 0) {
        (void)snprintf(number, sizeof number, "%.*s", (int)(len < 15 ? len : 15), value);
        return rqi_url_db(number, url, err);
    }
    int i = find_option(name);
    return i < 0 ? unknown_option(name, err) : set_text(&settings[i], value, len, url, err);
}

static bool is_new(const char *name, unsigned *seen)
{
    const char *names[OPTIONS_MAX];
    size_t n = list_options(names);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            bool fresh = (*seen & 1U << i) == 0;
            *seen |= 1U << i;
            return fresh;
        }
    }
    return true;
}

refq_err rqi_url_options(const char *text, rqi_url *url, refq_error *err)
{
    unsigned seen = 0;
    while (*text != '\0') {
        char name[24];
        size_t len = strcspn(text, "&");
        size_t name_len = strcspn(text, "=&");
        bool fits = name_len < sizeof name && text[name_len] == '=';
        (void)snprintf(name, sizeof name, "%.*s", fits ? (int)name_len : 0, text);
        if (!is_new(name, &seen)) {
            return rqi_fail(err, REFQ_ERR_INVALID,
                            "the Redis URL has the option '%s' more than once", name);
        }
        size_t skip = fits ? name_len + 1 : len;
        refq_err rc = set_option(name, text + skip, len - skip, url, err);
        if (rc != REFQ_OK) {
            return rc;
        }
        text += len;
        text += *text == '&';
    }
    return REFQ_OK;
}

/* --- Environment ------------------------------------------------------------------------------ */

static const char *variable(const char *name)
{
    const char *value = name != NULL ? getenv(name) : NULL;
    return value != NULL ? value : "";
}

static refq_err take_variable(const char *name, char *out, size_t size, refq_error *err)
{
    const char *value = variable(name);
    if (out[0] != '\0' || value[0] == '\0') {
        return REFQ_OK;
    }
    if (strlen(value) >= size) {
        return rqi_fail(err, REFQ_ERR_LIMIT, "%s is longer than %zu bytes", name, size - 1);
    }
    (void)snprintf(out, size, "%s", value);
    return REFQ_OK;
}

static refq_err take_password(const char *name, const char *file_name, rqi_login *login,
                              refq_error *err)
{
    if (login->password[0] != '\0' || login->password_file[0] != '\0') {
        return REFQ_OK;
    }
    if (variable(name)[0] != '\0' && variable(file_name)[0] != '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID, "both %s and %s are set; unset one of them", name,
                        file_name);
    }
    refq_err rc = take_variable(name, login->password, sizeof login->password, err);
    return rc != REFQ_OK
               ? rc
               : take_variable(file_name, login->password_file, sizeof login->password_file, err);
}

static refq_err take_settings(rqi_url *url, refq_error *err)
{
    for (size_t i = 0; i < N_OF(settings); i++) {
        const struct setting *s = &settings[i];
        if ((s->tls && !url->tls.on) || (s->sentinel && url->scheme != RQI_SCHEME_SENTINEL)) {
            continue;
        }
        refq_err rc = take_variable(s->variable, (char *)url + s->offset, s->size, err);
        if (rc != REFQ_OK) {
            return rc;
        }
    }
    return REFQ_OK;
}

/* A file may hold both, so a certificate alone names its key as well. */
static refq_err pair_key(rqi_tls_settings *tls, refq_error *err)
{
    if (tls->key[0] != '\0' && tls->cert[0] == '\0') {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "there is a private key for TLS (key= or REFQ_REDIS_KEY), but no "
                        "certificate; give cert= or REFQ_REDIS_CERT too");
    }
    if (tls->key[0] == '\0') {
        (void)snprintf(tls->key, sizeof tls->key, "%s", tls->cert);
    }
    return REFQ_OK;
}

refq_err rqi_url_environment(rqi_url *url, refq_error *err)
{
    refq_err rc = take_settings(url, err);
    if (rc == REFQ_OK) {
        rc = take_password("REFQ_REDIS_PASSWORD", "REFQ_REDIS_PASSWORD_FILE", &url->login, err);
    }
    if (rc == REFQ_OK && url->scheme == RQI_SCHEME_SENTINEL) {
        rc = take_password("REFQ_SENTINEL_PASSWORD", "REFQ_SENTINEL_PASSWORD_FILE",
                           &url->sentinel_login, err);
    }
    return rc == REFQ_OK ? pair_key(&url->tls, err) : rc;
}
