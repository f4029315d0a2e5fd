/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The history knows nothing of refq's own books: what a handler wrote down when it ran, and
 * what a reader saw, are compared with each other only. A fault excuses little: one with reach
 * `worker` that its target's attempts run twice; one with reach `loss` whatever contradicts what
 * was before it; and those of the server nothing at all, except that they delay.
 */
#include "support/history_check.h"
#include "support/history_faults.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 128 /* of one task; more are a violation by themselves */
#define MS       ((int64_t)1000000)
#define FOREVER  RQT_FOREVER

/* One execution of an attempt, as its handler wrote it down. */
typedef struct run {
    unsigned attempt;
    rqt_fence fence;
    pid_t worker;
    int64_t from_ns;
    int64_t to_ns;        /* FOREVER while no end is known */
    const rqt_event *end; /* NULL when it wrote none */
} run;

typedef struct task {
    const rqt_event *events;
    size_t n;
    run runs[RUNS_MAX];
    size_t runs_n;
    size_t starts;
    const rqt_event *submit;   /* the first one; NULL = nobody did */
    const rqt_event *accepted; /* the last one; NULL = none */
    const rqt_event *final;
    bool alias; /* an idempotency key led to another task */
} task;

typedef struct checker {
    const rqt_history *h;
    rqt_check_options o;
    rqt_faults_seen faults;
    rqt_verdict *v;
    refq_err err;
} checker;

/* --- Findings --------------------------------------------------------------------------------- */

static void violate(checker *c, rqt_rule rule, const task *t, const char *fmt, ...)
    REFQ_PRINTF(4, 5);

static void violate(checker *c, rqt_rule rule, const task *t, const char *fmt, ...)
{
    rqt_verdict *v = c->v;
    v->broken[rule]++;
    if (v->n == RQT_VIOLATIONS_MAX) {
        return;
    }
    rqt_violation *grown = realloc(v->violations, (v->n + 1) * sizeof *grown);
    if (grown == NULL) {
        c->err = REFQ_ERR_NOMEM;
        return;
    }
    v->violations = grown;
    rqt_violation *new = &grown[v->n++];
    *new = (rqt_violation){.rule = rule, .first = (size_t)(t->events - c->h->events), .n = t->n};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(new->text, sizeof new->text, fmt, ap);
    va_end(ap);
}

/* --- A task's events -------------------------------------------------------------------------- */

static void note_start(task *t, const rqt_event *e)
{
    t->starts++;
    if (t->runs_n < RUNS_MAX) {
        t->runs[t->runs_n++] = (run){.attempt = e->attempt,
                                     .fence = e->fence,
                                     .worker = (pid_t)rqt_event_number(e, "worker", e->pid),
                                     .from_ns = e->at_ns,
                                     .to_ns = FOREVER};
    }
}

static bool note_end(task *t, const rqt_event *e)
{
    for (size_t i = t->runs_n; i-- > 0;) {
        run *r = &t->runs[i];
        if (r->end == NULL && r->attempt == e->attempt &&
            rqt_fence_compare(r->fence, e->fence) == 0) {
            r->end = e;
            r->to_ns = e->at_ns;
            return true;
        }
    }
    return t->starts > RUNS_MAX;
}

static void note_accepted(task *t, const rqt_event *e)
{
    char as[REFQ_REF_MAX + 1] = "";
    (void)rqt_event_text(e, "as", as, sizeof as);
    t->accepted = e;
    t->alias = strcmp(as, e->ref) != 0;
}

/* A killed worker's attempts ended with it. */
static void end_killed_runs(const checker *c, task *t)
{
    for (size_t i = 0; i < t->runs_n; i++) {
        run *r = &t->runs[i];
        if (r->end == NULL) {
            r->to_ns = rqt_fault_killed_at(&c->faults, r->worker, r->from_ns);
        }
    }
}

static int by_attempt(const void *a, const void *b)
{
    const run *x = a;
    const run *y = b;
    if (x->attempt != y->attempt) {
        return x->attempt < y->attempt ? -1 : 1;
    }
    return x->from_ns < y->from_ns ? -1 : x->from_ns > y->from_ns;
}

