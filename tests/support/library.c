/* SPDX-License-Identifier: MIT */
#include "support/library.h"

#include "support/redis_fixture.h"

#include "task/library.h"
#include "task/library_name.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define META             "refq:{docs}:meta"
#define RQT_CLAIM_VALUES 13

void rqt_library_load(void)
{
    rqt_redis_do("FUNCTION LOAD REPLACE %s", rqi_library_source);
}

static void full_command(char *out, size_t size, const char *format)
{
    const char *rest = strchr(format, ' ');
    int name = rest != NULL ? (int)(rest - format) : (int)strlen(format);
    (void)snprintf(out, size, "FCALL " RQI_LIBRARY_NAME "_%.*s 1 " META "%s", name, format,
                   rest != NULL ? rest : "");
}

redisReply *rqt_fcall(const char *format, ...)
{
    char text[2048];
    full_command(text, sizeof text, format);
    va_list ap;
    va_start(ap, format);
    redisReply *r = rqt_vredis(text, ap);
    va_end(ap);
    return r;
}

redisReply *rqt_fcall_any(const char *format, ...)
{
    char text[2048];
    full_command(text, sizeof text, format);
    va_list ap;
    va_start(ap, format);
    redisReply *r = rqt_vredis_any(text, ap);
    va_end(ap);
    return r;
}

const char *rqt_hex(int n)
{
    static char texts[8][33];
    static int at;
    at = (at + 1) % 8;
    (void)snprintf(texts[at], sizeof texts[at], "%032x", (unsigned)n);
    return texts[at];
}

void rqt_queue_task(int n, const char *task, const char *lane, int64_t delay_ms, const char *pairs)
{
    char text[512];
    int words = pairs[0] != '\0';
    for (const char *p = pairs; *p != '\0'; p++) {
        words += *p == ' ';
    }
    (void)snprintf(text, sizeof text, "submit 1 %%s %%s %%s %lld %%s 60000 m\x80 %d %s",
                   (long long)delay_ms, words / 2, pairs);
    freeReplyObject(rqt_fcall(text, rqt_hex(n), task, lane, ""));
}

void rqt_worker_begin(const char *worker, const char *offers)
{
    freeReplyObject(rqt_fcall("beat %s 10000 start 0 offers %s", worker, offers));
    while (*offers != '\0') {
        char name[65];
        size_t len = strcspn(offers, " ");
        (void)snprintf(name, sizeof name, "%.*s", (int)len, offers);
        freeReplyObject(rqt_fcall("beat %s 10000 beat 0 offer:%s {}", worker, name));
        offers += len;
        offers += strspn(offers, " ");
    }
}

const char *rqt_worker_beat(const char *worker, int *ret_orders)
{
    static char order[16];
    redisReply *r = rqt_fcall("beat %s 10000 beat 0", worker);
    (void)snprintf(order, sizeof order, "%s", r->element[4]->str);
    if (ret_orders != NULL) {
        *ret_orders = (int)r->element[5]->integer;
    }
    freeReplyObject(r);
    return order;
}

/* Numbers come as integers or as text. */
static int number(const redisReply *r)
{
    return r->type == REDIS_REPLY_INTEGER ? (int)r->integer : (int)strtol(r->str, NULL, 10);
}

static rqt_claims read_claims(const redisReply *r)
{
    rqt_claims out = {.n = number(r->element[5])};
    (void)snprintf(out.state, sizeof out.state, "%s", r->element[1]->str);
    out.parked = number(r->element[2]);
    out.alarm = number(r->element[3]);
    out.more = number(r->element[4]);
    for (int i = 0; i < out.n; i++) {
        struct redisReply **v = &r->element[6 + RQT_CLAIM_VALUES * i];
        rqt_claim *c = &out.c[i];
        (void)snprintf(c->hex, sizeof c->hex, "%s", v[0]->str);
        (void)snprintf(c->entry, sizeof c->entry, "%s", v[1]->str);
        (void)snprintf(c->task, sizeof c->task, "%s", v[2]->str);
        c->attempt = number(v[3]);
        c->failures = number(v[8]);
        c->deaths = number(v[9]);
        c->crashes = number(v[11]);
        (void)snprintf(c->scope, sizeof c->scope, "%s", v[12]->str);
    }
    size_t at = 6 + RQT_CLAIM_VALUES * (size_t)out.n;
    if (at < r->elements) {
        (void)snprintf(out.answer, sizeof out.answer, "%s", r->element[at]->str);
    }
    return out;
}

rqt_claims rqt_claim_some(const char *worker, int want, const char *limits)
{
    redisReply *r = rqt_fcall("finish %s %d 0 1 mcp-refcache:entry:docs: 60000 420000 %s 0", worker,
                              want, limits);
    rqt_claims out = read_claims(r);
    freeReplyObject(r);
    return out;
}

const char *rqt_report(const char *worker, const rqt_claim *c, const char *format, ...)
{
    static char answer[16];
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "FCALL " RQI_LIBRARY_NAME "_finish 1 " META
                   " %s 0 0 0 mcp-refcache:entry:docs: 60000 420000 - 1 %s %s %s",
                   worker, c->hex, c->entry, format);
    va_list ap;
    va_start(ap, format);
    redisReply *r = rqt_vredis(text, ap);
    va_end(ap);
    rqt_claims out = read_claims(r);
    freeReplyObject(r);
    (void)snprintf(answer, sizeof answer, "%s", out.answer);
    return answer;
}

const char *rqt_record(int n, const char *name)
{
    return rqt_redis_str("HGET refq:{docs}:task:%s %s", rqt_hex(n), name);
}

void rqt_pass_time(int64_t ms)
{
    rqt_redis_do("HINCRBY " META " clock_offset %lld", (long long)ms);
}

/* --- Audit ------------------------------------------------------------------------------------ */

static void add_findings(char *out, size_t size, const redisReply *r)
{
    for (size_t i = 2; i < r->elements; i++) {
        size_t at = strlen(out);
        (void)snprintf(out + at, size - at, "%s\n", r->element[i]->str);
    }
}

static void audit_section(const char *section, char *out, size_t size)
{
    char cursor[64] = "0";
    do {
        redisReply *r = rqt_fcall("audit %s %s mcp-refcache:entry:docs:", section, cursor);
        add_findings(out, size, r);
        (void)snprintf(cursor, sizeof cursor, "%s", r->element[0]->str);
        freeReplyObject(r);
    } while (strcmp(cursor, "0") != 0);
}

const char *rqt_library_audit(void)
{
    static char out[16384];
    static const char *const sections[] = {"due",       "terminal",    "dead",
                                           "deadlines", "workers",     "lane:high",
                                           "lane:low",  "lane:normal", "counters"};
    out[0] = '\0';
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        audit_section(sections[i], out, sizeof out);
    }
    redisReply *keys = rqt_redis("KEYS refq:{docs}:task:*");
    for (size_t i = 0; i < keys->elements; i++) {
        const char *hex = keys->element[i]->str + strlen("refq:{docs}:task:");
        redisReply *r = rqt_fcall("audit records 0 mcp-refcache:entry:docs: %s", hex);
        add_findings(out, sizeof out, r);
        freeReplyObject(r);
    }
    freeReplyObject(keys);
    return out;
}
