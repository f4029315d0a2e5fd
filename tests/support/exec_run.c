/* SPDX-License-Identifier: MIT */
#include "support/exec_run.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- Fixture ---------------------------------------------------------------------------------- */

char rqt_dir[64];
struct event_base *rqt_base;
rqi_keeper *rqt_keeper;
refq_error rqt_error;

static void pause_ms(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&ts, NULL);
}

static void path_in_dir(char *out, size_t size, const char *name)
{
    (void)snprintf(out, size, "%s/%s", rqt_dir, name);
}

void rqt_keeper_up(void)
{
    rqt_base = event_base_new();
    ck_assert_ptr_nonnull(rqt_base);
    ck_assert_int_eq(rqi_keeper_start(&rqt_keeper, &rqt_error), REFQ_OK);
    ck_assert_int_eq(rqi_keeper_attach(rqt_keeper, rqt_base, &rqt_error), REFQ_OK);
}

void rqt_keeper_down(void)
{
    rqi_keeper_stop(rqt_keeper);
    event_base_free(rqt_base);
}

static void setup(void)
{
    (void)snprintf(rqt_dir, sizeof rqt_dir, "/tmp/ut_exec.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rqt_dir));
    rqt_keeper_up();
}

static void teardown(void)
{
    rqt_keeper_down();
    DIR *d = opendir(rqt_dir);
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        (void)unlinkat(dirfd(d), entry->d_name, 0);
    }
    (void)closedir(d);
    ck_assert_int_eq(rmdir(rqt_dir), 0);
}

/* Never written in place: while a process is about to execute it, its writers are told "text file
 * busy". */
void rqt_script(const char *name, const char *body, mode_t mode)
{
    char path[128];
    char written[140];
    path_in_dir(path, sizeof path, name);
    (void)snprintf(written, sizeof written, "%s.new", path);
    FILE *f = fopen(written, "we");
    ck_assert_msg(f != NULL, "%s: %s", written, strerror(errno));
    (void)fprintf(f, "#!/bin/sh\n%s\n", body);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(written, mode), 0);
    ck_assert_int_eq(rename(written, path), 0);
}

/* --- Looking at processes --------------------------------------------------------------------- */

static size_t read_proc(const char *pid, const char *what, char *out, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%.20s/%.20s", pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    n = n > 0 ? n : 0;
    out[n] = '\0';
    return (size_t)n;
}

/* Living processes with `mark` as one of their arguments. */
int rqt_count_marked(const char *mark)
{
    int n = 0;
    DIR *d = opendir("/proc");
    const struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        char text[1024];
        size_t len = read_proc(entry->d_name, "cmdline", text, sizeof text);
        n += strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
             memmem(text, len, mark, strlen(mark)) != NULL;
    }
    (void)closedir(d);
    return n;
}

/* A child of `parent` with this name; 0 when there is none. */
pid_t rqt_find_child(pid_t parent, const char *name)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "(%s) ", name);
    pid_t found = 0;
    DIR *d = opendir("/proc");
    const struct dirent *entry;
    while (found == 0 && (entry = readdir(d)) != NULL) {
        char text[512];
        (void)read_proc(entry->d_name, "stat", text, sizeof text);
        const char *at = strstr(text, wanted);
        if (at != NULL && strtol(at + strlen(wanted) + 2, NULL, 10) == parent) {
            found = (pid_t)strtol(entry->d_name, NULL, 10);
        }
    }
    (void)closedir(d);
    return found;
}

void rqt_wait_marked(const char *mark, int want)
{
    int64_t deadline = rqi_mono_ms() + RQT_BUDGET_MS;
    while (rqt_count_marked(mark) != want) {
        ck_assert_msg(rqi_mono_ms() < deadline, "%d processes with %s instead of %d",
                      rqt_count_marked(mark), mark, want);
        pause_ms(5);
    }
}

int rqt_count_fds(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n;
}

/* A number of seconds that no other sleep in the system has. */
const char *rqt_new_mark(void)
{
    static char mark[32];
    (void)snprintf(mark, sizeof mark, "1000.%d%ld", (int)getpid(), random() % 1000);
    return mark;
}

/* --- Running ---------------------------------------------------------------------------------- */

static void on_progress(void *arg, int64_t current, int64_t total, const char *message)
{
    struct rqt_run *run = arg;
    run->n_progress++;
    run->current = current;
    run->total = total;
    (void)snprintf(run->message, sizeof run->message, "%s", message != NULL ? message : "(none)");
    if (run->cancel_on_progress) {
        rqi_exec_cancel(run->exec);
    }
}