static void read_task(checker *c, task *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const rqt_event *e = &t->events[i];
        if (e->kind == RQT_START) {
            note_start(t, e);
        } else if (e->kind == RQT_DONE || e->kind == RQT_FAILED || e->kind == RQT_TOLD) {
            if (!note_end(t, e)) {
                violate(c, RQT_RULE_STRANGER, t, "attempt %u ended without a start", e->attempt);
            }
        } else if (e->kind == RQT_SUBMIT && t->submit == NULL) {
            t->submit = e;
        } else if (e->kind == RQT_ACCEPTED) {
            note_accepted(t, e);
        } else if (e->kind == RQT_FINAL) {
            t->final = e;
        }
    }
    end_killed_runs(c, t);
    qsort(t->runs, t->runs_n, sizeof t->runs[0], by_attempt);
    c->v->runs += t->starts;
}

/* --- What readers saw ------------------------------------------------------------------------- */

typedef struct sight {
    refq_status status;
    bool none;  /* no such task */
    bool value; /* a result was read */
    uint64_t hash;
    rqt_fence fence; /* of the value */
    int64_t attempt; /* of the value */
    char ref[REFQ_REF_MAX + 1];
} sight;

static bool is_sight(const rqt_event *e)
{
    return e->kind == RQT_STOPPED || e->kind == RQT_SEEN || e->kind == RQT_FINAL;
}

static sight sight_of(const rqt_event *e)
{
    char text[64] = "";
    sight s = {.attempt = rqt_event_number(e, "vattempt", -1)};
    (void)rqt_event_text(e, "status", text, sizeof text);
    s.none = refq_status_parse(text, &s.status) != REFQ_OK;
    s.value = rqt_event_text(e, "value", text, sizeof text);
    s.hash = s.value ? strtoull(text, NULL, 16) : 0;
    (void)rqt_event_text(e, "vref", s.ref, sizeof s.ref);
    if (rqt_event_text(e, "vfence", text, sizeof text)) {
        (void)sscanf(text, "%" SCNu64 "-%" SCNu64, &s.fence.ms, &s.fence.seq);
    }
    return s;
}

static bool is_terminal(const sight *s)
{
    return !s->none && refq_status_is_terminal(s->status);
}

static const char *status_text(const sight *s)
{
    return s->none ? "gone" : refq_status_name(s->status);
}

/* --- Rules ------------------------------------------------------------------------------------ */

static void check_lost(checker *c, const task *t)
{
    if (t->accepted == NULL || t->alias) {
        return;
    }
    c->v->checked[RQT_RULE_LOST]++;
    if (t->final == NULL) {
        violate(c, RQT_RULE_LOST, t, "accepted, and nobody looked at it in the end");
        return;
    }
    sight s = sight_of(t->final);
    bool lost = !is_terminal(&s) || (s.status == REFQ_COMPLETE && !s.value);
    if (lost && s.none && rqt_fault_lost_memory(&c->faults, t->accepted->at_ns, t->final->at_ns)) {
        c->v->excused[RQT_RULE_LOST]++;
    } else if (lost) {
        violate(c, RQT_RULE_LOST, t, "accepted, and in the end it is %s%s", status_text(&s),
                is_terminal(&s) ? " without a result" : "");
    }
}

static const run *run_of(const task *t, unsigned attempt, rqt_fence fence)
{
    for (size_t i = 0; i < t->runs_n; i++) {
        const run *r = &t->runs[i];
        if (r->attempt == attempt && rqt_fence_compare(r->fence, fence) == 0) {
            return r;
        }
    }
    return NULL;
}

/* Any run of that attempt that ended with this value: after a loss there may be several. */
static bool returned(const task *t, unsigned attempt, rqt_fence fence, uint64_t hash)
{
    for (size_t i = 0; i < t->runs_n; i++) {
        const run *r = &t->runs[i];
        char text[32] = "";
        if (r->attempt == attempt && rqt_fence_compare(r->fence, fence) == 0 && r->end != NULL &&
            r->end->kind == RQT_DONE && rqt_event_text(r->end, "value", text, sizeof text) &&
            strtoull(text, NULL, 16) == hash) {
            return true;
        }
    }
    return false;
}

