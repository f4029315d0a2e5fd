/* SPDX-License-Identifier: MIT */
#include "run/run.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void rqi_run_init(rqi_run *run)
{
    run->outcome.retry_after_ms = -1;
    run->cancel_fd = -1;
    atomic_init(&run->stopping, false);
}

void rqi_run_clear(rqi_run *run)
{
    rqi_exec_drop(run->exec);
    run->exec = NULL;
    if (run->timer != NULL) {
        event_free(run->timer);
        run->timer = NULL;
    }
    if (run->cancel_fd >= 0) {
        (void)close(run->cancel_fd);
        run->cancel_fd = -1;
    }
    free(run->question);
    free(run->answer);
    run->question = NULL;
    run->answer = NULL;
    rqi_buf_done(&run->args);
    rqi_buf_done(&run->json);
    rqi_buf_done(&run->named);
    rqi_outcome_done(&run->outcome);
}

void rqi_run_fail(rqi_run *run, rqi_outcome_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    run->outcome.kind = kind;
    (void)vsnprintf(run->outcome.error, sizeof run->outcome.error, fmt, ap);
    va_end(ap);
}
