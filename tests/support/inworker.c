/* SPDX-License-Identifier: MIT */
#include "support/inworker.h"

#include "support/redis_fixture.h"
#include "support/worker_thread.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* A lease that a busy machine can keep, and beats as often as if it were short: what a beat brings
 * is waited for. */
enum { LEASE_MS = 5000, BEAT_MS = 200 };

static struct {
    refq_worker *worker;
    rqt_worker_thread thread;
} in;

/* The log, one text; what does not fit is lost, so tests look for what comes early. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[1 << 18];
static size_t log_len;

static void keep_line(void *arg, refq_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    pthread_mutex_lock(&log_lock);
    size_t room = sizeof log_text - log_len;
    int n = snprintf(log_text + log_len, room, "%s\n", line);
    if (n > 0 && (size_t)n < room) {
        log_len += (size_t)n;
    }
    pthread_mutex_unlock(&log_lock);
}

int rqt_inworker_said(const char *text)
{
    int found = 0;
    pthread_mutex_lock(&log_lock);
    for (const char *p = log_text; (p = strstr(p, text)) != NULL; p++) {
        found++;
    }
    pthread_mutex_unlock(&log_lock);
    return found;
}

refq_worker *rqt_inworker(void)
{
    return in.worker;
}

void rqt_inworker_make(refq_worker_options o)
{
    refq_error err;
    ck_assert_ptr_null(in.worker);
    o.struct_size = sizeof o;
    o.redis = rqt_redis_url();
    o.concurrency = o.concurrency != 0 ? o.concurrency : 4;
    o.beat_ms = o.lease_ms == 0 && o.beat_ms == 0 ? BEAT_MS : o.beat_ms;
    o.lease_ms = o.lease_ms != 0 ? o.lease_ms : LEASE_MS;
    o.log = (refq_logger){.fn = keep_line, .level = REFQ_LOG_INFO};
    log_len = 0;
    log_text[0] = '\0';
    ck_assert_msg(refq_worker_new(&o, &in.worker, &err) == REFQ_OK, "%s", err.text);
}

void rqt_inworker_serve(const char *queue, refq_handlers *set)
{
    refq_error err;
    ck_assert_msg(refq_worker_serve(in.worker, queue, set, &err) == REFQ_OK, "%s", err.text);
    refq_handlers_unref(set);
}

void rqt_inworker_start(void)
{
    rqt_worker_thread_start(&in.thread, in.worker);
}

void rqt_inworker_expect_end(refq_err expected)
{
    if (in.thread.running) {
        ck_assert_int_eq(rqt_worker_thread_join(&in.thread), expected);
    }
    refq_worker_free(in.worker);
    in.worker = NULL;
}

void rqt_inworker_stop(refq_err expected)
{
    if (in.worker != NULL) {
        refq_worker_stop(in.worker);
        rqt_inworker_expect_end(expected);
    }
}

refq_handlers *rqt_handlers(void)
{
    refq_error err;
    refq_handlers *set = NULL;
    ck_assert_msg(refq_handlers_new(&set, &err) == REFQ_OK, "%s", err.text);
    return set;
}

void rqt_handlers_add(refq_handlers *set, refq_task_def def, refq_run_mode mode, refq_handler fn,
                      void *arg)
{
    refq_error err;
    def.struct_size = sizeof def;
    ck_assert_msg(refq_handlers_add_function(set, &def, mode, fn, arg, &err) == REFQ_OK, "%s",
                  err.text);
}