static void check_value(checker *c, const task *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const rqt_event *e = &t->events[i];
        sight s = sight_of(e);
        if (!is_sight(e) || !s.value) {
            continue;
        }
        c->v->checked[RQT_RULE_VALUE]++;
        if (strcmp(s.ref, e->ref) != 0) {
            violate(c, RQT_RULE_VALUE, t, "the result is that of %s", s.ref);
        } else if (s.attempt != e->attempt || rqt_fence_compare(s.fence, e->fence) != 0) {
            violate(c, RQT_RULE_VALUE, t, "the result is of attempt %" PRId64 ", the record of %u",
                    s.attempt, e->attempt);
        } else if (run_of(t, e->attempt, e->fence) == NULL) {
            violate(c, RQT_RULE_VALUE, t, "attempt %u has a result, but never started", e->attempt);
        } else if (!returned(t, e->attempt, e->fence, s.hash)) {
            violate(c, RQT_RULE_VALUE, t, "attempt %u did not return this result", e->attempt);
        }
    }
}

static void compare_commits(checker *c, const task *t, const rqt_event *before,
                            const rqt_event *after)
{
    sight a = sight_of(before);
    sight b = sight_of(after);
    c->v->checked[RQT_RULE_TWO_COMMITS]++;
    bool same = before->attempt == after->attempt &&
                rqt_fence_compare(before->fence, after->fence) == 0 &&
                (!a.value || !b.value || a.hash == b.hash);
    if (same) {
        return;
    }
    if (rqt_fault_lost_memory(&c->faults, before->at_ns, after->at_ns)) {
        c->v->excused[RQT_RULE_TWO_COMMITS]++;
        return;
    }
    violate(c, RQT_RULE_TWO_COMMITS, t, "attempt %u was seen complete, and later attempt %u%s",
            before->attempt, after->attempt,
            before->attempt == after->attempt ? " with another fence or value" : "");
}

static void check_two_commits(checker *c, const task *t)
{
    const rqt_event *before = NULL;
    for (size_t i = 0; i < t->n; i++) {
        const rqt_event *e = &t->events[i];
        sight s = sight_of(e);
        if ((e->kind != RQT_SEEN && e->kind != RQT_FINAL) || s.none || s.status != REFQ_COMPLETE) {
            continue;
        }
        if (before != NULL) {
            compare_commits(c, t, before, e);
        }
        before = e;
    }
}

static const char *was_text(const rqt_event *e)
{
    sight s = sight_of(e);
    return status_text(&s);
}

/* Whether a sight contradicts an earlier one. What was gone may stay away, or come back. */
static bool went_back(const rqt_event *before, const sight *now)
{
    sight then = sight_of(before);
    if (is_sight(before) && then.none) {
        return false;
    }
    bool was_terminal = is_sight(before) && is_terminal(&then);
    return now->none || (was_terminal && now->status != then.status);
}

static void check_went_back(checker *c, const task *t)
{
    const rqt_event *before = NULL;
    for (size_t i = 0; i < t->n; i++) {
        const rqt_event *e = &t->events[i];
        sight now = sight_of(e);
        bool exists = e->kind == RQT_ACCEPTED && !t->alias;
        if (is_sight(e) && before != NULL) {
            c->v->checked[RQT_RULE_WENT_BACK]++;
            bool broken = went_back(before, &now);
            if (broken && rqt_fault_lost_memory(&c->faults, before->at_ns, e->at_ns)) {
                c->v->excused[RQT_RULE_WENT_BACK]++;
            } else if (broken) {
                violate(c, RQT_RULE_WENT_BACK, t, "it was %s, and later %s",
                        is_sight(before) ? was_text(before) : "accepted", status_text(&now));
            }
            before = e;
        } else if (exists && (before == NULL || (is_sight(before) && sight_of(before).none))) {
            before = e;
        }
    }
}

/* Whether the server may have forgotten an attempt by the second time: it was claimed before the
 * first one, when it wrote its first line. */
static bool is_forgotten(const checker *c, int64_t first_ns, int64_t last_ns)
{
    return rqt_fault_lost_memory(&c->faults, first_ns, last_ns) ||
           rqt_fault_lost_memory(&c->faults, first_ns - c->o.slack_ms * MS, last_ns);
}

