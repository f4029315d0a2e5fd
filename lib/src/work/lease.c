/* SPDX-License-Identifier: MIT */
#include "work/lease.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "redis/conn.h"
#include "task/fcall.h"
#include "work/definition.h"

#include <refq/version.h>

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum lease_mode { LEASE_START, LEASE_BEAT, LEASE_BYE, LEASE_ENDED };

static const char *const mode_words[] = {"start", "beat", "bye", "bye"};

struct rqi_lease {
    rqi_lease_options o;
    struct event_base *base;
    rqi_conn *conn;
    struct event *timer;
    struct event *wake;
    int wake_fd;
    pthread_t thread;
    rqi_cmd cmd;
    bool in_flight;      /* a beat is under way */
    unsigned mismatches; /* beats in a row whose counts differed */
    char host[65];

    pthread_mutex_t lock; /* guards what follows */
    enum lease_mode mode;
    char id[REFQ_HEX_LEN + 1];
    unsigned generation; /* rises with each id */
    size_t running;
    bool draining;
    bool stopping;
    int64_t last_ms;
    rqi_notice notice;
};

/* What one beat was about, for its reply. */
struct beat {
    rqi_lease *lease;
    enum lease_mode mode;
    unsigned generation;
    size_t running;
};

static void notify(rqi_lease *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->o.notify_fd, &one, sizeof one);
    (void)n;
}