static void on_ask(void *arg, const char *json, size_t len)
{
    struct rqt_run *run = arg;
    if (json == NULL) {
        run->n_unasked++;
        return;
    }
    run->n_asks++;
    ck_assert_uint_eq(strlen(json), len);
    (void)snprintf(run->asked, sizeof run->asked, "%s", json);
    if (run->answer != NULL) {
        run->answered = rqi_exec_answer(run->exec, run->answer, strlen(run->answer));
    }
}

static void on_done(void *arg, rqi_outcome *outcome)
{
    struct rqt_run *run = arg;
    run->done++;
    run->kind = outcome->kind;
    run->value_len = outcome->value.len;
    run->retry_after_ms = outcome->retry_after_ms;
    (void)snprintf(run->value, sizeof run->value, "%s", rqi_buf_str(&outcome->value));
    (void)snprintf(run->error, sizeof run->error, "%s", outcome->error);
    (void)snprintf(run->tail, sizeof run->tail, "%s", rqi_buf_str(&outcome->log_tail));
    run->marked = run->mark != NULL ? rqt_count_marked(run->mark) : 0;
}

static void on_log(void *arg, refq_log_level level, const char *line)
{
    struct rqt_run *run = arg;
    run->n_debug += level == REFQ_LOG_DEBUG && strstr(line, "control_line_ignored") != NULL;
}

rqi_exec_call rqt_call(struct rqt_run *run)
{
    run->logger = (refq_logger){.fn = on_log, .arg = run};
    return (rqi_exec_call){.ref_id = "docs:0123",
                           .fence = "7-1",
                           .attempt = 2,
                           .traceparent = "00-aa-bb-01",
                           .log = &run->logger,
                           .on_progress = on_progress,
                           .on_ask = run->askable ? on_ask : NULL,
                           .on_done = on_done,
                           .arg = run};
}

refq_err rqt_run_start(struct rqt_run *run, const refq_exec_def *def, const char *args,
                       int64_t timeout_ms)
{
    rqi_exec_call call = rqt_call(run);
    call.def = def;
    call.args = (refq_bytes){.ptr = args, .len = strlen(args)};
    call.timeout_ms = timeout_ms;
    return rqi_exec_start(rqt_keeper, &call, &run->exec, &rqt_error);
}

static void turn(int64_t ms)
{
    struct timeval tick = {.tv_usec = ms * 1000};
    (void)event_base_loopexit(rqt_base, &tick);
    (void)event_base_loop(rqt_base, EVLOOP_ONCE);
}

void rqt_turn_until(const int *n, int want)
{
    int64_t deadline = rqi_mono_ms() + RQT_BUDGET_MS;
    while (*n < want) {
        ck_assert_msg(rqi_mono_ms() < deadline, "what was waited for did not come in time");
        turn(100);
    }
}

void rqt_turn_for(int64_t ms)
{
    int64_t until = rqi_mono_ms() + ms;
    while (rqi_mono_ms() < until) {
        turn(10);
    }
}

void rqt_run_wait(const struct rqt_run *run)
{
    rqt_turn_until(&run->done, 1);
}

struct rqt_run rqt_run_def(const refq_exec_def *def, const char *args, int64_t timeout_ms)
{
    struct rqt_run run = {0};
    ck_assert_msg(rqt_run_start(&run, def, args, timeout_ms) == REFQ_OK, "%s", rqt_error.text);
    rqt_run_wait(&run);
    ck_assert_int_eq(run.done, 1);
    return run;
}

/* Runs a shell script. */
struct rqt_run rqt_run_script(const char *body, refq_exec_output output)
{
    rqt_script("script", body, 0755);
    const char *argv[] = {"./script", NULL};
    refq_exec_def def = {.argv = argv, .directory = rqt_dir, .output = output};
    return rqt_run_def(&def, "{}", 0);
}

void rqt_run_expect(const struct rqt_run *run, rqi_outcome_kind kind, const char *text)
{
    ck_assert_msg(run->kind == kind, "kind %d instead of %d: %s", (int)run->kind, (int)kind,
                  run->error);
    const char *got = kind == RQI_DONE ? run->value : run->error;
    ck_assert_msg(strcmp(got, text) == 0, "got      %s\nexpected %s", got, text);
}

/* --- Suites ----------------------------------------------------------------------------------- */

TCase *rqt_exec_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return tc;
}
