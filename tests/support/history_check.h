/* SPDX-License-Identifier: MIT */
/* Proves from a history (history.h) that a run lost nothing, or tells the story of what it broke.
 */
#ifndef RQT_HISTORY_CHECK_H
#define RQT_HISTORY_CHECK_H

#include "support/history.h"

#include <stdio.h>

typedef enum rqt_rule {
    RQT_RULE_LOST = 0,    /* an accepted task is terminal, and its result readable when complete */
    RQT_RULE_TWO_COMMITS, /* all who saw a task complete saw the same attempt and value */
    RQT_RULE_VALUE,       /* a readable result is what the attempt of the record returned */
    RQT_RULE_WENT_BACK,   /* a terminal status never changes, and a record never goes away */
    RQT_RULE_FENCE,       /* each attempt starts once; fences rise with the attempts */
    RQT_RULE_CANCELLED,   /* no attempt starts once a cancel was answered, and a grace is over */
    RQT_RULE_FAILURES,    /* failures are those of the handler, at most retries + 1 */
    RQT_RULE_OVERLAP,     /* attempts run at the same time only when a fault explains it */
    RQT_RULE_EXTRA_RUN,   /* an attempt is repeated only after a failure or a fault */
    RQT_RULE_VANISHED,    /* an attempt ends, or its worker was killed */
    RQT_RULE_INNOCENT,    /* no task fails but by its handler */
    RQT_RULE_STRANGER,    /* what ran had been submitted, what ended had started */
    RQT_RULE_KEY,         /* one idempotency key, one task */
    RQT_RULES
} rqt_rule;

const char *rqt_rule_name(rqt_rule rule);
const char *rqt_rule_says(rqt_rule rule);

typedef struct rqt_check_options {
    int64_t grace_ms; /* from the answer to a cancel to the last start; 0 = 1000 */
    int64_t slack_ms; /* how much earlier than its first line an attempt may have begun; 0 = 1000 */
    unsigned extra_runs; /* of one task, that nothing explains */
} rqt_check_options;

typedef struct rqt_violation {
    rqt_rule rule;
    size_t first; /* the task's events in the history */
    size_t n;
    char text[200];
} rqt_violation;

typedef struct rqt_verdict {
    size_t tasks;
    size_t runs;
    size_t faults;
    size_t checked[RQT_RULES]; /* how often the rule was applied */
    size_t excused[RQT_RULES]; /* how often it was broken, and a fault explains it */
    size_t broken[RQT_RULES];
    rqt_violation *violations; /* owned; the first RQT_VIOLATIONS_MAX */
    size_t n;
} rqt_verdict;

#define RQT_VIOLATIONS_MAX 1000

/* h is sorted. options may be NULL. The caller frees with rqt_verdict_done(). */
refq_err rqt_history_check(const rqt_history *h, const rqt_check_options *options, rqt_verdict *ret,
                           refq_error *err);
void rqt_verdict_done(rqt_verdict *v);

size_t rqt_verdict_broken(const rqt_verdict *v);

/* In history_report.c: the table of what was checked, then the stories of the first `stories`
 * violations. */
void rqt_verdict_print(FILE *out, const rqt_history *h, const rqt_verdict *v, size_t stories);

#endif