static void check_fence(checker *c, const task *t)
{
    for (size_t i = 1; i < t->runs_n; i++) {
        const run *a = &t->runs[i - 1];
        const run *b = &t->runs[i];
        c->v->checked[RQT_RULE_FENCE]++;
        if (a->attempt < b->attempt && rqt_fence_compare(a->fence, b->fence) < 0) {
            continue;
        }
        int64_t first = a->from_ns < b->from_ns ? a->from_ns : b->from_ns;
        int64_t last = a->from_ns < b->from_ns ? b->from_ns : a->from_ns;
        if (is_forgotten(c, first, last)) {
            c->v->excused[RQT_RULE_FENCE]++;
        } else if (a->attempt == b->attempt) {
            violate(c, RQT_RULE_FENCE, t, "attempt %u started twice", a->attempt);
        } else {
            violate(c, RQT_RULE_FENCE, t, "attempt %u has a fence not above that of attempt %u",
                    b->attempt, a->attempt);
        }
    }
}

static bool cancels(const rqt_event *e)
{
    sight s = sight_of(e);
    return e->kind == RQT_STOPPED && !s.none && s.status == REFQ_CANCELLED;
}

static void check_start_after(checker *c, const task *t, const rqt_event *stop, const run *r)
{
    int64_t late = r->from_ns - stop->at_ns;
    if (late <= c->o.grace_ms * MS) {
        return;
    }
    int64_t held =
        rqt_fault_held_up(&c->faults, r->worker, stop->at_ns - c->o.slack_ms * MS, r->from_ns);
    if (late - held <= c->o.grace_ms * MS ||
        rqt_fault_lost_memory(&c->faults, stop->at_ns, r->from_ns)) {
        c->v->excused[RQT_RULE_CANCELLED]++;
        return;
    }
    violate(c, RQT_RULE_CANCELLED, t, "attempt %u started %" PRId64 " ms after it was cancelled",
            r->attempt, late / MS);
}

static void check_cancelled(checker *c, const task *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (!cancels(&t->events[i])) {
            continue;
        }
        c->v->checked[RQT_RULE_CANCELLED]++;
        for (size_t k = 0; k < t->runs_n; k++) {
            check_start_after(c, t, &t->events[i], &t->runs[k]);
        }
    }
}

static size_t failed_runs(const task *t, const char *class)
{
    size_t n = 0;
    char text[16] = "";
    for (size_t i = 0; i < t->runs_n; i++) {
        const rqt_event *end = t->runs[i].end;
        n += end != NULL && end->kind == RQT_FAILED &&
             (class == NULL ||
              (rqt_event_text(end, "class", text, sizeof text) && strcmp(text, class) == 0));
    }
    return n;
}

static void check_failures(checker *c, const task *t)
{
    char reason[32] = "";
    if (t->final == NULL || t->submit == NULL || t->starts > RUNS_MAX) {
        return;
    }
    c->v->checked[RQT_RULE_FAILURES]++;
    int64_t failures = rqt_event_number(t->final, "failures", 0);
    int64_t allowed = rqt_event_number(t->submit, "retries", 0) + 1;
    int64_t wrote = (int64_t)failed_runs(t, NULL);
    (void)rqt_event_text(t->final, "reason", reason, sizeof reason);
    if (failures > allowed) {
        violate(c, RQT_RULE_FAILURES, t, "%" PRId64 " failures, %" PRId64 " are allowed", failures,
                allowed);
    } else if (failures > wrote) {
        violate(c, RQT_RULE_FAILURES, t,
                "%" PRId64 " failures are counted, the handler had %" PRId64, failures, wrote);
    } else if (strcmp(reason, "exhausted") == 0 && failures != allowed) {
        violate(c, RQT_RULE_FAILURES, t,
                "given up after %" PRId64 " failures, %" PRId64 " are allowed", failures, allowed);
    } else if (strcmp(reason, "permanent") == 0 && failed_runs(t, "permanent") == 0) {
        violate(c, RQT_RULE_FAILURES, t, "failed for good, which its handler never said");
    }
}

