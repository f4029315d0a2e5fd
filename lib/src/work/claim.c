/* SPDX-License-Identifier: MIT */
#include "work/claim.h"

#include "base/clock.h"
#include "work/alone.h"
#include "work/call.h"
#include "work/worker.h"

#include <event2/event.h>

#define CALLS_MAX     2
#define OVERLAP_FROM  32 /* slots from which two calls may be under way */
#define OVERLAP_BATCH 16 /* the least that such a call claims at a time */

void rqi_claim_arm(struct event *timer, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)evtimer_add(timer, &tv);
}

void rqi_claim_kick(refq_worker *w)
{
    event_active(w->kick, EV_TIMEOUT, 0);
}

void rqi_claim_now(rqi_line *line)
{
    line->hungry = true;
    rqi_claim_kick(line->worker);
}

void rqi_claim_pause(rqi_line *line)
{
    refq_worker *w = line->worker;
    if (w->conn != NULL && rqi_conn_is_up(w->conn)) {
        line->broken = true;
        rqi_claim_arm(line->later, RQI_PAUSE_MS);
    }
}

bool rqi_claim_is_off(const rqi_line *line)
{
    return line->worker->draining || line->worker->quiet || line->quiet;
}

/* --- Who may ---------------------------------------------------------------------------------- */

/* A worker whose beats are not answered any more may have been given up: it keeps quiet until it
 * knows better. */
static bool lease_is_doubtful(const rqi_line *line)
{
    const refq_worker *w = line->worker;
    int64_t silent = rqi_mono_ms() - rqi_lease_last_ms(w->lease, line->index);
    return silent > w->o.lease_ms - w->o.lease_ms / 5;
}

static bool may_send(const rqi_line *line)
{
    return line->started && !line->broken && !line->asking_mine && !line->recount &&
           !lease_is_doubtful(line);
}

/* Two calls at once would both claim what a task's limit leaves. */
static bool has_a_call_free(const rqi_line *line)
{
    bool overlap = line->worker->o.concurrency >= OVERLAP_FROM && !line->limited;
    return line->calls == 0 ||
           (line->calls < CALLS_MAX && overlap && line->last_full && line->ready_n > 0);
}

/* What one call asks for at most. */
static size_t most_of(const refq_worker *w)
{
    size_t half = w->o.concurrency / 2;
    if (w->o.concurrency < OVERLAP_FROM || half > RQI_BATCH_MAX) {
        return RQI_BATCH_MAX;
    }
    return half < OVERLAP_BATCH ? OVERLAP_BATCH : half;
}

/* --- Dealing slots ---------------------------------------------------------------------------- */

size_t rqi_claim_free_slots(const refq_worker *w)
{
    size_t used = w->running_n + w->claiming;
    size_t slots = w->o.concurrency;
    return rqi_alone_wanted(w) || used >= slots ? 0 : slots - used;
}

/* What each line may do in this turn, and how many slots it is dealt. */
struct deal {
    bool may[RQI_LINES_MAX]; /* send a call */
    size_t want[RQI_LINES_MAX];
};

static bool is_eager(const rqi_line *line, const struct deal *deal, size_t most)
{
    return deal->may[line->index] && line->hungry && !rqi_claim_is_off(line) &&
           deal->want[line->index] < most;
}

/* The hungry line with the fewest slots, from the one whose turn it is; NULL when none is hungry.
 */
static rqi_line *neediest(const refq_worker *w, const struct deal *deal, size_t most)
{
    rqi_line *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < w->lines_n; i++) {
        rqi_line *line = w->lines[(w->turn + i) % w->lines_n];
        size_t has = line->running_n + line->claiming + deal->want[line->index];
        if (has < least && is_eager(line, deal, most)) {
            best = line;
            least = has;
        }
    }
    return best;
}

/* Slots that nobody is hungry for go along with calls that are sent anyway. */
static void deal_rest(refq_worker *w, struct deal *deal, size_t slots, size_t most)
{
    for (size_t i = 0; i < w->lines_n && slots > 0; i++) {
        rqi_line *line = w->lines[i];
        bool calls = line->ready_n > 0 || (line->notes_any && line->calls == 0);
        if (deal->may[i] && calls && deal->want[i] == 0 && !rqi_claim_is_off(line)) {
            deal->want[i] = slots < most ? slots : most;
            slots -= deal->want[i];
        }
    }
}

static void deal_slots(refq_worker *w, struct deal *deal)
{
    size_t slots = rqi_claim_free_slots(w);
    size_t most = most_of(w);
    rqi_line *line = NULL;
    while (slots > 0 && (line = neediest(w, deal, most)) != NULL) {
        size_t n = w->lines_n == 1 ? (slots < most ? slots : most) : 1;
        deal->want[line->index] += n;
        slots -= n;
        w->turn = (line->index + 1) % w->lines_n;
    }
    deal_rest(w, deal, slots, most);
}

/* --- Sending ---------------------------------------------------------------------------------- */

/* Sends one call when there is a reason to; false when there is none. */
static bool send_if_useful(rqi_line *line, size_t want)
{
    rqi_note notes[RQI_BATCH_MAX];
    size_t notes_n = line->calls == 0 ? rqi_notes_collect(line, notes, RQI_BATCH_MAX) : 0;
    bool claim = want > 0 && line->hungry;
    bool unpark = rqi_claim_is_off(line) && line->parked && line->calls == 0;
    if (line->ready_n == 0 && notes_n == 0 && !claim && !unpark) {
        return false;
    }
    return rqi_call_send(line, want, notes, notes_n);
}

/* One round over the lines; true when something was sent. */
static bool look_once(refq_worker *w)
{
    struct deal deal = {0};
    bool sent = false;
    for (size_t i = 0; i < w->lines_n; i++) {
        rqi_line *line = w->lines[i];
        if (line->recount && line->calls == 0 && line->started && !line->broken &&
            !line->asking_mine && !lease_is_doubtful(line)) {
            rqi_mine_ask(line);
        }
        deal.may[i] = may_send(line) && has_a_call_free(line);
    }
    deal_slots(w, &deal);
    for (size_t i = 0; i < w->lines_n; i++) {
        sent = (deal.may[i] && send_if_useful(w->lines[i], deal.want[i])) || sent;
    }
    return sent;
}

void rqi_claim_look(refq_worker *w)
{
    if (!rqi_conn_is_up(w->conn)) {
        return;
    }
    rqi_alone_look(w);
    while (look_once(w)) {
    }
}

void rqi_claim_up(void *worker)
{
    refq_worker *w = worker;
    for (size_t i = 0; i < w->lines_n; i++) {
        w->lines[i]->broken = false;
        w->lines[i]->hungry = true;
        w->lines[i]->recount = true; /* whatever the last connection left open */
    }
    rqi_claim_kick(w);
}
