/* SPDX-License-Identifier: MIT */
/* Many callers at once: cancellations that race completion, submissions from several clients. */
#include "support/fleet.h"
#include "support/main.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"
#include "support/worker_thread.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CALLERS = 4 };

static void setup(void)
{
    rqt_redis_start(NULL);
}

static void teardown(void)
{
    rqt_audit(RQT_QUEUE);
    rqt_fleet_end();
    rqt_audit(RQT_QUEUE);
    rqt_client_end();
    rqt_redis_stop();
}

/* Threads note the first thing that went wrong; the test's own thread fails the test with it. */
struct caller {
    pthread_t thread;
    int serial;
    int complete;
    int cancelled;
    char wrong[600];
};

static void run_callers(void *(*work)(void *), struct caller *callers)
{
    for (int i = 0; i < CALLERS; i++) {
        callers[i].serial = i;
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, work, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        (void)pthread_join(callers[i].thread, NULL);
    }
    for (int i = 0; i < CALLERS; i++) {
        ck_assert_msg(callers[i].wrong[0] == '\0', "%s", callers[i].wrong);
    }
}

/* --- Cancel against completion ---------------------------------------------------------------- */

enum { RACES = 1000 };

static atomic_int handler_runs;

static refq_err answer(refq_ctx *ctx, void *arg)
{
    (void)arg;
    (void)atomic_fetch_add(&handler_runs, 1);
    return refq_ctx_return_json(ctx, "{\"answer\":42}");
}

static void add(refq_handlers *set, const char *name, refq_run_mode mode, refq_handler fn)
{
    refq_error err;
    refq_task_def def = {.struct_size = sizeof def, .name = name};
    ck_assert_msg(refq_handlers_add_function(set, &def, mode, fn, NULL, &err) == REFQ_OK, "%s",
                  err.text);
}

/* more: a handler called "wait", on the loop; NULL = none. */
static refq_worker *make_worker(refq_handler more)
{
    refq_error err;
    refq_worker *worker = NULL;
    refq_handlers *set = NULL;
    refq_worker_options o = {
        .struct_size = sizeof o, .redis = rqt_redis_url(), .concurrency = 4, .lease_ms = 5000};
    ck_assert_msg(refq_worker_new(&o, &worker, &err) == REFQ_OK, "%s", err.text);
    ck_assert_int_eq(refq_handlers_new(&set, &err), REFQ_OK);
    add(set, "inline", REFQ_RUN_INLINE, answer);
    add(set, "thread", REFQ_RUN_THREAD, answer);
    if (more != NULL) {
        add(set, "wait", REFQ_RUN_INLINE, more);
    }
    ck_assert_msg(refq_worker_serve(worker, RQT_QUEUE, set, &err) == REFQ_OK, "%s", err.text);
    refq_handlers_unref(set);
    return worker;
}

/* Long enough for some tasks to be complete, short enough for others not to be. */
static void pause_us(long us)
{
    struct timespec t = {.tv_nsec = us * 1000};
    (void)nanosleep(&t, NULL);
}

/* Whether what stands after the race is all of one piece. */
static void check_outcome(struct caller *c, const refq_ref *ref, refq_status said)
{
    refq_error err;
    refq_task *task = NULL;
    char *entry = NULL;
    size_t len = 0;
    refq_err rc = refq_client_result(rqt_client(), ref, &task, &entry, &len, &err);
    refq_status stands = task != NULL ? refq_task_status(task) : REFQ_PENDING;
    bool complete = said == REFQ_COMPLETE && stands == said && rc == REFQ_OK &&
                    strstr(entry, "{\"value\": {\"answer\":42},") != NULL;
    bool cancelled = said == REFQ_CANCELLED && stands == said && rc == REFQ_ERR_CONFLICT;
    if (!complete && !cancelled) {
        (void)snprintf(c->wrong, sizeof c->wrong, "%s: cancel said %s, then it is %s, value: %s",
                       ref->hex, refq_status_name(said), refq_status_name(stands),
                       rc == REFQ_OK ? entry : err.text);
    }
    c->complete += complete;
    c->cancelled += cancelled;
    refq_task_free(task);
    free(entry);
}

static bool race_once(struct caller *c, int i, long us, refq_status *ret)
{
    refq_error err = {0};
    refq_submitted done;
    refq_task *task = NULL;
    refq_spec spec = {.struct_size = sizeof spec, .task = i % 2 == 0 ? "inline" : "thread"};
    refq_err rc = refq_ref_make(RQT_QUEUE, &spec.ref, &err);
    if (rc == REFQ_OK) {
        rc = refq_client_submit(rqt_client(), &spec, &done, &err);
    }
    pause_us(us);
    if (rc == REFQ_OK) {
        rc = refq_client_cancel(rqt_client(), &spec.ref, &task, &err);
    }
    if (rc != REFQ_OK) {
        (void)snprintf(c->wrong, sizeof c->wrong, "%s", err.text);
        return false;
    }
    *ret = refq_task_status(task);
    refq_task_free(task);
    check_outcome(c, &spec.ref, *ret);
    return c->wrong[0] == '\0';
}

/* Each outcome makes the other more likely next time, so that the two stay close together. */
static void *race(void *arg)
{
    struct caller *c = arg;
    refq_status outcome = REFQ_PENDING;
    long us = 100;
    for (int i = 0; i < RACES / CALLERS && race_once(c, i, us, &outcome); i++) {
        us = outcome == REFQ_COMPLETE ? us * 9 / 10 : us * 10 / 9 + 1;
        us = us < 20000 ? us : 20000;
    }
    return NULL;
}

