/* SPDX-License-Identifier: MIT */
#include "redis/sentinel.h"

#include "base/error.h"
#include "base/log.h"
#include "redis/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE_MOST_MS                                                              \
    1000 /* for one Sentinel: a machine that is gone must not hold up the others \
          */
#define ONE_LEAST_MS 100

struct rqi_sentinel {
    rqi_sentinel_options o;
    rqi_url target;     /* the Sentinel that is asked, as an URL */
    rqi_conn *conn;     /* owned; NULL while nothing is asked */
    size_t first;       /* whom the next question goes to */
    size_t asked;       /* how many of this question have been asked before */
    refq_error failure; /* the most telling so far */
};

static void ask_next(rqi_sentinel *s);

static void hang_up(rqi_sentinel *s)
{
    rqi_conn *conn = s->conn;
    s->conn = NULL;
    rqi_conn_free(conn);
}

static void answer(rqi_sentinel *s, const refq_error *err, const rqi_endpoint *at)
{
    hang_up(s);
    s->o.on_found(s->o.arg, err, at);
}

/* A refused login stands out: it is what a person has to put right. */
static void note_failure(rqi_sentinel *s, const refq_error *err)
{
    if (s->failure.code == REFQ_ERR_AUTH) {
        return;
    }
    s->failure = *err;
    (void)rqi_fail_in(&s->failure, err->code, "%s",
                      err->code == REFQ_ERR_AUTH
                          ? "Sentinel (its login: REFQ_SENTINEL_USER, REFQ_SENTINEL_PASSWORD)"
                          : "Sentinel");
}

static void go_on(rqi_sentinel *s, const refq_error *err)
{
    note_failure(s, err);
    hang_up(s);
    s->asked++;
    s->first = (s->first + 1) % s->o.url->sentinels_n;
    ask_next(s);
}

/* [host, port], both text. Messages and the log will show the host. */
static bool read_address(const redisReply *reply, rqi_endpoint *ret)
{
    rqi_cursor cur = rqi_cursor_of(reply);
    const char *host = rqi_next_str(&cur);
    int64_t port = rqi_next_int(&cur);
    if (cur.bad || !rqi_url_is_host(host) || port < 1 || port > 65535) {
        return false;
    }
    (void)snprintf(ret->host, sizeof ret->host, "%s", host);
    ret->port = (int)port;
    return true;
}

static void on_address(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_sentinel *s = arg;
    rqi_endpoint at;
    refq_error why;
    if (s->conn == NULL) {
        return; /* hung up */
    }
    if (err != NULL) {
        go_on(s, err);
    } else if (reply->type == REDIS_REPLY_NIL) {
        (void)rqi_fail(&why, REFQ_ERR_IO,
                       "%s knows no master '%s'; compare with 'sentinel monitor' in its "
                       "configuration",
                       s->target.shown, s->o.url->master);
        go_on(s, &why);
    } else if (!read_address(reply, &at)) {
        (void)rqi_reply_unexpected(&why, "SENTINEL GET-MASTER-ADDR-BY-NAME");
        go_on(s, &why);
    } else {
        rqi_log(s->o.log, REFQ_LOG_DEBUG, "event=redis_master sentinel=%s server=%s:%d",
                s->target.shown, at.host, at.port);
        answer(s, NULL, &at);
    }
}

static void aim(rqi_sentinel *s)
{
    const rqi_endpoint *at = &s->o.url->sentinels[s->first];
    (void)snprintf(s->target.host, sizeof s->target.host, "%s", at->host);
    s->target.port = at->port;
    (void)snprintf(s->target.shown, sizeof s->target.shown,
                   strchr(at->host, ':') ? "[%s]:%d" : "%s:%d", at->host, at->port);
}

static int64_t time_for_one(const rqi_sentinel *s)
{
    int64_t ms = s->o.timeout_ms / 2;
    ms = ms < ONE_MOST_MS ? ms : ONE_MOST_MS;
    return ms > ONE_LEAST_MS ? ms : ONE_LEAST_MS;
}

static void ask_next(rqi_sentinel *s)
{
    if (s->asked == s->o.url->sentinels_n) {
        answer(s, &s->failure, NULL);
        return;
    }
    aim(s);
    refq_error err;
    rqi_conn_options conn = {.base = s->o.base,
                             .url = &s->target,
                             .name = "refq-sentinel",
                             .timeout_ms = time_for_one(s),
                             .log = s->o.log};
    if (rqi_conn_new(&conn, &s->conn, &err) != REFQ_OK) {
        answer(s, &err, NULL);
        return;
    }
    rqi_cmd cmd = {0};
    rqi_cmd_adds(&cmd, "SENTINEL");
    rqi_cmd_adds(&cmd, "GET-MASTER-ADDR-BY-NAME");
    rqi_cmd_adds(&cmd, s->o.url->master);
    rqi_conn_send(s->conn, &cmd, 0, on_address, s);
    rqi_cmd_done(&cmd);
}

/* --- For conn.c ------------------------------------------------------------------------------- */

refq_err rqi_sentinel_new(const rqi_sentinel_options *options, rqi_sentinel **ret, refq_error *err)
{
    rqi_sentinel *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    s->o = *options;
    s->target.scheme = RQI_SCHEME_TCP;
    s->target.tls = options->url->tls;
    s->target.login = options->url->sentinel_login;
    *ret = s;
    return REFQ_OK;
}

void rqi_sentinel_find(rqi_sentinel *s)
{
    s->asked = 0;
    s->failure = (refq_error){0};
    ask_next(s);
}

void rqi_sentinel_stop(rqi_sentinel *s)
{
    hang_up(s);
}

void rqi_sentinel_doubt(rqi_sentinel *s)
{
    s->first = (s->first + 1) % s->o.url->sentinels_n;
}

void rqi_sentinel_free(rqi_sentinel *s)
{
    if (s != NULL) {
        hang_up(s);
        free(s);
    }
}
