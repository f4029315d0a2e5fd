/* SPDX-License-Identifier: MIT */
#include "work/lease.h"

#include "base/clock.h"
#include "base/error.h"
#include "work/lease_state.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static rqi_lease_mode mode_of(struct rqi_tie *tie)
{
    pthread_mutex_lock(&tie->lease->lock);
    rqi_lease_mode mode = tie->mode;
    pthread_mutex_unlock(&tie->lease->lock);
    return mode;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    rqi_lease *l = arg;
    (void)fd;
    (void)what;
    pthread_mutex_lock(&l->lock);
    l->turn_ms = rqi_mono_ms();
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->ties_n; i++) {
        if (!l->ties[i].in_flight && mode_of(&l->ties[i]) != LEASE_ENDED) {
            rqi_beat_send(&l->ties[i]);
        }
    }
}

/* What cannot wait for the timer: a new id, a goodbye. */
static void send_urgent(struct rqi_tie *tie)
{
    rqi_lease *l = tie->lease;
    pthread_mutex_lock(&l->lock);
    bool urgent = tie->urgent;
    tie->urgent = false;
    pthread_mutex_unlock(&l->lock);
    if (urgent) {
        rqi_beat_send(tie);
    }
}

/* Woken by the loop: something urgent, or the end of the thread. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    rqi_lease *l = arg;
    uint64_t count = 0;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n;
    (void)what;
    pthread_mutex_lock(&l->lock);
    bool stopping = l->stopping;
    pthread_mutex_unlock(&l->lock);
    if (stopping) {
        (void)event_base_loopbreak(l->base);
        return;
    }
    for (size_t i = 0; i < l->ties_n; i++) {
        send_urgent(&l->ties[i]);
    }
}

/* --- The thread ------------------------------------------------------------------------------- */

static void *run(void *arg)
{
    rqi_lease *l = arg;
    (void)event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
    rqi_conn_free(l->conn);
    l->conn = NULL;
    return NULL;
}

static void lease_free(rqi_lease *l)
{
    rqi_conn_free(l->conn);
    if (l->timer != NULL) {
        event_free(l->timer);
    }
    if (l->wake != NULL) {
        event_free(l->wake);
    }
    if (l->base != NULL) {
        (void)event_base_loop(l->base, EVLOOP_NONBLOCK); /* finishes freeing the connection */
        event_base_free(l->base);
    }
    if (l->wake_fd >= 0) {
        (void)close(l->wake_fd);
    }
    for (size_t i = 0; i < l->ties_n; i++) {
        refq_handlers_unref(l->ties[i].handlers);
    }
    free(l->ties);
    rqi_cmd_done(&l->cmd);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static refq_err make_events(rqi_lease *l, refq_error *err)
{
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->base = event_base_new();
    if (l->base == NULL || l->wake_fd < 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    struct timeval period = {.tv_sec = l->o.beat_ms / 1000, .tv_usec = l->o.beat_ms % 1000 * 1000};
    l->timer = event_new(l->base, -1, EV_PERSIST, on_timer, l);
    l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
    if (l->timer == NULL || l->wake == NULL || event_add(l->timer, &period) != 0 ||
        event_add(l->wake, NULL) != 0) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot make an event loop");
    }
    /* An answer that comes later than this would not save the lease anyway. */
    int64_t timeout_ms = l->o.lease_ms / 2 < RQI_TIMEOUT_MS ? l->o.lease_ms / 2 : RQI_TIMEOUT_MS;
    /* After an outage everybody has one lease to be heard of again, counted from whoever comes back
     * first: a pause between two attempts to connect must not take more of it than a beat does. */
    rqi_conn_options conn = {.base = l->base,
                             .url = l->o.url,
                             .name = "refq-worker-beat",
                             .timeout_ms = timeout_ms,
                             .retry_most_ms = l->o.beat_ms,
                             .log = l->o.log};
    return rqi_conn_new(&conn, &l->conn, err);
}

static int start_thread(rqi_lease *l)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&l->thread, NULL, run, l);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static refq_err make_ties(rqi_lease *l, const rqi_lease_line *lines, size_t n, refq_error *err)
{
    l->ties = calloc(n, sizeof *l->ties);
    if (l->ties == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    l->ties_n = n;
    for (size_t i = 0; i < n; i++) {
        struct rqi_tie *tie = &l->ties[i];
        tie->lease = l;
        tie->keys = lines[i].keys;
        tie->handlers = refq_handlers_ref(lines[i].handlers);
        tie->words.state = "running";
        (void)snprintf(tie->id, sizeof tie->id, "%s", lines[i].id);
    }
    return REFQ_OK;
}

refq_err rqi_lease_start(const rqi_lease_options *options, const rqi_lease_line *lines, size_t n,
                         rqi_lease **ret, refq_error *err)
{
    rqi_lease *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    l->o = *options;
    l->turn_ms = rqi_mono_ms();
    l->wake_fd = -1;
    if (gethostname(l->host, sizeof l->host - 1) != 0) {
        (void)snprintf(l->host, sizeof l->host, "unknown");
    }
    (void)pthread_mutex_init(&l->lock, NULL);
    refq_err rc = make_ties(l, lines, n, err);
    if (rc == REFQ_OK) {
        rc = make_events(l, err);
    }
    for (size_t i = 0; rc == REFQ_OK && i < n; i++) {
        rqi_beat_send(&l->ties[i]);
    }
    if (rc == REFQ_OK && start_thread(l) != 0) {
        rc = rqi_fail(err, REFQ_ERR_NOMEM, "cannot start a thread");
    }
    if (rc != REFQ_OK) {
        lease_free(l);
        return rc;
    }
    *ret = l;
    return REFQ_OK;
}

/* --- For the loop ----------------------------------------------------------------------------- */

static void wake(rqi_lease *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake_fd, &one, sizeof one);
    (void)n;
}

