/* SPDX-License-Identifier: MIT */
#include "work/notes.h"

#include "base/clock.h"
#include "work/alone.h"
#include "work/worker.h"

#include <event2/event.h>

#define PROGRESS_EVERY_MS 200

static unsigned bit(rqi_note_kind kind)
{
    return 1U << kind;
}

void rqi_note_owe(rqi_attempt *a, rqi_note_kind kind)
{
    a->owes |= bit(kind);
    a->line->notes_any = true;
    rqi_claim_kick(a->line->worker);
}

void rqi_note_forget(rqi_attempt *a, rqi_note_kind kind)
{
    a->owes &= ~bit(kind);
}

static void add_alone(rqi_attempt *a, rqi_cmd *cmd, rqi_buf *scratch)
{
    (void)a;
    (void)scratch;
    rqi_cmd_adds(cmd, "alone");
}

static void add_ask(rqi_attempt *a, rqi_cmd *cmd, rqi_buf *scratch)
{
    rqi_buf_add(scratch, a->question.ptr, a->question.len); /* another may come before it is sent */
    rqi_cmd_adds(cmd, "ask");
    rqi_cmd_add(cmd, scratch->ptr, scratch->len);
}

static void add_answered(rqi_attempt *a, rqi_cmd *cmd, rqi_buf *scratch)
{
    (void)a;
    (void)scratch;
    rqi_cmd_adds(cmd, "answered");
}

static void add_deadline(rqi_attempt *a, rqi_cmd *cmd, rqi_buf *scratch)
{
    int64_t left = a->run.deadline_ms - rqi_mono_ms();
    int retries = a->run.handler->def.max_retries;
    (void)scratch;
    rqi_cmd_adds(cmd, "deadline");
    rqi_cmd_addi(cmd, left > 0 ? left : 0);
    rqi_cmd_addi(cmd, retries == REFQ_NO_RETRIES ? 0 : retries);
}

static void add_progress(rqi_attempt *a, rqi_cmd *cmd, rqi_buf *scratch)
{
    int64_t current = 0;
    int64_t total = 0;
    char text[sizeof a->run.message];
    a->progress_sent_ms = rqi_mono_ms();
    (void)rqi_run_take_progress(&a->run, &current, &total, text);
    rqi_buf_addf(scratch, "%lld/%lld", (long long)current, (long long)total);
    size_t message = scratch->len;
    rqi_buf_adds(scratch, text);
    rqi_cmd_adds(cmd, "progress");
    rqi_cmd_add(cmd, scratch->ptr, message);
    rqi_cmd_add(cmd, scratch->ptr + message, scratch->len - message);
}

static void (*const add_kind[RQI_NOTE_KINDS])(rqi_attempt *a, rqi_cmd *cmd, rqi_buf *scratch) = {
    [RQI_NOTE_ALONE] = add_alone,
    [RQI_NOTE_ASK] = add_ask,
    [RQI_NOTE_ANSWERED] = add_answered,
    [RQI_NOTE_DEADLINE] = add_deadline,
    [RQI_NOTE_PROGRESS] = add_progress};

void rqi_note_add(const rqi_note *note, rqi_cmd *cmd, rqi_buf *scratch)
{
    rqi_attempt *a = note->attempt;
    a->owes &= ~bit(note->kind);
    rqi_cmd_adds(cmd, a->run.ref.hex);
    rqi_cmd_adds(cmd, a->run.fence);
    add_kind[note->kind](a, cmd, scratch);
}

/* Whether a note may be sent now; *wait is lowered to when it may. */
static bool is_due(const rqi_attempt *a, rqi_note_kind kind, int64_t now, int64_t *wait)
{
    if ((a->owes & bit(kind)) == 0) {
        return false;
    }
    if (kind == RQI_NOTE_DEADLINE && a->run.left_ms > 0) {
        return false; /* it stands still while a person is asked, and is told afterwards */
    }
    int64_t left = kind == RQI_NOTE_PROGRESS ? a->progress_sent_ms + PROGRESS_EVERY_MS - now : 0;
    if (left > 0 && left < *wait) {
        *wait = left;
    }
    return left <= 0;
}

static size_t collect_of(rqi_attempt *a, rqi_note *ret, size_t room, int64_t now, int64_t *wait)
{
    size_t n = 0;
    for (int kind = 0; kind < RQI_NOTE_KINDS && n < room; kind++) {
        if (is_due(a, (rqi_note_kind)kind, now, wait)) {
            ret[n++] = (rqi_note){a, (rqi_note_kind)kind};
        }
    }
    return n;
}

size_t rqi_notes_collect(rqi_line *line, rqi_note *ret, size_t room)
{
    size_t n = 0;
    int64_t wait = INT64_MAX;
    int64_t now = rqi_mono_ms();
    rqi_attempt *a = NULL;
    if (!line->notes_any) {
        return 0;
    }
    TAILQ_FOREACH(a, &line->held, held)
    {
        if (a->owes != 0 && rqi_attempt_is_active(a)) {
            n += collect_of(a, ret + n, room - n, now, &wait);
        }
    }
    line->notes_any = wait != INT64_MAX || n == room;
    if (wait != INT64_MAX) {
        struct timeval tv = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};
        (void)evtimer_add(line->later, &tv);
    }
    return n;
}

void rqi_note_taken(rqi_attempt *a, rqi_note_kind kind)
{
    if (kind == RQI_NOTE_ALONE) {
        rqi_alone_go(a);
    }
    if (kind == RQI_NOTE_ANSWERED) {
        a->answering = false;
    }
    /* The question took the deadline away. */
    if (kind == RQI_NOTE_ANSWERED && a->run.deadline_ms > 0) {
        rqi_note_owe(a, RQI_NOTE_DEADLINE);
    }
}