static void check_pair(checker *c, const task *t, const run *a, const run *b)
{
    bool overlap = a->from_ns < b->to_ns && b->from_ns < a->to_ns;
    c->v->checked[RQT_RULE_OVERLAP]++;
    if (!overlap) {
        return;
    }
    int64_t first = a->from_ns < b->from_ns ? a->from_ns : b->from_ns;
    int64_t last = a->from_ns < b->from_ns ? b->from_ns : a->from_ns;
    if (rqt_fault_hit_worker(&c->faults, a->worker, first - c->o.slack_ms * MS, last) ||
        is_forgotten(c, first, last)) {
        c->v->excused[RQT_RULE_OVERLAP]++;
        return;
    }
    violate(c, RQT_RULE_OVERLAP, t, "attempts %u and %u ran at the same time", a->attempt,
            b->attempt);
}

static void check_overlap(checker *c, const task *t)
{
    for (size_t i = 0; i < t->runs_n; i++) {
        for (size_t k = i + 1; k < t->runs_n; k++) {
            check_pair(c, t, &t->runs[i], &t->runs[k]);
        }
    }
}

/* Whether it is known why another attempt came after this one. */
static bool is_explained(const checker *c, const run *r, const run *next)
{
    int64_t until = next->from_ns > r->from_ns ? next->from_ns : r->from_ns;
    int64_t first = next->from_ns < r->from_ns ? next->from_ns : r->from_ns;
    int64_t ended = r->to_ns < until ? r->to_ns : until;
    return rqt_fault_hit_worker(&c->faults, r->worker, r->from_ns - c->o.slack_ms * MS, until) ||
           is_forgotten(c, first, until) || rqt_fault_lost_memory(&c->faults, ended, until);
}

static void check_extra_runs(checker *c, const task *t)
{
    unsigned extra = 0;
    unsigned which = 0;
    for (size_t i = 0; i + 1 < t->runs_n; i++) {
        const run *r = &t->runs[i];
        c->v->checked[RQT_RULE_EXTRA_RUN]++;
        if (r->end != NULL && r->end->kind == RQT_FAILED) {
            continue;
        }
        if (is_explained(c, r, r + 1)) {
            c->v->excused[RQT_RULE_EXTRA_RUN]++;
            continue;
        }
        extra++;
        which = r->attempt;
    }
    if (extra > c->o.extra_runs || t->starts > RUNS_MAX) {
        violate(c, RQT_RULE_EXTRA_RUN, t, "%zu runs, %u of them for no reason (after attempt %u)",
                t->starts, extra, which);
    }
}

static void check_vanished(checker *c, const task *t)
{
    for (size_t i = 0; i < t->runs_n; i++) {
        const run *r = &t->runs[i];
        c->v->checked[RQT_RULE_VANISHED]++;
        if (r->end == NULL && r->to_ns == FOREVER) {
            violate(c, RQT_RULE_VANISHED, t, "attempt %u never ended, its worker %d was not killed",
                    r->attempt, (int)r->worker);
        } else if (r->end == NULL) {
            c->v->excused[RQT_RULE_VANISHED]++;
        }
    }
}

static void check_innocent(checker *c, const task *t)
{
    char reason[32] = "";
    if (t->final == NULL || !rqt_event_text(t->final, "reason", reason, sizeof reason)) {
        return;
    }
    c->v->checked[RQT_RULE_INNOCENT]++;
    if (strcmp(reason, "exhausted") != 0 && strcmp(reason, "permanent") != 0) {
        violate(c, RQT_RULE_INNOCENT, t, "it failed because it is '%s'", reason);
    }
}

static void check_stranger(checker *c, const task *t)
{
    c->v->checked[RQT_RULE_STRANGER]++;
    if (t->submit == NULL && t->starts > 0) {
        violate(c, RQT_RULE_STRANGER, t, "it ran, and nobody had submitted it");
    }
}

static bool is_known(const checker *c, const char *ref)
{
    size_t low = 0;
    size_t high = c->h->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(c->h->events[mid].ref, ref);
        if (order == 0) {
            return true;
        }
        low = order < 0 ? mid + 1 : low;
        high = order < 0 ? high : mid;
    }
    return false;
}

