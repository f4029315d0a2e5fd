/* SPDX-License-Identifier: MIT */
#include "redis/request.h"

#include "base/clock.h"
#include "base/error.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

rqi_request *rqi_request_new(int64_t timeout_ms, rqi_reply_cb cb, void *arg)
{
    rqi_request *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->cb = cb;
    r->arg = arg;
    r->deadline_ms = timeout_ms < 0 ? RQI_NEVER : rqi_mono_ms() + timeout_ms;
    return r;
}

void rqi_request_free(rqi_request *r)
{
    if (r != NULL) {
        free(r->bytes);
        free(r);
    }
}

bool rqi_request_keep(rqi_request *r, const char *bytes, size_t len)
{
    r->bytes = malloc(len);
    if (r->bytes == NULL) {
        return false;
    }
    memcpy(r->bytes, bytes, len);
    r->len = len;
    return true;
}

void rqi_request_fail(rqi_request *r, const refq_error *err)
{
    rqi_reply_cb cb = r->cb;
    r->cb = NULL;
    if (cb != NULL) {
        cb(r->arg, err, NULL);
    }
}

void rqi_requests_fail(struct rqi_requests *queue, const refq_error *err)
{
    struct rqi_requests old = TAILQ_HEAD_INITIALIZER(old);
    TAILQ_CONCAT(&old, queue, link);
    rqi_request *r = NULL;
    while ((r = TAILQ_FIRST(&old)) != NULL) {
        TAILQ_REMOVE(&old, r, link);
        rqi_request_fail(r, err);
        rqi_request_free(r);
    }
}

int64_t rqi_requests_overdue(struct rqi_requests *queue, int64_t now, struct rqi_requests *late)
{
    int64_t next = RQI_NEVER;
    rqi_request *r = TAILQ_FIRST(queue);
    while (r != NULL) {
        rqi_request *after = TAILQ_NEXT(r, link);
        if (r->deadline_ms <= now) {
            TAILQ_REMOVE(queue, r, link);
            TAILQ_INSERT_TAIL(late, r, link);
        } else if (r->deadline_ms < next) {
            next = r->deadline_ms;
        }
        r = after;
    }
    return next;
}

rqi_overdue rqi_requests_sent(const struct rqi_requests *queue, int64_t now, int64_t ghost_ms)
{
    rqi_overdue found = {.next_ms = RQI_NEVER};
    rqi_request *r = NULL;
    TAILQ_FOREACH(r, queue, link)
    {
        if (r->deadline_ms == RQI_NEVER) {
            continue;
        }
        int64_t at = r->cb != NULL ? r->deadline_ms : r->deadline_ms + ghost_ms;
        if (r->cb != NULL && at <= now) {
            found.late = r;
            return found;
        }
        found.hung = found.hung || at <= now;
        found.next_ms = at < found.next_ms ? at : found.next_ms;
    }
    return found;
}

struct late_error {
    rqi_reply_cb cb;
    void *arg;
    refq_err code;
};

static void deliver_late_error(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct late_error *late = arg;
    refq_error err;
    (void)rqi_fail(&err, late->code,
                   late->code == REFQ_ERR_FULL
                       ? "too much is queued for Redis already; try again later"
                       : "out of memory");
    late->cb(late->arg, &err, NULL);
    free(late);
}

void rqi_request_refuse(struct event_base *base, refq_err code, rqi_reply_cb cb, void *arg)
{
    struct timeval now = {0};
    struct late_error *late = malloc(sizeof *late);
    if (late == NULL) {
        return;
    }
    *late = (struct late_error){cb, arg, code};
    (void)event_base_once(base, -1, EV_TIMEOUT, deliver_late_error, late, &now);
}
