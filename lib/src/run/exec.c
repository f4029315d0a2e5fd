/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. One way to look after a process, whether it is an external program or
 * a handler of this program (exec_state.h has what differs). An attempt is over when the keeper
 * says so, not when the pipes close: by then all processes of the program are gone, so what is left
 * in the pipes is read without waiting. Stopping has one ladder, TERM, a grace, KILL, for cancel
 * and timeout alike; a program that floods stdout gets KILL at once.
 */
#include "run/exec_state.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_OUTPUT_DEFAULT ((size_t)16 * 1024 * 1024)
#define KILL_GRACE_DEFAULT 5000 /* ms */
#define CHUNK              ((size_t)64 * 1024)
#define READS_A_TURN       4  /* chunks of one stream; then other events get their turn */
#define READS_AT_END       64 /* more than any pipe holds unless somebody still writes */

/* --- Stopping --------------------------------------------------------------------------------- */

static void set_timer(rqi_exec *e, int64_t ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)evtimer_add(e->timer, &after);
}

static void stop_program(rqi_exec *e)
{
    if (e->stopping) {
        return;
    }
    e->stopping = true;
    if (e->cancelled || !e->manner->term) {
        rqi_control_cancel(&e->control);
    }
    if (e->manner->term) {
        rqi_keeper_kill(e->keeper, e->id, SIGTERM);
    }
    int64_t grace = e->def.kill_grace_ms;
    set_timer(e, grace > 0 ? grace : KILL_GRACE_DEFAULT);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    rqi_exec *e = arg;
    if (e->stopping) {
        rqi_keeper_kill(e->keeper, e->id, SIGKILL);
        return;
    }
    e->timed_out = true;
    stop_program(e);
}

void rqi_exec_cancel(rqi_exec *exec)
{
    if (exec->cancelled) {
        return;
    }
    exec->cancelled = true;
    stop_program(exec);
}

/* --- What the program writes ------------------------------------------------------------------ */

static void close_stream(rqi_exec *e, int which)
{
    struct rqi_exec_stream *s = &e->streams[which];
    if (s->event != NULL) {
        event_free(s->event);
        s->event = NULL;
    }
    rqi_pipe_close(&e->pipes.ours[which]);
}

static void take_out(rqi_exec *e, const char *data, size_t len)
{
    if (len > e->max_output - e->out.len) {
        e->overflowed = true;
        rqi_buf_done(&e->out);
        close_stream(e, RQI_OUT);
        rqi_keeper_kill(e->keeper, e->id, SIGKILL);
        return;
    }
    rqi_buf_add(&e->out, data, len);
}

static void report_progress(const rqi_exec *e, int64_t current, int64_t total, const char *message)
{
    if (e->call.on_progress != NULL && !e->cancelled) {
        e->call.on_progress(e->call.arg, current, total, message);
    }
}

static void on_scraped(void *arg, int64_t current, int64_t total)
{
    report_progress(arg, current, total, NULL);
}

static void take_log(rqi_exec *e, const char *data, size_t len)
{
    rqi_tail_add(&e->tail, data, len);
    if (e->scrape != NULL) {
        rqi_scrape_add(e->scrape, data, len, on_scraped, e);
    }
}

/* What goes into a file leaves stdout free for talk. */
static void take_talk(rqi_exec *e, const char *data, size_t len)
{
    rqi_tail_add(&e->tail, data, len);
}

static void take_any_out(rqi_exec *e, const char *data, size_t len)
{
    (e->def.output == REFQ_OUTPUT_FILE ? take_talk : take_out)(e, data, len);
}

static void (*const take[RQI_N_PIPES])(rqi_exec *e, const char *data, size_t len) = {
    [RQI_OUT] = take_any_out, [RQI_LOG] = take_log};