static void check_key(checker *c, const task *t)
{
    char as[REFQ_REF_MAX + 1] = "";
    if (!t->alias) {
        return;
    }
    c->v->checked[RQT_RULE_KEY]++;
    (void)rqt_event_text(t->accepted, "as", as, sizeof as);
    sight s = t->final != NULL ? sight_of(t->final) : (sight){.none = true};
    if (!is_known(c, as)) {
        violate(c, RQT_RULE_KEY, t, "its key led to %s, which nobody submitted", as);
    } else if (t->starts > 0 || !s.none) {
        violate(c, RQT_RULE_KEY, t, "its key led to %s, yet it %s as well", as,
                t->starts > 0 ? "ran" : "exists");
    }
}

typedef void (*rule_fn)(checker *c, const task *t);

static const struct {
    const char *name;
    const char *says;
    rule_fn check;
} rules[RQT_RULES] = {
    [RQT_RULE_LOST] = {"lost", "accepted tasks are terminal, results readable", check_lost},
    [RQT_RULE_TWO_COMMITS] = {"two-commits", "one attempt committed, once", check_two_commits},
    [RQT_RULE_VALUE] = {"value", "results are those of the committed attempt", check_value},
    [RQT_RULE_WENT_BACK] = {"went-back", "terminal stays as it is", check_went_back},
    [RQT_RULE_FENCE] = {"fence", "fences rise with the attempts", check_fence},
    [RQT_RULE_CANCELLED] = {"cancelled", "nothing starts after a cancel", check_cancelled},
    [RQT_RULE_FAILURES] = {"failures", "failures are the handler's, and bounded", check_failures},
    [RQT_RULE_OVERLAP] = {"overlap", "attempts follow each other", check_overlap},
    [RQT_RULE_EXTRA_RUN] = {"extra-run", "nothing runs again without a reason", check_extra_runs},
    [RQT_RULE_VANISHED] = {"vanished", "what starts ends", check_vanished},
    [RQT_RULE_INNOCENT] = {"innocent", "tasks fail by their handler only", check_innocent},
    [RQT_RULE_STRANGER] = {"stranger", "what ran was submitted", check_stranger},
    [RQT_RULE_KEY] = {"key", "one key, one task", check_key},
};

const char *rqt_rule_name(rqt_rule rule)
{
    return rules[rule].name;
}

const char *rqt_rule_says(rqt_rule rule)
{
    return rules[rule].says;
}

/* --- The whole -------------------------------------------------------------------------------- */

static void check_task(checker *c, size_t first, size_t n)
{
    task t = {.events = &c->h->events[first], .n = n};
    read_task(c, &t);
    for (int r = 0; r < RQT_RULES; r++) {
        rules[r].check(c, &t);
    }
    c->v->tasks++;
}

refq_err rqt_history_check(const rqt_history *h, const rqt_check_options *options, rqt_verdict *ret,
                           refq_error *err)
{
    checker c = {.h = h, .v = ret};
    c.o = options != NULL ? *options : (rqt_check_options){0};
    c.o.grace_ms = c.o.grace_ms != 0 ? c.o.grace_ms : 1000;
    c.o.slack_ms = c.o.slack_ms != 0 ? c.o.slack_ms : 1000;
    *ret = (rqt_verdict){0};
    c.err = rqt_faults_seen_read(h, &c.faults);
    ret->faults = c.faults.n;
    for (size_t i = 0, n = 0; c.err == REFQ_OK && i < h->n; i += n) {
        for (n = 1; i + n < h->n && strcmp(h->events[i].ref, h->events[i + n].ref) == 0;) {
            n++;
        }
        if (strcmp(h->events[i].ref, "-") != 0) {
            check_task(&c, i, n);
        }
    }
    rqt_faults_seen_done(&c.faults);
    return c.err == REFQ_OK ? REFQ_OK : rqi_fail(err, c.err, "no memory to check the history");
}

void rqt_verdict_done(rqt_verdict *v)
{
    free(v->violations);
    *v = (rqt_verdict){0};
}

size_t rqt_verdict_broken(const rqt_verdict *v)
{
    size_t n = 0;
    for (int r = 0; r < RQT_RULES; r++) {
        n += v->broken[r];
    }
    return n;
}