static int64_t resident_kb(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f != NULL) {
        if (fscanf(f, "%*d %ld", &pages) != 1) {
            pages = 0;
        }
        (void)fclose(f);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* --- Reaping ---------------------------------------------------------------------------------- */

static void send_reap(rqi_lease *l);

static void on_reaped(void *arg, const refq_error *err, const redisReply *reply)
{
    rqi_lease *l = arg;
    if (err != NULL) {
        return; /* the next beat will be asked again */
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    int64_t more = rqi_next_int(&cur);
    int64_t requeued = rqi_next_int(&cur);
    const char *worker = rqi_next_str(&cur);
    if (!cur.bad && worker[0] != '\0') {
        rqi_log(l->o.log, REFQ_LOG_WARN, "event=reaped lost_worker=%s requeued=%lld", worker,
                (long long)requeued);
    }
    if (!cur.bad && more != 0) {
        send_reap(l);
    }
}

static void send_reap(rqi_lease *l)
{
    rqi_fcall_begin(&l->cmd, l->o.keys, RQI_FN("reap"));
    rqi_fcall_send(l->conn, &l->cmd, RQI_ONCE, on_reaped, l);
}

/* --- Beats ------------------------------------------------------------------------------------ */

static void read_orders(rqi_cursor *cur, rqi_notice *notice)
{
    int64_t n = rqi_next_int(cur);
    notice->orders_n = 0;
    while (n-- > 0 && !cur->bad && notice->orders_n < RQI_LEASE_ORDERS) {
        char *at = notice->orders[notice->orders_n++];
        (void)snprintf(at, REFQ_HEX_LEN + 1, "%.32s", rqi_next_str(cur));
    }
}

/* One difference is often just a report on its way; two in a row are worth a question. */
static bool differs_again(rqi_lease *l, const struct beat *beat, int64_t held)
{
    l->mismatches = held == (int64_t)beat->running ? 0 : l->mismatches + 1;
    return l->mismatches >= 2;
}

/* Under the lock. Returns whether neighbours are to be reaped. */
static bool read_beat(rqi_lease *l, const struct beat *beat, rqi_cursor *cur)
{
    (void)rqi_next_int(cur); /* the server's time: the loop learns it from its own calls */
    const char *state = rqi_next_str(cur);
    int64_t reap = rqi_next_int(cur);
    int64_t held = rqi_next_int(cur);
    (void)rqi_next_str(cur); /* a standing order */
    if (cur->bad) {
        return false;
    }
    if (strcmp(state, "gone") == 0 && beat->mode != LEASE_BYE) {
        l->notice.gone = true;
        return false;
    }
    l->last_ms = rqi_mono_ms();
    if (beat->mode == LEASE_START) {
        l->mode = LEASE_BEAT;
        l->notice.started = true;
    }
    if (differs_again(l, beat, held)) {
        l->notice.recount = true;
    }
    read_orders(cur, &l->notice);
    return reap != 0;
}

static void fail_beat(rqi_lease *l, const struct beat *beat, const refq_error *err)
{
    char quoted[200];
    rqi_log(l->o.log, REFQ_LOG_WARN, "event=beat_failed error=%s",
            rqi_log_quote(quoted, sizeof quoted, err->text));
    /* Before the first registration nobody depends on this worker: give up and say why. */
    if (beat->mode == LEASE_START && l->last_ms == 0) {
        l->notice.failed = *err;
    }
}

static void on_beat(void *arg, const refq_error *err, const redisReply *reply)
{
    struct beat *beat = arg;
    rqi_lease *l = beat->lease;
    bool reap = false;
    l->in_flight = false;
    pthread_mutex_lock(&l->lock);
    if (beat->generation == l->generation) {
        if (err != NULL) {
            fail_beat(l, beat, err);
        } else {
            rqi_cursor cur = rqi_cursor_of(reply);
            reap = read_beat(l, beat, &cur);
        }
        if (beat->mode == LEASE_BYE) {
            l->mode = LEASE_ENDED;
            l->notice.ended = true;
        }
    }
    bool stopping = l->stopping;
    pthread_mutex_unlock(&l->lock);
    free(beat);
    notify(l);
    if (reap && !stopping) {
        send_reap(l);
    }
}

static void add_pair(rqi_cmd *cmd, const char *name, const char *value)
{
    rqi_cmd_adds(cmd, name);
    rqi_cmd_adds(cmd, value);
}

static void add_number(rqi_cmd *cmd, const char *name, int64_t value)
{
    rqi_cmd_adds(cmd, name);
    rqi_cmd_addi(cmd, value);
}

/* What is said once: who this is and what it offers. texts holds the strings until they are sent.
 */
static void add_introduction(rqi_lease *l, rqi_buf *offers, rqi_buf *texts)
{
    const refq_handlers *set = l->o.handlers;
    size_t n = rqi_handlers_count(set);
    add_pair(&l->cmd, "host", l->host);
    add_number(&l->cmd, "pid", getpid());
    add_pair(&l->cmd, "version", REFQ_VERSION);
    add_number(&l->cmd, "slots", l->o.slots);
    add_number(&l->cmd, "record_ttl_ms", l->o.record_ttl_ms);
    for (size_t i = 0; i < n; i++) {
        rqi_buf_addf(offers, i > 0 ? " %s" : "%s", rqi_handlers_at(set, i)->def.name);
    }
    add_pair(&l->cmd, "offers", rqi_buf_str(offers));
    for (size_t i = 0; i < n; i++) {
        const refq_task_def *def = &rqi_handlers_at(set, i)->def;
        rqi_buf *name = &texts[2 * i];
        rqi_buf *json = &texts[2 * i + 1];
        rqi_buf_addf(name, "offer:%s", def->name);
        rqi_definition_json(def, json);
        add_pair(&l->cmd, rqi_buf_str(name), rqi_buf_str(json));
    }
}

static void encode_beat(rqi_lease *l, const struct beat *beat, const char *id, bool draining,
                        rqi_buf *offers, rqi_buf *texts)
{
    rqi_fcall_begin(&l->cmd, l->o.keys, RQI_FN("beat"));
    rqi_cmd_adds(&l->cmd, id);
    rqi_cmd_addi(&l->cmd, l->o.lease_ms);
    rqi_cmd_adds(&l->cmd, mode_words[beat->mode]);
    rqi_cmd_addi(&l->cmd, (int64_t)beat->running);
    if (beat->mode == LEASE_START) {
        add_introduction(l, offers, texts);
    }
    add_pair(&l->cmd, "state", draining ? "draining" : "running");
    add_number(&l->cmd, "running", (int64_t)beat->running);
    add_number(&l->cmd, "rss_kb", resident_kb());
}

static void send_beat(rqi_lease *l)
{
    size_t texts_n = 2 * rqi_handlers_count(l->o.handlers);
    struct beat *beat = calloc(1, sizeof *beat);
    rqi_buf *texts = calloc(texts_n + 1, sizeof *texts);
    rqi_buf offers = {0};
    if (beat == NULL || texts == NULL) {
        free(beat);
        free(texts);
        return;
    }
    char id[REFQ_HEX_LEN + 1];
    pthread_mutex_lock(&l->lock);
    *beat = (struct beat){l, l->mode, l->generation, l->running};
    memcpy(id, l->id, sizeof id);
    bool draining = l->draining;
    pthread_mutex_unlock(&l->lock);
    encode_beat(l, beat, id, draining, &offers, texts);
    l->in_flight = true;
    rqi_fcall_send(l->conn, &l->cmd, RQI_REPEAT, on_beat, beat);
    for (size_t i = 0; i < texts_n; i++) {
        rqi_buf_done(&texts[i]);
    }
    rqi_buf_done(&offers);
    free(texts);
}

static enum lease_mode current_mode(rqi_lease *l)
{
    pthread_mutex_lock(&l->lock);
    enum lease_mode mode = l->mode;
    pthread_mutex_unlock(&l->lock);
    return mode;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    rqi_lease *l = arg;
    (void)fd;
    (void)what;
    if (!l->in_flight && current_mode(l) != LEASE_ENDED) {
        send_beat(l);
    }
}

/* Woken by the loop: a new id, the goodbye, or the end of the thread. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    rqi_lease *l = arg;
    uint64_t count = 0;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n;
    (void)what;
    pthread_mutex_lock(&l->lock);
    bool stopping = l->stopping;
    enum lease_mode mode = l->mode;
    pthread_mutex_unlock(&l->lock);
    if (stopping) {
        (void)event_base_loopbreak(l->base);
    } else if (mode == LEASE_START || mode == LEASE_BYE) {
        send_beat(l);
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

refq_err rqi_lease_start(const rqi_lease_options *options, const char *id, rqi_lease **ret,
                         refq_error *err)
{
    rqi_lease *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory");
    }
    l->o = *options;
    l->wake_fd = -1;
    (void)snprintf(l->id, sizeof l->id, "%s", id);
    if (gethostname(l->host, sizeof l->host - 1) != 0) {
        (void)snprintf(l->host, sizeof l->host, "unknown");
    }
    (void)pthread_mutex_init(&l->lock, NULL);
    refq_err rc = make_events(l, err);
    if (rc == REFQ_OK) {
        send_beat(l);
        if (start_thread(l) != 0) {
            rc = rqi_fail(err, REFQ_ERR_NOMEM, "cannot start a thread");
        }
    }
    if (rc != REFQ_OK) {
        lease_free(l);
        return rc;
    }
    *ret = l;
    return REFQ_OK;
}

static void wake(rqi_lease *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake_fd, &one, sizeof one);
    (void)n;
}

void rqi_lease_say(rqi_lease *l, size_t running, bool draining)
{
    pthread_mutex_lock(&l->lock);
    l->running = running;
    l->draining = draining;
    pthread_mutex_unlock(&l->lock);
}

void rqi_lease_take(rqi_lease *l, rqi_notice *ret)
{
    pthread_mutex_lock(&l->lock);
    *ret = l->notice;
    memset(&l->notice, 0, sizeof l->notice);
    pthread_mutex_unlock(&l->lock);
}

void rqi_lease_renew(rqi_lease *l, const char *id)
{
    pthread_mutex_lock(&l->lock);
    (void)snprintf(l->id, sizeof l->id, "%s", id);
    l->generation++;
    l->mode = LEASE_START;
    memset(&l->notice, 0, sizeof l->notice);
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

void rqi_lease_bye(rqi_lease *l)
{
    pthread_mutex_lock(&l->lock);
    l->mode = LEASE_BYE;
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

int64_t rqi_lease_last_ms(rqi_lease *l)
{
    pthread_mutex_lock(&l->lock);
    int64_t last = l->last_ms;
    pthread_mutex_unlock(&l->lock);
    return last;
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
