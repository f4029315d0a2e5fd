/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A thread cannot be stopped from outside, so a C handler that ignores
 * its cancel keeps its slot. Nothing can be done about it but to show it. External
 * programs are never stuck: their ladder ends with SIGKILL.
 */
#include "work/stuck.h"

#include "base/clock.h"

#define LOOK_EVERY_MS 500

static bool is_stuck(const rqi_attempt *a, int64_t now)
{
    return a->state == RQI_ATTEMPT_RUNNING && a->run.exec == NULL && a->run.stopped_ms > 0 &&
           now - a->run.stopped_ms >= RQI_STUCK_MS;
}

static size_t count(const rqi_line *line, int64_t now)
{
    const rqi_attempt *a = NULL;
    size_t n = 0;
    TAILQ_FOREACH(a, &line->held, held)
    {
        n += is_stuck(a, now);
    }
    return n;
}

void rqi_stuck_look(refq_worker *w)
{
    int64_t now = rqi_mono_ms();
    if (now - w->stuck_seen_ms < LOOK_EVERY_MS) {
        return;
    }
    w->stuck_seen_ms = now;
    for (size_t i = 0; i < w->lines_n; i++) {
        w->lines[i]->stuck_n = count(w->lines[i], now);
    }
}
