/* SPDX-License-Identifier: MIT */
#include "work/call.h"

#include "base/clock.h"
#include "base/log.h"
#include "work/intake.h"
#include "work/limits.h"
#include "work/worker.h"

#include <stdlib.h>
#include <string.h>

#define CALL_BYTES ((size_t)8 << 20) /* of results in one call, unless one has more */

struct sent_note {
    char hex[REFQ_HEX_LEN + 1];
    char entry[RQI_FENCE_MAX + 1];
    rqi_note_kind kind;
};

struct call {
    rqi_line *line;
    unsigned generation;
    size_t want;
    struct rqi_attempts sent;
    size_t sent_n;
    size_t notes_n;
    struct sent_note notes[RQI_BATCH_MAX];
};

/* --- Answers ---------------------------------------------------------------------------------- */

static void log_report(const rqi_attempt *a, const char *answer)
{
    const refq_logger *log = &a->line->worker->o.log;
    char quoted[300];
    if (a->phantom || !rqi_log_on(log, REFQ_LOG_INFO)) {
        return;
    }
    rqi_log(log, REFQ_LOG_INFO,
            "event=reported ref=%s:%s task=%s attempt=%u outcome=%s answer=%s error=%s",
            a->line->queue, a->run.ref.hex, a->run.task, a->run.number,
            a->after.len > 0                  ? "parked"
            : a->run.stop != RQI_STOP_NONE    ? "stopped"
            : a->run.outcome.kind == RQI_DONE ? "done"
                                              : "failed",
            answer, rqi_log_quote(quoted, sizeof quoted, a->run.outcome.error));
}

static void take_answer(rqi_attempt *a, const char *answer)
{
    rqi_line *line = a->line;
    if (strcmp(answer, "nostaged") == 0 && a->generation == line->generation) {
        a->staged_failed = true;
        rqi_line_make_ready(line, a);
        return;
    }
    log_report(a, answer);
    rqi_line_drop(line, a);
}

/* A note is refused when the attempt is not ours any more: the surest sign to stop it. */
static void take_note_answer(struct call *call, const struct sent_note *note, const char *answer)
{
    rqi_line *line = call->line;
    rqi_attempt *a = rqi_line_find(line, note->hex, note->entry);
    if (a == NULL) {
        return;
    }
    if (strcmp(answer, "ok") == 0) {
        rqi_note_taken(a, note->kind);
        return;
    }
    bool cancelled = strcmp(answer, "cancelled") == 0;
    rqi_log(&line->worker->o.log, REFQ_LOG_INFO, "event=stopping ref=%s:%s attempt=%u reason=%s",
            line->queue, note->hex, a->run.number, cancelled ? "cancelled" : "fenced");
    rqi_attempt_stop(a, cancelled ? RQI_STOP_CANCELLED : RQI_STOP_FENCED);
}

/* --- Replies ---------------------------------------------------------------------------------- */

/* The claimed tasks of a reply. */
static void take_claims(struct call *call, rqi_cursor *cur, int64_t n)
{
    rqi_line *line = call->line;
    for (int64_t i = 0; i < n && !cur->bad; i++) {
        bool fetch = false;
        rqi_attempt *a = rqi_intake_read(line, cur, &fetch);
        if (a == NULL) {
            line->recount = true; /* out of memory: `mine` will find it and give it back */
        } else if (call->generation != line->generation) {
            rqi_attempt_free(a); /* of a dead incarnation: others have it */
        } else {
            rqi_intake_start(a, fetch);
        }
    }
}

static void take_answers(struct call *call, rqi_cursor *cur)
{
    rqi_attempt *a = NULL;
    while (!cur->bad && (a = TAILQ_FIRST(&call->sent)) != NULL) {
        const char *answer = rqi_next_str(cur);
        if (!cur->bad) {
            TAILQ_REMOVE(&call->sent, a, link);
            take_answer(a, answer);
        }
    }
    for (size_t i = 0; i < call->notes_n && !cur->bad; i++) {
        const char *answer = rqi_next_str(cur);
        if (!cur->bad) {
            take_note_answer(call, &call->notes[i], answer);
        }
    }
}

