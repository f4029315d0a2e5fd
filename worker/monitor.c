/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The watchdog is fed from here, but only while the loop answers and the
 * lease's thread keeps its times: a thread of its own that merely lives would
 * prove nothing. The loop is asked at each feeding and has until the next one.
 */
#include "monitor.h"

#include "base/error.h"
#include "base/log.h"
#include "http.h"
#include "listen.h"
#include "notify.h"
#include "pages.h"
#include "thread.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct rqi_monitor {
    refq_worker *worker;
    const refq_logger *log;
    struct event_base *base;
    struct event *feed; /* NULL = no watchdog */
    struct event *stop;
    int stop_fd;
    int64_t feed_ms; /* between two feedings */
    bool starved;    /* the last feeding was left out */
    rqi_listener listener;
    rqi_http *http;
    pthread_t thread;
    bool running;
    refq_health health; /* large: not on the thread's stack */
};

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)event_base_loopbreak(arg);
}

static void on_feed(evutil_socket_t fd, short what, void *arg)
{
    rqi_monitor *m = arg;
    (void)fd;
    (void)what;
    refq_worker_health(m->worker, &m->health);
    bool well = m->health.loop_silent_ms < m->feed_ms / 2 && m->health.lease_late_ms < m->feed_ms;
    if (well) {
        rqi_notify_send("WATCHDOG=1");
    } else if (!m->starved) {
        rqi_log(m->log, REFQ_LOG_ERROR, "event=hangs loop_silent_ms=%lld lease_late_ms=%lld",
                (long long)m->health.loop_silent_ms, (long long)m->health.lease_late_ms);
    }
    m->starved = !well;
}

static int answer(void *arg, const char *path, rqi_buf *body, const char **ret_type)
{
    rqi_monitor *m = arg;
    refq_worker_health(m->worker, &m->health);
    return rqi_page(&m->health, path, body, ret_type);
}

static refq_err make_feed(rqi_monitor *m, refq_error *err)
{
    int64_t us = rqi_notify_watchdog_us() / 2;
    struct timeval every = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    if (us == 0) {
        return REFQ_OK;
    }
    m->feed_ms = us / 1000;
    m->feed = event_new(m->base, -1, EV_PERSIST, on_feed, m);
    if (m->feed == NULL || event_add(m->feed, &every) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make a timer");
    }
    return REFQ_OK;
}

static refq_err make_http(rqi_monitor *m, const char *address, refq_error *err)
{
    refq_err e = address != NULL ? rqi_listen(address, &m->listener, err) : REFQ_OK;
    if (e == REFQ_OK && address != NULL) {
        e = rqi_http_new(m->base, m->listener.fd, answer, m, &m->http, err);
    }
    return e;
}

static refq_err make_parts(rqi_monitor *m, const char *address, refq_error *err)
{
    m->base = event_base_new();
    m->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->base == NULL || m->stop_fd < 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    m->stop = event_new(m->base, m->stop_fd, EV_READ, on_stop, m->base);
    if (m->stop == NULL || event_add(m->stop, NULL) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    refq_err e = make_feed(m, err);
    return e == REFQ_OK ? make_http(m, address, err) : e;
}

refq_err rqi_monitor_new(refq_worker *worker, const char *address, const refq_logger *log,
                         rqi_monitor **ret, refq_error *err)
{
    rqi_monitor *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    m->worker = worker;
    m->log = log;
    m->stop_fd = -1;
    m->listener = RQI_LISTENER_NONE;
    refq_err e = make_parts(m, address, err);
    if (e != REFQ_OK) {
        rqi_monitor_free(m);
        return e;
    }
    if (address != NULL) {
        rqi_log(log, REFQ_LOG_INFO, "event=health_served address=%s", m->listener.shown);
    }
    *ret = m;
    return REFQ_OK;
}

static void *run(void *arg)
{
    rqi_monitor *m = arg;
    (void)event_base_loop(m->base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

refq_err rqi_monitor_start(rqi_monitor *m, refq_error *err)
{
    refq_err e = rqi_thread_start(&m->thread, run, m, err);
    m->running = e == REFQ_OK;
    return e;
}

static void free_event(struct event *ev)
{
    if (ev != NULL) {
        event_free(ev);
    }
}

void rqi_monitor_free(rqi_monitor *m)
{
    if (m == NULL) {
        return;
    }
    if (m->running) {
        uint64_t one = 1;
        ssize_t n = write(m->stop_fd, &one, sizeof one);
        (void)n;
        (void)pthread_join(m->thread, NULL);
    }
    rqi_http_free(m->http);
    rqi_listener_close(&m->listener);
    free_event(m->feed);
    free_event(m->stop);
    if (m->base != NULL) {
        (void)event_base_loop(m->base, EVLOOP_NONBLOCK); /* finishes freeing connections */
        event_base_free(m->base);
    }
    if (m->stop_fd >= 0) {
        (void)close(m->stop_fd);
    }
    free(m);
}
