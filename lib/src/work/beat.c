/* SPDX-License-Identifier: MIT */
/* Beats: what a worker says about itself, and what it is told in return. */
#include "base/clock.h"
#include "base/log.h"
#include "task/fcall.h"
#include "run/definition.h"
#include "work/lease_state.h"

#include <refq/version.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const mode_words[] = {"start", "beat", "bye", "bye"};

/* What one beat says, and its reply is about. */
struct beat {
    struct rqi_tie *tie;
    rqi_lease_mode mode;
    unsigned generation;
    char id[REFQ_HEX_LEN + 1];
    rqi_lease_words words;
    refq_handlers *offers; /* a reference; NULL = not said this time */
};

static void beat_free(struct beat *beat)
{
    refq_handlers_unref(beat->offers);
    free(beat);
}

static void notify(const rqi_lease *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->o.notify_fd, &one, sizeof one);
    (void)n;
}

/* --- Reaping ---------------------------------------------------------------------------------- */

static void send_reap(struct rqi_tie *tie);

static void on_reaped(void *arg, const refq_error *err, const redisReply *reply)
{
    struct rqi_tie *tie = arg;
    if (err != NULL) {
        return; /* the next beat will be asked again */
    }
    rqi_cursor cur = rqi_cursor_of(reply);
    int64_t more = rqi_next_int(&cur);
    int64_t requeued = rqi_next_int(&cur);
    const char *worker = rqi_next_str(&cur);
    if (!cur.bad && worker[0] != '\0') {
        rqi_log(tie->lease->o.log, REFQ_LOG_WARN, "event=reaped lost_worker=%s requeued=%lld",
                worker, (long long)requeued);
    }
    if (!cur.bad && more != 0) {
        send_reap(tie);
    }
}

static void send_reap(struct rqi_tie *tie)
{
    rqi_lease *l = tie->lease;
    rqi_fcall_begin(&l->cmd, tie->keys, RQI_FN("reap"));
    rqi_fcall_send(l->conn, &l->cmd, RQI_ONCE, on_reaped, tie);
}

/* --- What is told ----------------------------------------------------------------------------- */

static void read_orders(rqi_cursor *cur, rqi_notice *notice)
{
    int64_t n = rqi_next_int(cur);
    notice->orders_n = 0;
    while (n-- > 0 && !cur->bad && notice->orders_n < RQI_LEASE_ORDERS) {
        char *at = notice->orders[notice->orders_n++];
        (void)snprintf(at, RQI_ORDER_MAX, "%s", rqi_next_str(cur));
    }
}

/* One difference is often just a report on its way; two in a row are worth a question. */
static bool differs_again(struct rqi_tie *tie, const struct beat *beat, int64_t held)
{
    tie->mismatches = held == (int64_t)beat->words.running ? 0 : tie->mismatches + 1;
    return tie->mismatches >= 2;
}

/* Under the lock. Returns whether neighbours are to be reaped. */
static bool read_beat(struct rqi_tie *tie, const struct beat *beat, rqi_cursor *cur)
{
    rqi_notice *notice = &tie->notice;
    (void)rqi_next_int(cur); /* the server's time: the loop learns it from its own calls */
    const char *state = rqi_next_str(cur);
    int64_t reap = rqi_next_int(cur);
    int64_t held = rqi_next_int(cur);
    const char *standing = rqi_next_str(cur);
    if (cur->bad) {
        return false;
    }
    if (strcmp(state, "gone") == 0 && beat->mode != LEASE_BYE) {
        notice->gone = true;
        return false;
    }
    tie->last_ms = rqi_mono_ms();
    if (beat->mode == LEASE_START) {
        tie->mode = tie->mode == LEASE_START ? LEASE_BEAT : tie->mode;
        notice->started = true;
    }
    if (differs_again(tie, beat, held)) {
        notice->recount = true;
    }
    notice->beaten = beat->mode != LEASE_BYE;
    (void)snprintf(notice->standing, sizeof notice->standing, "%s", standing);
    read_orders(cur, notice);
    return reap != 0;
}

static void fail_beat(struct rqi_tie *tie, const struct beat *beat, const refq_error *err)
{
    char quoted[200];
    rqi_log(tie->lease->o.log, REFQ_LOG_WARN, "event=beat_failed error=%s",
            rqi_log_quote(quoted, sizeof quoted, err->text));
    tie->offer = tie->offer || (beat->offers != NULL && beat->mode == LEASE_BEAT);
    /* Before the first registration nobody depends on this worker: give up and say why. */
    if (beat->mode == LEASE_START && tie->last_ms == 0) {
        tie->notice.failed = *err;
    }
}