START_TEST(cancel_racing_completion)
{
    rqt_worker_thread thread;
    struct caller callers[CALLERS] = {0};
    refq_worker *worker = make_worker(NULL);
    rqt_worker_thread_start(&thread, worker);
    (void)rqt_client();
    run_callers(race, callers);

    int complete = 0;
    int cancelled = 0;
    for (int i = 0; i < CALLERS; i++) {
        complete += callers[i].complete;
        cancelled += callers[i].cancelled;
    }
    ck_assert_int_eq(complete + cancelled, RACES);
    ck_assert_int_eq(rqt_meta("complete"), complete);
    ck_assert_int_eq(rqt_meta("cancelled"), cancelled);
    /* Else it was no race. */
    ck_assert_int_ge(complete, RACES / 20);
    ck_assert_int_ge(cancelled, RACES / 20);
    ck_assert_int_ge(atomic_load(&handler_runs), complete);
    rqt_expect_idle(5000);

    (void)rqt_worker_thread_stop(&thread);
    refq_worker_free(worker);
}
END_TEST

/* --- A worker inside another program ---------------------------------------------------------- */

static atomic_bool handler_waits;

static refq_err until_told(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_store(&handler_waits, true);
    (void)RQT_UNTIL(!atomic_load(&handler_waits), 20000);
    return REFQ_OK;
}

static void submit_and_wait(const char *task)
{
    refq_ref ref = rqt_submit((refq_spec){.task = task});
    rqt_expect(&ref, "complete", 10000);
}

START_TEST(an_embedded_worker_outlives_the_server)
{
    rqt_worker_thread thread;
    refq_worker *worker = make_worker(until_told);
    rqt_worker_thread_start(&thread, worker);
    (void)rqt_submit((refq_spec){.task = "wait"});
    ck_assert(RQT_UNTIL(atomic_load(&handler_waits), 5000));
    /* The loop is busy while the server goes away, so its next act is to write to nobody. The
     * program around it has done nothing against SIGPIPE. */
    rqt_redis_restart(SIGKILL);
    atomic_store(&handler_waits, false);
    submit_and_wait("inline");
    submit_and_wait("thread");
    (void)rqt_worker_thread_stop(&thread);
    refq_worker_free(worker);
}
END_TEST

/* --- Many clients ----------------------------------------------------------------------------- */

enum { TASKS = 2000, EACH = TASKS / CALLERS, AT_ONCE = 25 };

static refq_ref refs[CALLERS][EACH];

static refq_err submit_some(refq_client *client, int caller, int from, refq_error *err)
{
    refq_spec specs[AT_ONCE];
    refq_submitted done[AT_ONCE];
    char args[AT_ONCE][64];
    for (int i = 0; i < AT_ONCE; i++) {
        (void)snprintf(args[i], sizeof args[i], "{\"caller\":%d,\"n\":%d}", caller, from + i);
        specs[i] = (refq_spec){.struct_size = sizeof specs[i],
                               .task = "echo",
                               .lane = (refq_lane)(i % 3),
                               .args = args[i]};
        refq_err rc = refq_ref_make(RQT_QUEUE, &specs[i].ref, err);
        if (rc != REFQ_OK) {
            return rc;
        }
        refs[caller][from + i] = specs[i].ref;
    }
    return refq_client_submit_many(client, specs, AT_ONCE, done, err);
}

static void *submit_all(void *arg)
{
    struct caller *c = arg;
    refq_error err = {0};
    refq_client *client = NULL;
    refq_redis_options o = {.struct_size = sizeof o, .url = rqt_redis_url()};
    refq_err rc = refq_client_open(&o, &client, &err);
    for (int i = 0; rc == REFQ_OK && i < EACH; i += AT_ONCE) {
        rc = submit_some(client, c->serial, i, &err);
    }
    if (rc != REFQ_OK) {
        (void)snprintf(c->wrong, sizeof c->wrong, "%s", err.text);
    }
    refq_client_close(client);
    return NULL;
}

static void expect_own_value(int caller, int n)
{
    char value[96];
    const refq_ref *ref = &refs[caller][n];
    (void)snprintf(value, sizeof value, "{\"value\": {\"caller\":%d,\"n\":%d},", caller, n);
    const char *entry = rqt_entry(ref);
    ck_assert_msg(strstr(entry, value) != NULL, "task %s has the value %.100s, not %s", ref->hex,
                  entry, value);
}

START_TEST(many_clients_and_two_workers)
{
    static const char yaml[] = "queue: docs\n"
                               "tasks:\n"
                               "  - {name: echo, exec: [cat]}\n";
    static const char *const options[] = {"--lease", "5s", "--concurrency", "8", NULL};
    struct caller callers[CALLERS] = {0};
    const char *path = rqt_file("tasks.yaml", yaml, 0);
    (void)rqt_fleet_add(path, options);
    (void)rqt_fleet_add(path, options);
    run_callers(submit_all, callers);
    rqt_expect_idle(60000);
    ck_assert_int_eq(rqt_meta("complete"), TASKS);
    for (int i = 0; i < TASKS; i++) {
        expect_own_value(i / EACH, i % EACH);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("races");
    tcase_set_timeout(c, 80);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, cancel_racing_completion);
    tcase_add_test(c, an_embedded_worker_outlives_the_server);
    tcase_add_test(c, many_clients_and_two_workers);
    Suite *s = suite_create("st_races");
    suite_add_tcase(s, c);
    return rqt_main(s);
}