/* What a reply says about waiting for work. */
static void take_parking(struct call *call, bool parked, bool more, int64_t alarm, int64_t n)
{
    rqi_line *line = call->line;
    bool unparked = line->parked && !parked; /* also by a call that wanted nothing */
    if (call->want > 0 || line->parked) {
        line->parked = parked;
    }
    line->last_full = call->want > 0 && (size_t)n == call->want;
    if (call->want > 0) {
        line->hungry = !parked || more;
    } else if (unparked) {
        line->hungry = true; /* no bell rings for it any more */
    }
    if (alarm >= 0) {
        rqi_claim_arm(line->alarm, alarm + 1);
    }
    rqi_bell_listen(line->bell);
}

/* The reports go back in front, in their order. */
static void take_back(struct call *call)
{
    rqi_line *line = call->line;
    rqi_attempt *a = NULL;
    while ((a = TAILQ_LAST(&call->sent, rqi_attempts)) != NULL) {
        TAILQ_REMOVE(&call->sent, a, link);
        a->state = RQI_ATTEMPT_READY;
        a->staged_failed = false;
        TAILQ_INSERT_HEAD(&line->ready, a, link);
        line->ready_n++;
    }
}

static void owe_again(struct call *call)
{
    for (size_t i = 0; i < call->notes_n; i++) {
        const struct sent_note *note = &call->notes[i];
        rqi_attempt *a = rqi_line_find(call->line, note->hex, note->entry);
        if (a != NULL) {
            rqi_note_owe(a, note->kind);
        }
    }
}

/* Reports of an incarnation that is dead by now: nobody waits for them. */
static void drop_sent(struct call *call)
{
    rqi_attempt *a = NULL;
    while ((a = TAILQ_FIRST(&call->sent)) != NULL) {
        TAILQ_REMOVE(&call->sent, a, link);
        rqi_line_drop(call->line, a);
    }
}

static void take_failure(struct call *call, const refq_error *err)
{
    rqi_line *line = call->line;
    if (call->generation != line->generation) {
        drop_sent(call);
        return;
    }
    char quoted[200];
    rqi_log(&line->worker->o.log, REFQ_LOG_WARN,
            "event=call_failed queue=%s reports=%zu want=%zu error=%s", line->queue, call->sent_n,
            call->want, rqi_log_quote(quoted, sizeof quoted, err->text));
    take_back(call);
    owe_again(call);
    line->hungry = true;
    line->recount = true;
    rqi_claim_pause(line);
}

static void take_reply(struct call *call, const redisReply *reply)
{
    rqi_line *line = call->line;
    rqi_cursor cur = rqi_cursor_of(reply);
    int64_t offset = rqi_next_int(&cur) - rqi_mono_ms(); /* before what takes time */
    bool gone = strcmp(rqi_next_str(&cur), "gone") == 0;
    bool parked = rqi_next_int(&cur) != 0;
    int64_t alarm = rqi_next_int(&cur);
    bool more = rqi_next_int(&cur) != 0;
    int64_t n = rqi_next_int(&cur);
    if (!cur.bad) {
        line->worker->clock_offset_ms = offset;
    }
    take_claims(call, &cur, n);
    take_answers(call, &cur);
    if (cur.bad) {
        /* What was not answered is told again; what was claimed, `mine` knows. */
        refq_error err;
        (void)rqi_reply_unexpected(&err, "finish");
        take_failure(call, &err);
        return;
    }
    if (call->generation != line->generation) {
        return;
    }
    if (gone) {
        rqi_line_reborn(line);
        return;
    }
    take_parking(call, parked, more, alarm, n);
}

static void on_finish(void *arg, const refq_error *err, const redisReply *reply)
{
    struct call *call = arg;
    rqi_line *line = call->line;
    refq_worker *w = line->worker;
    line->calls--;
    line->claiming -= call->want;
    w->claiming -= call->want;
    if (err != NULL) {
        take_failure(call, err);
    } else {
        take_reply(call, reply);
    }
    free(call);
    rqi_claim_kick(w);
}

