/* SPDX-License-Identifier: MIT */
/* What a person reads of a verdict: the table, and the stories. */
#include "support/history_check.h"

#include <string.h>

#define AROUND_NS ((int64_t)5000 * 1000000) /* faults so long before a task belong to its story */

/* Faults that acted while the task lived belong to its story. */
static void print_story(FILE *out, const rqt_history *h, const rqt_violation *bad)
{
    const rqt_event *task_events = &h->events[bad->first];
    int64_t from = task_events[0].at_ns - AROUND_NS;
    int64_t to = task_events[bad->n - 1].at_ns;
    size_t fault = 0;
    for (size_t i = 0; i < bad->n; i++) {
        for (; fault < h->n && strcmp(h->events[fault].ref, "-") == 0 &&
               h->events[fault].at_ns <= task_events[i].at_ns;
             fault++) {
            if (h->events[fault].at_ns >= from && h->events[fault].at_ns <= to) {
                (void)fprintf(out, "    | %s\n", h->events[fault].line);
            }
        }
        (void)fprintf(out, "    %s\n", task_events[i].line);
    }
}

void rqt_verdict_print(FILE *out, const rqt_history *h, const rqt_verdict *v, size_t stories)
{
    (void)fprintf(out, "%zu tasks, %zu runs, %zu faults, %zu events\n\n", v->tasks, v->runs,
                  v->faults, h->n);
    (void)fprintf(out, "%-12s %9s %9s %9s  %s\n", "rule", "checked", "excused", "broken", "");
    for (int r = 0; r < RQT_RULES; r++) {
        (void)fprintf(out, "%-12s %9zu %9zu %9zu  %s\n", rqt_rule_name((rqt_rule)r), v->checked[r],
                      v->excused[r], v->broken[r], rqt_rule_says((rqt_rule)r));
    }
    for (size_t i = 0; i < v->n && i < stories; i++) {
        const rqt_violation *bad = &v->violations[i];
        (void)fprintf(out, "\n%s: %s: %s\n", rqt_rule_name(bad->rule), h->events[bad->first].ref,
                      bad->text);
        print_story(out, h, bad);
    }
    if (v->n > stories) {
        (void)fprintf(out, "\nand %zu more\n", rqt_verdict_broken(v) - stories);
    }
}
