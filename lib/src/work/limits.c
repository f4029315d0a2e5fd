/* SPDX-License-Identifier: MIT */
#include "work/limits.h"

#include "run/handlers.h"

#include <string.h>

bool rqi_limits_any(const rqi_line *line)
{
    for (size_t i = 0; i < rqi_handlers_count(line->handlers); i++) {
        if (rqi_handlers_at(line->handlers, i)->def.concurrency > 0) {
            return true;
        }
    }
    return false;
}

/* By name, not by handler: after a reload attempts of both definitions run. */
static unsigned active_of(const rqi_line *line, const char *task)
{
    const rqi_attempt *a = NULL;
    unsigned n = 0;
    TAILQ_FOREACH(a, &line->held, held)
    {
        n += rqi_attempt_is_active(a) && strcmp(a->run.task, task) == 0;
    }
    return n;
}

void rqi_limits_compose(const rqi_line *line, rqi_buf *out)
{
    for (size_t i = 0; line->limited && i < rqi_handlers_count(line->handlers); i++) {
        const refq_task_def *def = &rqi_handlers_at(line->handlers, i)->def;
        unsigned active = def->concurrency > 0 ? active_of(line, def->name) : 0;
        if (def->concurrency > 0) {
            rqi_buf_addf(out, "%s%s=%u", out->len > 0 ? " " : "", def->name,
                         active < def->concurrency ? def->concurrency - active : 0);
        }
    }
}