/* --- Calls ------------------------------------------------------------------------------------ */

static void add_head(rqi_line *line, const struct call *call, size_t reports, rqi_buf *limits)
{
    refq_worker *w = line->worker;
    rqi_limits_compose(line, limits);
    rqi_fcall_begin(&w->cmd, &line->keys, RQI_FN("finish"));
    rqi_cmd_adds(&w->cmd, line->id);
    rqi_cmd_addi(&w->cmd, (int64_t)call->want);
    rqi_cmd_adds(&w->cmd, line->parked ? "1" : "0");
    rqi_cmd_adds(&w->cmd, "1");
    rqi_cmd_adds(&w->cmd, line->keys.entry_prefix);
    rqi_cmd_addi(&w->cmd, w->o.record_ttl_ms);
    rqi_cmd_addi(&w->cmd, 7 * w->o.record_ttl_ms); /* dead letters wait longer for a person */
    rqi_cmd_adds(&w->cmd, rqi_buf_str(limits));
    rqi_cmd_addi(&w->cmd, (int64_t)reports);
}

/* Moves reports into the call, bounded in number and bytes, but always one. */
static void take_ready(struct call *call)
{
    rqi_line *line = call->line;
    rqi_attempt *a = NULL;
    size_t bytes = 0;
    while (call->sent_n < RQI_BATCH_MAX && (a = TAILQ_FIRST(&line->ready)) != NULL) {
        bytes += a->run.outcome.value.len;
        if (call->sent_n > 0 && bytes > CALL_BYTES) {
            break;
        }
        TAILQ_REMOVE(&line->ready, a, link);
        line->ready_n--;
        a->state = RQI_ATTEMPT_SENT;
        TAILQ_INSERT_TAIL(&call->sent, a, link);
        call->sent_n++;
        rqi_report_stage(a);
    }
}

static void add_notes(struct call *call, const rqi_note *notes, rqi_buf *scratch)
{
    for (size_t i = 0; i < call->notes_n; i++) {
        const rqi_attempt *a = notes[i].attempt;
        struct sent_note *sent = &call->notes[i];
        memcpy(sent->hex, a->run.ref.hex, sizeof sent->hex);
        memcpy(sent->entry, a->run.fence, sizeof sent->entry);
        sent->kind = notes[i].kind;
        rqi_note_add(&notes[i], &call->line->worker->cmd, &scratch[i]);
    }
}

/* Everything the call says; returns how many scratch buffers were used. */
static size_t compose(struct call *call, const rqi_note *notes)
{
    rqi_line *line = call->line;
    rqi_buf *scratch = line->worker->scratch;
    size_t used = 1;
    rqi_attempt *a = NULL;
    add_head(line, call, call->sent_n + call->notes_n, &scratch[0]);
    TAILQ_FOREACH(a, &call->sent, link)
    {
        rqi_report_add(a, &scratch[used]);
        used += 2;
    }
    add_notes(call, notes, &scratch[used]);
    return used + call->notes_n;
}

bool rqi_call_send(rqi_line *line, size_t want, const rqi_note *notes, size_t notes_n)
{
    refq_worker *w = line->worker;
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        rqi_claim_arm(line->later, RQI_PAUSE_MS);
        return false;
    }
    *call = (struct call){.line = line, .generation = line->generation, .want = want};
    TAILQ_INIT(&call->sent);
    take_ready(call);
    size_t room = RQI_BATCH_MAX - call->sent_n;
    call->notes_n = notes_n < room ? notes_n : room;
    line->notes_any = line->notes_any || notes_n > room;
    size_t used = compose(call, notes);
    line->calls++;
    line->claiming += want;
    w->claiming += want;
    if (want > 0) {
        line->hungry = false;
    }
    rqi_fcall_send(w->conn, &w->cmd, RQI_ONCE, on_finish, call);
    for (size_t i = 0; i < used; i++) {
        rqi_buf_clear(&w->scratch[i]);
    }
    return true;
}