void rqi_lease_say(rqi_lease *l, unsigned line, const rqi_lease_words *words)
{
    pthread_mutex_lock(&l->lock);
    l->ties[line].words = *words;
    pthread_mutex_unlock(&l->lock);
}

bool rqi_lease_take(rqi_lease *l, unsigned line, rqi_notice *ret)
{
    struct rqi_tie *tie = &l->ties[line];
    pthread_mutex_lock(&l->lock);
    bool any = tie->has_notice;
    if (any) {
        *ret = tie->notice;
        memset(&tie->notice, 0, sizeof tie->notice);
        tie->has_notice = false;
    }
    pthread_mutex_unlock(&l->lock);
    return any;
}

void rqi_lease_renew(rqi_lease *l, unsigned line, const char *id)
{
    struct rqi_tie *tie = &l->ties[line];
    pthread_mutex_lock(&l->lock);
    (void)snprintf(tie->id, sizeof tie->id, "%s", id);
    tie->generation++;
    tie->mode = LEASE_START;
    tie->urgent = true;
    tie->has_notice = false;
    memset(&tie->notice, 0, sizeof tie->notice);
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

void rqi_lease_offer(rqi_lease *l, unsigned line, refq_handlers *handlers)
{
    struct rqi_tie *tie = &l->ties[line];
    pthread_mutex_lock(&l->lock);
    refq_handlers_unref(tie->handlers);
    tie->handlers = refq_handlers_ref(handlers);
    tie->offer = true;
    tie->urgent = tie->mode == LEASE_BEAT;
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

void rqi_lease_bye(rqi_lease *l, unsigned line)
{
    struct rqi_tie *tie = &l->ties[line];
    pthread_mutex_lock(&l->lock);
    tie->mode = LEASE_BYE;
    tie->urgent = true;
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

int64_t rqi_lease_last_ms(rqi_lease *l, unsigned line)
{
    pthread_mutex_lock(&l->lock);
    int64_t last = l->ties[line].last_ms;
    pthread_mutex_unlock(&l->lock);
    return last;
}

int64_t rqi_lease_late_ms(rqi_lease *l)
{
    pthread_mutex_lock(&l->lock);
    int64_t late = rqi_mono_ms() - l->turn_ms - l->o.beat_ms;
    pthread_mutex_unlock(&l->lock);
    return late > 0 ? late : 0;
}

void rqi_lease_stop(rqi_lease *l)
{
    if (l == NULL) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_mutex_unlock(&l->lock);
    wake(l);
    (void)pthread_join(l->thread, NULL);
    lease_free(l);
}
