/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. To its handler the child looks like the worker's pool: the context is
 * a run, whose executor (talk.c) gathers progress and questions under a lock.
 * What is the event loop there is one thread here, the link, which passes them
 * on through fd 3 and brings answers and the order to stop.
 *
 * The process is a copy of the worker's start, so it must not do what the worker
 * would do at its end: the child leaves by _exit(), also when the handler calls
 * exit() (the guard is registered last, so it comes before all that the worker
 * has registered); what was in the buffers of stdio was dropped by the keeper,
 * so it is not written a second time; and there is no core file, which would
 * hold a copy of the worker's memory.
 */
#include "run/child_main.h"

#include "base/clock.h"
#include "base/error.h"
#include "run/child_wire.h"
#include "run/ctx.h"
#include "run/executor_state.h"
#include "run/lines.h"
#include "run/plugin.h"
#include "run/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONTROL_FD 3
#define CHUNK      4096

struct child {
    rqi_run run; /* first: callbacks get it */
    rqi_handler handler;
    rqi_executor executor;
    refq_logger log;
    pthread_mutex_t out; /* lines of two threads stay whole */
    pthread_t link;
    atomic_bool over; /* the handler has returned */
    int64_t asked_ms; /* the link's */
    int result_fd;
    rqi_buf path;   /* of the plugin; empty = none */
    rqi_buf config; /* for it */
    const refq_plugin *plugin;
};

/* --- fd 3, upward ----------------------------------------------------------------------------- */

static void send_line(struct child *c, rqi_buf *line)
{
    rqi_buf_addc(line, '\n');
    size_t sent = 0;
    (void)pthread_mutex_lock(&c->out);
    while (line->err == REFQ_OK && sent < line->len) {
        ssize_t n = send(CONTROL_FD, line->ptr + sent, line->len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            break; /* the handler closed it, or the worker is gone */
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    (void)pthread_mutex_unlock(&c->out);
    rqi_buf_done(line);
}

static void on_log(void *arg, refq_log_level level, const char *text)
{
    rqi_buf line = {0};
    rqi_buf clean = {0};
    rqi_buf_adds(&clean, text);
    if (clean.len > 0) {
        rqi_text_clean(clean.ptr, clean.len);
    }
    rqi_buf_addf(&line, "{\"log\":{\"level\":%d,\"line\":", (int)level);
    rqi_buf_add_json(&line, rqi_buf_str(&clean), clean.len);
    rqi_buf_adds(&line, "}}");
    rqi_buf_done(&clean);
    send_line(arg, &line);
}

static void on_progress(rqi_run *run)
{
    int64_t current;
    int64_t total;
    char message[sizeof run->message];
    rqi_buf line = {0};
    if (!rqi_run_take_progress(run, &current, &total, message)) {
        return;
    }
    rqi_buf_addf(&line, "{\"progress\":{\"current\":%lld,\"total\":%lld", (long long)current,
                 (long long)total);
    if (message[0] != '\0') {
        rqi_text_clean(message, strlen(message));
        rqi_buf_adds(&line, ",\"message\":");
        rqi_buf_add_json(&line, message, strlen(message));
    }
    rqi_buf_adds(&line, "}}");
    send_line((struct child *)run, &line);
}

static void on_ask(rqi_run *run, const char *json, size_t len)
{
    struct child *c = (struct child *)run;
    rqi_buf line = {0};
    rqi_buf_adds(&line, "{\"ask\":");
    rqi_buf_add(&line, json, len);
    rqi_buf_addc(&line, '}');
    c->asked_ms = rqi_mono_ms();
    send_line(c, &line);
}

/* --- fd 3, downward --------------------------------------------------------------------------- */

/* The handler waits for this, so its deadline may be moved: the timeout stood still meanwhile. */
static void take_answer(struct child *c, const char *json, size_t len)
{
    if (c->run.deadline_ms != 0) {
        c->run.deadline_ms += rqi_mono_ms() - c->asked_ms;
    }
    (void)rqi_run_answer(&c->run, json, len);
}

/* The worker writes these two forms and no others (control.c). */
static void on_line(void *arg, const char *line, size_t len)
{
    static const char answer[] = "{\"answer\":";
    const size_t prefix = sizeof answer - 1;
    struct child *c = arg;
    if (line == NULL) {
        return;
    }
    if (strcmp(line, "{\"cancel\":true}") == 0) {
        rqi_run_stop(&c->run, RQI_STOP_CANCELLED);
    } else if (len > prefix && strncmp(line, answer, prefix) == 0) {
        take_answer(c, line + prefix, len - prefix - 1);
    }
}

/* False at the end of fd 3. */
static bool read_control(rqi_lines *lines, struct child *c)
{
    char chunk[CHUNK];
    ssize_t n = read(CONTROL_FD, chunk, sizeof chunk);
    if (n > 0) {
        rqi_lines_add(lines, chunk, (size_t)n, on_line, c);
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

static void *run_link(void *arg)
{
    struct child *c = arg;
    rqi_lines lines = {0};
    struct pollfd fds[] = {{.fd = c->executor.notify_fd, .events = POLLIN},
                           {.fd = CONTROL_FD, .events = POLLIN}};
    while (!atomic_load(&c->over)) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            break;
        }
        uint64_t count;
        ssize_t n = read(c->executor.notify_fd, &count, sizeof count);
        (void)n;
        rqi_talk_tell(&c->executor);
        if (fds[1].revents != 0 && !read_control(&lines, c)) {
            fds[1].fd = -1;
        }
    }
    rqi_talk_tell(&c->executor);
    rqi_lines_done(&lines);
    return NULL;
}

/* Signals of the process are the handler's. */
static bool start_link(struct child *c)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&c->link, NULL, run_link, c);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

static void end_link(struct child *c)
{
    uint64_t one = 1;
    atomic_store(&c->over, true);
    ssize_t n = write(c->executor.notify_fd, &one, sizeof one);
    (void)n;
    (void)pthread_join(c->link, NULL);
}

/* --- In and out ------------------------------------------------------------------------------- */

static bool read_exact(void *to, size_t len)
{
    char *at = to;
    while (len > 0) {
        ssize_t n = read(STDIN_FILENO, at, len);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool read_part(rqi_buf *to, size_t len)
{
    char *at = rqi_buf_reserve(to, len);
    if (at == NULL || !read_exact(at, len)) {
        return false;
    }
    rqi_buf_commit(to, len);
    return true;
}

static bool read_input(struct child *c, rqi_child_input *input)
{
    if (!read_exact(input, sizeof *input) || !read_part(&c->path, input->plugin_len) ||
        !read_part(&c->config, input->config_len) || !read_part(&c->run.args, input->args_len) ||
        !read_part(&c->run.json, input->json_len)) {
        return false;
    }
    c->handler = (rqi_handler){.kind = RQI_HANDLER_THREAD, .fn = input->fn, .arg = input->arg};
    c->handler.def.name = input->task;
    c->run.handler = &c->handler;
    c->run.ref = input->ref;
    memcpy(c->run.fence, input->fence, sizeof c->run.fence);
    memcpy(c->run.task, input->task, sizeof c->run.task);
    c->run.number = input->number;
    c->run.timeout_ms = input->timeout_ms;
    c->run.deadline_ms = input->deadline_ms;
    c->run.on_progress = on_progress;
    c->run.on_ask = input->can_ask ? on_ask : NULL;
    c->log =
        (refq_logger){.fn = input->can_log ? on_log : NULL, .arg = c, .level = input->log_level};
    return true;
}

static void write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno != EINTR) {
            return;
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static void write_result(const struct child *c)
{
    const rqi_outcome *o = &c->run.outcome;
    rqi_child_result result = {.magic = RQI_CHILD_MAGIC,
                               .kind = o->kind,
                               .retry_after_ms = o->retry_after_ms,
                               .error_len = o->kind == RQI_DONE ? 0 : strlen(o->error),
                               .value_len = o->kind == RQI_DONE ? o->value.len : 0};
    write_all(c->result_fd, &result, sizeof result);
    write_all(c->result_fd, o->error, result.error_len);
    write_all(c->result_fd, rqi_buf_str(&o->value), result.value_len);
}

/* --- Life ------------------------------------------------------------------------------------- */

static void leave_early(int status, void *arg)
{
    (void)arg;
    (void)fflush(stdout);
    (void)fflush(stderr);
    _exit(status);
}

static void prepare_process(struct child *c)
{
    const struct rlimit none = {0};
    (void)syscall(SYS_prctl, PR_SET_NAME, "refq-child", 0, 0, 0); /* as the keeper */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)on_exit(leave_early, NULL);
    c->result_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, CONTROL_FD + 1);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
}

static void close_stdin(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)close(null);
    }
}