/* Reads up to n chunks; closes the stream at its end. */
static void read_stream(rqi_exec *e, int which, unsigned n_chunks)
{
    char chunk[CHUNK];
    while (n_chunks-- > 0 && e->pipes.ours[which] >= 0) {
        ssize_t n = read(e->pipes.ours[which], chunk, sizeof chunk);
        if (n > 0) {
            take[which](e, chunk, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            close_stream(e, which);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct rqi_exec_stream *s = arg;
    read_stream(s->exec, (int)(s - s->exec->streams), READS_A_TURN);
}

/* --- fd 3 ------------------------------------------------------------------------------------- */

static void on_progress(void *arg, const rqi_progress *p)
{
    report_progress(arg, p->current, p->total, p->has_message ? p->message : NULL);
}

/* A person needs as long as a person needs. */
static void pause_timeout(rqi_exec *e)
{
    if (e->deadline_ms != 0 && !e->stopping) {
        int64_t left = e->deadline_ms - rqi_mono_ms();
        e->left_ms = left > 0 ? left : 1;
        (void)evtimer_del(e->timer);
    }
}

static void resume_timeout(rqi_exec *e)
{
    if (e->left_ms != 0 && !e->stopping) {
        e->deadline_ms = rqi_mono_ms() + e->left_ms;
        set_timer(e, e->left_ms);
    }
    e->left_ms = 0;
}

static void on_ask(void *arg, const char *json, size_t len)
{
    rqi_exec *e = arg;
    if (e->ended) {
        return;
    }
    if (e->call.on_ask == NULL) {
        rqi_control_refuse(&e->control, "nobody can be asked");
        return;
    }
    if (json != NULL) {
        pause_timeout(e);
    } else {
        resume_timeout(e);
    }
    e->call.on_ask(e->call.arg, json, len);
}

static void on_log(void *arg, int level, const char *line)
{
    const rqi_exec *e = arg;
    rqi_log(e->call.log, (refq_log_level)level, "%s", line);
}

refq_err rqi_exec_answer(rqi_exec *exec, const char *json, size_t len)
{
    refq_err code = rqi_control_answer(&exec->control, json, len);
    if (code == REFQ_OK) {
        resume_timeout(exec);
    }
    return code;
}

/* --- The end ---------------------------------------------------------------------------------- */

static void exec_free(rqi_exec *e)
{
    close_stream(e, RQI_OUT);
    close_stream(e, RQI_LOG);
    rqi_pipes_close(&e->pipes);
    if (e->timer != NULL) {
        event_free(e->timer);
    }
    rqi_buf_done(&e->out);
    rqi_buf_done(&e->folder);
    rqi_buf_done(&e->tail.buf);
    rqi_control_close(&e->control);
    rqi_scrape_free(e->scrape);
    free(e);
}

void rqi_exec_drop(rqi_exec *exec)
{
    if (exec != NULL) {
        exec_free(exec);
    }
}

static void finish(rqi_exec *e, const rqi_child_event *event)
{
    e->ended = true;
    read_stream(e, RQI_OUT, READS_AT_END);
    read_stream(e, RQI_LOG, READS_AT_END);
    rqi_control_drain(&e->control, READS_AT_END);
    rqi_ending ending = {.def = &e->def,
                         .event = event,
                         .cancelled = e->cancelled,
                         .timed_out = e->timed_out,
                         .overflowed = e->overflowed,
                         .timeout_ms = e->call.timeout_ms,
                         .max_output = e->max_output,
                         .out = &e->out};
    if (event->kind == RQI_CHILD_LOST && e->folder.len > 0) {
        rqi_folder_remove(rqi_buf_str(&e->folder)); /* its minder may have died before it could */
    }
    rqi_outcome outcome = {.retry_after_ms = -1};
    outcome.log_tail = rqi_tail_take(&e->tail);
    e->manner->verdict(&ending, &outcome);
    rqi_exec_call call = e->call;
    exec_free(e);
    call.on_done(call.arg, &outcome);
    rqi_outcome_done(&outcome);
}

static void on_child(void *arg, const rqi_child_event *event)
{
    if (event->kind != RQI_CHILD_STARTED) {
        finish(arg, event);
    }
}

/* --- The start -------------------------------------------------------------------------------- */

static refq_err watch_streams(rqi_exec *e, refq_error *err)
{
    struct event_base *base = rqi_keeper_base(e->keeper);
    e->timer = base != NULL ? evtimer_new(base, on_timer, e) : NULL;
    bool good = e->timer != NULL;
    for (int i = RQI_OUT; good && i <= RQI_LOG; i++) {
        struct rqi_exec_stream *s = &e->streams[i];
        s->exec = e;
        s->event = event_new(base, e->pipes.ours[i], EV_READ | EV_PERSIST, on_readable, s);
        good = s->event != NULL && event_add(s->event, NULL) == 0;
    }
    if (!good) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "cannot watch the pipes of a program");
    }
    e->control.log = e->call.log;
    e->control.calls = (rqi_control_calls){.on_progress = on_progress,
                                           .on_ask = on_ask,
                                           .on_log = e->manner->logs ? on_log : NULL,
                                           .arg = e};
    return rqi_control_open(&e->control, base, &e->pipes.ours[RQI_CONTROL], err);
}

static size_t max_output_of(const refq_exec_def *def)
{
    size_t max = def->max_output != 0 ? def->max_output : MAX_OUTPUT_DEFAULT;
    return max < RQI_BUF_MAX ? max : RQI_BUF_MAX;
}

refq_err rqi_exec_order(rqi_exec *e, rqi_spawn *order, refq_error *err)
{
    order->cb = on_child;
    order->arg = e;
    order->limits = e->def.limits;
    memcpy(order->fds, e->pipes.theirs, sizeof order->fds);
    return rqi_keeper_spawn(e->keeper, order, &e->id, err);
}

static void start_timeout(rqi_exec *e, int64_t ms)
{
    if (ms > 0) {
        e->deadline_ms = rqi_mono_ms() + ms;
        set_timer(e, ms);
    }
}

refq_err rqi_exec_begin(rqi_keeper *keeper, const rqi_exec_call *call,
                        const rqi_exec_manner *manner, const refq_bytes *input, rqi_exec **ret,
                        refq_error *err)
{
    rqi_exec *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return rqi_fail(err, REFQ_ERR_NOMEM, "out of memory for an attempt");
    }
    e->keeper = keeper;
    e->manner = manner;
    e->control.fd = -1;
    e->call = *call;
    e->def = *call->def;
    e->call.def = &e->def;
    e->max_output = max_output_of(&e->def);
    e->tail.max = e->def.log_tail;
    refq_err code = rqi_pipes_open(&e->pipes, input, err);
    if (code != REFQ_OK) {
        free(e);
        return code;
    }
    if (e->def.progress != NULL) {
        code = rqi_scrape_new(e->def.progress, &e->scrape, err);
    }
    if (code == REFQ_OK) {
        code = watch_streams(e, err);
    }
    if (code == REFQ_OK) {
        code = manner->spawn(e, call, err);
    }
    if (code != REFQ_OK) {
        exec_free(e);
        return code;
    }
    rqi_pipes_close_theirs(&e->pipes);
    start_timeout(e, call->timeout_ms);
    *ret = e;
    return REFQ_OK;
}
