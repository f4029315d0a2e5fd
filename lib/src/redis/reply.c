/* SPDX-License-Identifier: MIT */
#include "redis/reply.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

rqi_cursor rqi_cursor_of(const redisReply *reply)
{
    rqi_cursor cur = {.array = reply};
    cur.bad = reply == NULL || reply->type != REDIS_REPLY_ARRAY;
    return cur;
}

int rqi_cursor_more(const rqi_cursor *cur)
{
    return !cur->bad && cur->at < cur->array->elements;
}

static const redisReply *next(rqi_cursor *cur)
{
    if (!rqi_cursor_more(cur)) {
        cur->bad = 1;
        return NULL;
    }
    return cur->array->element[cur->at++];
}

static int is_text(const redisReply *r)
{
    return r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS;
}

int64_t rqi_next_int(rqi_cursor *cur)
{
    const redisReply *r = next(cur);
    if (r == NULL) {
        return 0;
    }
    if (r->type == REDIS_REPLY_INTEGER) {
        return r->integer;
    }
    char *end = NULL;
    long long value = is_text(r) ? strtoll(r->str, &end, 10) : 0;
    if (end == NULL || *end != '\0') {
        cur->bad = 1;
        return 0;
    }
    return value;
}

refq_bytes rqi_next_bytes(rqi_cursor *cur)
{
    const redisReply *r = next(cur);
    if (r == NULL || !is_text(r)) {
        cur->bad = 1;
        return (refq_bytes){.ptr = "", .len = 0};
    }
    return (refq_bytes){.ptr = r->str, .len = (size_t)r->len};
}

const char *rqi_next_str(rqi_cursor *cur)
{
    return rqi_next_bytes(cur).ptr;
}

static const struct {
    const char *prefix;
    refq_err code;
    int reconnect;
    const char *advice; /* put before the server's own words */
} known_errors[] = {
    {"OOM ", REFQ_ERR_FULL, 0, "Redis is out of memory (maxmemory); free some or raise it"},
    {"NOAUTH ", REFQ_ERR_AUTH, 0,
     "Redis wants a password; put it into the URL or REFQ_REDIS_PASSWORD"},
    {"WRONGPASS ", REFQ_ERR_AUTH, 0, "Redis refuses the user or password"},
    {"ERR invalid password", REFQ_ERR_AUTH, 0, "Redis refuses the password"},
    {"ERR AUTH <password> called without", REFQ_ERR_AUTH, 0,
     "a password was given, but this Redis has none set"},
    {"ERR Client sent AUTH", REFQ_ERR_AUTH, 0, "a password was given, but this Redis has none set"},
    {"NOPERM ", REFQ_ERR_AUTH, 0, "the Redis user lacks a permission"},
    {"WRONGTYPE ", REFQ_ERR_PROTO, 0,
     "a key of this queue is of the wrong kind: another program has written it"},
    {"ERR unknown command 'FCALL'", REFQ_ERR_VERSION, 0,
     "this server has no functions; refq needs Redis 7.0 or newer, or Valkey"},
    {"ERR unknown command `FCALL`", REFQ_ERR_VERSION, 0,
     "this server has no functions; refq needs Redis 7.0 or newer, or Valkey"},
    {"LOADING ", REFQ_ERR_CLOSED, 1, "Redis is loading its data"},
    {"READONLY ", REFQ_ERR_CLOSED, 1, "this Redis is a read-only replica"},
    {"MASTERDOWN ", REFQ_ERR_CLOSED, 1, "this Redis is a replica without its primary"},
    {"UNBLOCKED ", REFQ_ERR_CLOSED, 1, "Redis changed its role"},
    {"CLUSTERDOWN ", REFQ_ERR_CLOSED, 1, "the cluster is down"},
    {"TRYAGAIN ", REFQ_ERR_CLOSED, 1, "the cluster is moving keys"},
    {"MOVED ", REFQ_ERR_UNSUPPORTED, 0,
     "this is a Redis Cluster, which this version does not speak to"},
    {"BUSY ", REFQ_ERR_TIMEOUT, 0, "Redis is busy with a script"},
    {"NOREPLICAS ", REFQ_ERR_FULL, 0, "Redis has too few replicas to take writes"},
    {"MISCONF ", REFQ_ERR_FULL, 0, "Redis cannot write its data to disk"},
};

static int find_error(const char *text)
{
    for (size_t i = 0; i < sizeof known_errors / sizeof known_errors[0]; i++) {
        if (strncmp(text, known_errors[i].prefix, strlen(known_errors[i].prefix)) == 0) {
            return (int)i;
        }
    }
    return -1;
}

refq_err rqi_reply_error(const redisReply *reply, refq_error *err)
{
    int i = find_error(reply->str);
    if (i < 0) {
        return rqi_fail(err, REFQ_ERR_PROTO, "Redis answered: %.200s", reply->str);
    }
    return rqi_fail(err, known_errors[i].code, "%s (%.120s)", known_errors[i].advice, reply->str);
}

int rqi_reply_wants_reconnect(const redisReply *reply)
{
    int i = reply->type == REDIS_REPLY_ERROR ? find_error(reply->str) : -1;
    return i >= 0 && known_errors[i].reconnect;
}

refq_err rqi_reply_unexpected(refq_error *err, const char *what)
{
    return rqi_fail(err, REFQ_ERR_PROTO, "unexpected answer of the server to %s", what);
}