static bool prepare_executor(struct child *c)
{
    rqi_run_init(&c->run);
    TAILQ_INIT(&c->executor.news);
    (void)pthread_mutex_init(&c->executor.lock, NULL);
    (void)pthread_cond_init(&c->executor.answered, NULL);
    (void)pthread_mutex_init(&c->out, NULL);
    atomic_init(&c->over, false);
    c->executor.o.log = &c->log;
    c->executor.notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->run.executor = &c->executor;
    return c->executor.notify_fd >= 0 && c->result_fd >= 0;
}

/* False, with the outcome set, when the plugin cannot be used here. */
static bool open_plugin(struct child *c)
{
    refq_error err;
    if (c->path.len == 0) {
        return true;
    }
    refq_err code = rqi_plugin_open(rqi_buf_str(&c->path), &c->plugin, &err);
    const refq_plugin_task *task = NULL;
    if (code == REFQ_OK) {
        task = rqi_plugin_find(c->plugin, c->run.task);
        code = task != NULL
                   ? rqi_plugin_init(c->plugin, rqi_buf_str(&c->config), &c->handler.arg, &err)
                   : rqi_fail(&err, REFQ_ERR_NOTFOUND, "the plugin has no such task now");
    }
    if (code != REFQ_OK) {
        rqi_run_fail(&c->run, RQI_RETRYABLE, "%s", err.text);
        return false;
    }
    c->handler.fn = task->handler;
    return true;
}

static void close_plugin(const struct child *c)
{
    if (c->plugin != NULL && c->plugin->fini != NULL) {
        c->plugin->fini(c->handler.arg);
    }
}

_Noreturn void rqi_child_main(void)
{
    rqi_child_input input;
    struct child *c = calloc(1, sizeof *c);
    if (c == NULL) {
        _exit(127);
    }
    prepare_process(c);
    if (!prepare_executor(c) || !read_input(c, &input) || !start_link(c)) {
        rqi_run_fail(&c->run, RQI_RETRYABLE, "the handler's process lacks memory or descriptors");
        write_result(c);
        _exit(0);
    }
    close_stdin();
    bool usable = open_plugin(c);
    if (usable) {
        rqi_ctx_run(&c->run);
    }
    end_link(c);
    write_result(c);
    if (usable) {
        close_plugin(c);
    }
    (void)fflush(stdout);
    (void)fflush(stderr);
    _exit(0);
}
