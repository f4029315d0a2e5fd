/* SPDX-License-Identifier: MIT */
#include "support/conn_loop.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct event_base *rqt_conn_base;
rqi_conn *rqt_conn;
int rqt_ups, rqt_downs;

void rqt_loop_begin(void)
{
    rqt_conn_base = event_base_new();
    ck_assert_ptr_nonnull(rqt_conn_base);
    rqt_ups = 0;
    rqt_downs = 0;
}

void rqt_loop_end(void)
{
    rqt_close();
    event_base_free(rqt_conn_base);
}

void rqt_run_for(int ms)
{
    (void)RQT_RUN_UNTIL(false, ms);
}

static void on_up(void *arg)
{
    (void)arg;
    rqt_ups++;
}

static void on_down(void *arg, const refq_error *why)
{
    (void)arg;
    (void)why;
    rqt_downs++;
}

void rqt_open_with(const char *text, int64_t timeout_ms, bool patient)
{
    rqi_url url;
    refq_error err;
    ck_assert_msg(rqi_url_parse(text, &url, &err) == REFQ_OK, "%s: %s", text, err.text);
    rqi_conn_options o = {.base = rqt_conn_base,
                          .url = &url,
                          .name = "it-conn",
                          .timeout_ms = timeout_ms,
                          .patient = patient,
                          .on_up = on_up,
                          .on_down = on_down};
    ck_assert_msg(rqi_conn_new(&o, &rqt_conn, &err) == REFQ_OK, "%s: %s", text, err.text);
}

void rqt_open(const char *url)
{
    rqt_open_with(url, 5000, false);
}

void rqt_close(void)
{
    rqi_conn_free(rqt_conn);
    rqt_conn = NULL;
}

void rqt_on_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    rqt_answer *a = arg;
    a->calls++;
    if (err != NULL) {
        a->code = err->code;
        (void)snprintf(a->error, sizeof a->error, "%s", err->text);
    } else {
        a->type = reply->type;
        a->elements = reply->elements;
        (void)snprintf(a->text, sizeof a->text, "%s", reply->str != NULL ? reply->str : "");
    }
    if (a->then != NULL) {
        a->then();
    }
}

void rqt_ask(rqt_answer *a, int64_t timeout_ms, ...)
{
    rqi_cmd cmd = {0};
    va_list ap;
    va_start(ap, timeout_ms);
    for (const char *word = va_arg(ap, const char *); word != NULL;
         word = va_arg(ap, const char *)) {
        rqi_cmd_adds(&cmd, word);
    }
    va_end(ap);
    rqi_conn_send(rqt_conn, &cmd, timeout_ms, rqt_on_reply, a);
    rqi_cmd_done(&cmd);
}

void rqt_expect_error(rqt_answer *a, refq_err code, const char *phrase)
{
    ck_assert_msg(RQT_RUN_UNTIL(a->calls > 0, 10000), "no answer; wanted an error with: %s",
                  phrase);
    ck_assert_msg(a->code == code, "wanted %s, got %s: %s%s", refq_strerror(code),
                  refq_strerror(a->code), a->error, a->text);
    ck_assert_msg(strstr(a->error, phrase) != NULL, "wanted \"%s\" in: %s", phrase, a->error);
}

void rqt_expect_text(rqt_answer *a, const char *text)
{
    ck_assert_msg(RQT_RUN_UNTIL(a->calls > 0, 10000), "no answer; wanted: %s", text);
    ck_assert_msg(a->code == REFQ_OK, "%s", a->error);
    ck_assert_str_eq(a->text, text);
    ck_assert_int_eq(a->calls, 1);
}

void rqt_ping(void)
{
    rqt_answer a = {0};
    rqt_ask(&a, 0, "PING", NULL);
    rqt_expect_text(&a, "PONG");
}