/* Under the lock. */
static bool take_reply(struct rqi_tie *tie, const struct beat *beat, const refq_error *err,
                       const redisReply *reply)
{
    bool reap = false;
    if (beat->generation != tie->generation) {
        return false;
    }
    if (err != NULL) {
        fail_beat(tie, beat, err);
    } else {
        rqi_cursor cur = rqi_cursor_of(reply);
        reap = read_beat(tie, beat, &cur);
    }
    if (beat->mode == LEASE_BYE) {
        tie->mode = LEASE_ENDED;
        tie->notice.ended = true;
    }
    tie->has_notice = true;
    return reap;
}

static void on_beat(void *arg, const refq_error *err, const redisReply *reply)
{
    struct beat *beat = arg;
    struct rqi_tie *tie = beat->tie;
    rqi_lease *l = tie->lease;
    tie->in_flight = false;
    pthread_mutex_lock(&l->lock);
    bool reap = take_reply(tie, beat, err, reply);
    bool stopping = l->stopping;
    pthread_mutex_unlock(&l->lock);
    beat_free(beat);
    notify(l);
    if (reap && !stopping) {
        send_reap(tie);
    }
}

/* --- What is said ----------------------------------------------------------------------------- */

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

/* Who this is: said once. */
static void add_introduction(rqi_lease *l)
{
    add_pair(&l->cmd, "host", l->host);
    add_number(&l->cmd, "pid", getpid());
    add_pair(&l->cmd, "version", REFQ_VERSION);
    add_number(&l->cmd, "slots", l->o.slots);
    add_number(&l->cmd, "record_ttl_ms", l->o.record_ttl_ms);
}

/* texts holds the strings until they are sent: the names of all, then two for each. */
static void add_offers(rqi_cmd *cmd, const refq_handlers *set, rqi_buf *texts)
{
    size_t n = set != NULL ? rqi_handlers_count(set) : 0;
    for (size_t i = 0; i < n; i++) {
        rqi_buf_addf(&texts[0], i > 0 ? " %s" : "%s", rqi_handlers_at(set, i)->def.name);
    }
    if (set != NULL) {
        add_pair(cmd, "offers", rqi_buf_str(&texts[0]));
    }
    for (size_t i = 0; i < n; i++) {
        const refq_task_def *def = &rqi_handlers_at(set, i)->def;
        rqi_buf *name = &texts[1 + 2 * i];
        rqi_buf *json = &texts[2 + 2 * i];
        rqi_buf_addf(name, "offer:%s", def->name);
        rqi_definition_json(def, json);
        add_pair(cmd, rqi_buf_str(name), rqi_buf_str(json));
    }
}

static void encode(const struct beat *beat, rqi_buf *texts)
{
    rqi_lease *l = beat->tie->lease;
    rqi_fcall_begin(&l->cmd, beat->tie->keys, RQI_FN("beat"));
    rqi_cmd_adds(&l->cmd, beat->id);
    rqi_cmd_addi(&l->cmd, l->o.lease_ms);
    rqi_cmd_adds(&l->cmd, mode_words[beat->mode]);
    rqi_cmd_addi(&l->cmd, (int64_t)beat->words.running);
    if (beat->mode == LEASE_START) {
        add_introduction(l);
    }
    add_offers(&l->cmd, beat->offers, texts);
    add_pair(&l->cmd, "state", beat->words.state);
    add_number(&l->cmd, "running", (int64_t)beat->words.running);
    add_number(&l->cmd, "stuck", (int64_t)beat->words.stuck);
    add_number(&l->cmd, "rss_kb", resident_kb());
}

static struct beat *compose(struct rqi_tie *tie)
{
    rqi_lease *l = tie->lease;
    struct beat *beat = calloc(1, sizeof *beat);
    if (beat == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&l->lock);
    *beat = (struct beat){
        .tie = tie, .mode = tie->mode, .generation = tie->generation, .words = tie->words};
    memcpy(beat->id, tie->id, sizeof beat->id);
    if (tie->mode == LEASE_START || (tie->offer && tie->mode == LEASE_BEAT)) {
        beat->offers = refq_handlers_ref(tie->handlers);
        tie->offer = false;
    }
    pthread_mutex_unlock(&l->lock);
    return beat;
}

void rqi_beat_send(struct rqi_tie *tie)
{
    struct beat *beat = compose(tie);
    if (beat == NULL) {
        return; /* the next one may have better luck */
    }
    size_t texts_n = 1 + 2 * (beat->offers != NULL ? rqi_handlers_count(beat->offers) : 0);
    rqi_buf *texts = calloc(texts_n, sizeof *texts);
    if (texts == NULL) {
        beat_free(beat);
        return;
    }
    encode(beat, texts);
    tie->in_flight = true;
    rqi_fcall_send(tie->lease->conn, &tie->lease->cmd, RQI_REPEAT, on_beat, beat);
    for (size_t i = 0; i < texts_n; i++) {
        rqi_buf_done(&texts[i]);
    }
    free(texts);
}
