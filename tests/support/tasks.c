/* SPDX-License-Identifier: MIT */
#include "support/tasks.h"

#include "support/redis_fixture.h"
#include "support/wait.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static refq_client *client;

refq_client *rqt_client(void)
{
    refq_error err;
    refq_redis_options o = {.struct_size = sizeof o, .url = rqt_redis_url()};
    if (client == NULL) {
        ck_assert_msg(refq_client_open(&o, &client, &err) == REFQ_OK, "%s", err.text);
    }
    return client;
}

void rqt_client_end(void)
{
    refq_client_close(client);
    client = NULL;
}

refq_ref rqt_submit(refq_spec spec)
{
    refq_error err;
    refq_submitted done;
    spec.struct_size = sizeof spec;
    ck_assert_int_eq(refq_ref_make(RQT_QUEUE, &spec.ref, &err), REFQ_OK);
    ck_assert_msg(refq_client_submit(rqt_client(), &spec, &done, &err) == REFQ_OK, "%s", err.text);
    return done.ref;
}

const char *rqt_ref_text(const refq_ref *ref)
{
    static char text[REFQ_REF_MAX + 1];
    return refq_ref_format(ref, text);
}

const char *rqt_field(const refq_ref *ref, const char *name)
{
    return rqt_redis_str("HGET refq:{%s}:task:%s %s", ref->queue, ref->hex, name);
}

long long rqt_number(const refq_ref *ref, const char *name)
{
    return rqt_redis_int("HGET refq:{%s}:task:%s %s", ref->queue, ref->hex, name);
}

long long rqt_meta(const char *name)
{
    return rqt_redis_int("HGET refq:{" RQT_QUEUE "}:meta %s", name);
}

bool rqt_is(const refq_ref *ref, const char *status)
{
    return strcmp(rqt_field(ref, "status"), status) == 0;
}

void rqt_expect(const refq_ref *ref, const char *status, int budget_ms)
{
    if (RQT_UNTIL(rqt_is(ref, status), budget_ms)) {
        return;
    }
    char is[32];
    (void)snprintf(is, sizeof is, "%s", rqt_field(ref, "status"));
    ck_abort_msg("task %s:%s is %s after %d ms, not %s; its last attempt: %s", ref->queue, ref->hex,
                 is, budget_ms * RQT_PATIENCE, status,
                 rqt_redis_str("LINDEX refq:{%s}:history:%s 0", ref->queue, ref->hex));
}

/* Both counters at one moment: a task that changes between two reads would be seen in neither. */
bool rqt_is_idle(void)
{
    redisReply *r = rqt_redis("HMGET refq:{%s}:meta pending processing", RQT_QUEUE);
    bool idle = true;
    for (size_t i = 0; i < r->elements; i++) {
        const redisReply *n = r->element[i];
        idle = idle && (n->type != REDIS_REPLY_STRING || strcmp(n->str, "0") == 0);
    }
    freeReplyObject(r);
    return idle;
}

void rqt_expect_idle(int budget_ms)
{
    bool met = RQT_UNTIL(rqt_is_idle(), budget_ms);
    ck_assert_msg(met, "after %d ms %lld tasks are pending and %lld processing",
                  budget_ms * RQT_PATIENCE, rqt_meta("pending"), rqt_meta("processing"));
}

const char *rqt_entry(const refq_ref *ref)
{
    return rqt_redis_str("GET mcp-refcache:entry:%s:%s", ref->queue, ref->hex);
}

long long rqt_callers(void)
{
    redisReply *keys = rqt_redis("KEYS refq:{" RQT_QUEUE "}:callers:*");
    long long n = 0;
    if (keys->elements == 1) {
        redisReply *size = rqt_redis("SCARD %s", keys->element[0]->str);
        n = size->integer;
        freeReplyObject(size);
    }
    freeReplyObject(keys);
    return n;
}
