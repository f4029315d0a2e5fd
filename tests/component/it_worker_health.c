/* SPDX-License-Identifier: MIT */
/* What a worker says about itself to its own process. */
#include "support/inworker.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static atomic_int gate; /* open or not */
static atomic_int running;
static atomic_int states[REFQ_STATE_ENDED + 1]; /* how often each was told */

static void setup(void)
{
    rqt_redis_clean();
    atomic_store(&gate, 0);
    atomic_store(&running, 0);
}

static void teardown(void)
{
    rqt_inworker_stop(REFQ_OK);
    rqt_audit(RQT_QUEUE);
    rqt_client_end();
}

static refq_err wait_for_gate(refq_ctx *ctx, void *arg)
{
    (void)arg;
    (void)atomic_fetch_add(&running, 1);
    while (atomic_load(&gate) == 0 && !refq_ctx_is_cancelled(ctx)) {
        rqt_nap();
    }
    return refq_ctx_is_cancelled(ctx) ? REFQ_ERR_CLOSED : REFQ_OK;
}

/* Not even its cancel moves it. */
static refq_err wait_on(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    (void)atomic_fetch_add(&running, 1);
    while (atomic_load(&gate) == 0) {
        rqt_nap();
    }
    return REFQ_OK;
}

static refq_err refuse(refq_ctx *ctx, void *arg)
{
    (void)arg;
    return refq_ctx_fail(ctx, REFQ_ERR_INVALID, "no");
}

static void note_state(void *arg, refq_worker_state state)
{
    (void)arg;
    (void)atomic_fetch_add(&states[state], 1);
}

static void start(refq_run_mode mode)
{
    refq_handlers *set = rqt_handlers();
    rqt_handlers_add(set, (refq_task_def){.name = "gated"}, mode, wait_for_gate, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "deaf"}, mode, wait_on, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "fail"}, mode, refuse, NULL);
    rqt_inworker_make(
        (refq_worker_options){.concurrency = 3, .on_state = note_state, .lease_ms = 1000});
    rqt_inworker_serve(RQT_QUEUE, set);
}

static refq_ref submit(const char *task)
{
    return rqt_submit((refq_spec){.task = task});
}

static refq_health look(void)
{
    refq_health h;
    refq_worker_health(rqt_inworker(), &h);
    return h;
}

static void cancel(const refq_ref *ref)
{
    refq_error err;
    refq_task *task = NULL;
    ck_assert_int_eq(refq_client_cancel(rqt_client(), ref, &task, &err), REFQ_OK);
    refq_task_free(task);
}

static bool is_state(refq_worker_state state)
{
    return look().state == state;
}

START_TEST(it_goes_through_its_states)
{
    start(REFQ_RUN_THREAD);
    refq_health h = look();
    ck_assert_int_eq(h.state, REFQ_STATE_STARTING);
    ck_assert(!h.connected);
    rqt_inworker_start();
    ck_assert(RQT_UNTIL(is_state(REFQ_STATE_RUNNING), 10000));
    refq_worker_quiet(rqt_inworker(), true);
    ck_assert(RQT_UNTIL(is_state(REFQ_STATE_QUIET), 10000));
    refq_worker_quiet(rqt_inworker(), false);
    ck_assert(RQT_UNTIL(is_state(REFQ_STATE_RUNNING), 10000));
    (void)submit("gated");
    ck_assert(RQT_UNTIL(atomic_load(&running) == 1, 10000));
    refq_worker_stop(rqt_inworker());
    ck_assert(RQT_UNTIL(is_state(REFQ_STATE_DRAINING), 10000));
    atomic_store(&gate, 1);
    ck_assert(RQT_UNTIL(is_state(REFQ_STATE_ENDED), 10000));
    ck_assert(!look().connected);
    ck_assert_int_eq(atomic_load(&states[REFQ_STATE_RUNNING]), 2);
    ck_assert_int_eq(atomic_load(&states[REFQ_STATE_QUIET]), 1);
    ck_assert_int_eq(atomic_load(&states[REFQ_STATE_DRAINING]), 1);
}
END_TEST

START_TEST(it_counts_what_becomes_of_attempts)
{
    start(REFQ_RUN_THREAD);
    rqt_inworker_start();
    refq_ref cancelled = submit("gated");
    ck_assert(RQT_UNTIL(atomic_load(&running) == 1, 10000));
    refq_health h = look();
    ck_assert_uint_eq(h.slots, 3);
    ck_assert_uint_eq(h.running, 1);
    ck_assert_uint_eq(h.counters.claimed, 1);
    cancel(&cancelled);
    ck_assert(RQT_UNTIL(look().counters.cancelled == 1, 10000));
    atomic_store(&gate, 1);
    refq_ref done = submit("gated");
    refq_ref failed = submit("fail");
    rqt_expect(&done, "complete", 10000);
    rqt_expect(&failed, "failed", 10000);
    ck_assert(RQT_UNTIL(look().running == 0, 10000));
    h = look();
    ck_assert_uint_eq(h.counters.claimed, 3);
    ck_assert_uint_eq(h.counters.done, 1);
    ck_assert_uint_eq(h.counters.failed, 1);
    ck_assert_uint_eq(h.counters.released, 0);
    ck_assert_uint_eq(h.queues_n, 1);
    ck_assert_str_eq(h.queues[0].queue, RQT_QUEUE);
    ck_assert(h.queues[0].started);
    ck_assert_str_eq(h.queues[0].worker, rqt_field(&done, "worker"));
}
END_TEST

START_TEST(a_task_that_is_unknown_counts_as_released)
{
    start(REFQ_RUN_THREAD);
    rqt_inworker_start();
    (void)submit("nobody-offers-this");
    ck_assert(RQT_UNTIL(look().counters.released > 0, 10000));
    ck_assert_uint_eq(look().counters.failed, 0);
}
END_TEST

START_TEST(a_handler_that_does_not_stop_shows)
{
    start(REFQ_RUN_THREAD);
    rqt_inworker_start();
    refq_ref ref = submit("deaf");
    ck_assert(RQT_UNTIL(atomic_load(&running) == 1, 10000));
    ck_assert_uint_eq(look().stuck, 0);
    cancel(&ref);
    ck_assert(RQT_UNTIL(look().stuck == 1, 20000));
    ck_assert_uint_eq(look().queues[0].stuck, 1);
    atomic_store(&gate, 1);
    ck_assert(RQT_UNTIL(look().stuck == 0, 10000));
}
END_TEST

START_TEST(a_loop_that_does_not_turn_shows)
{
    start(REFQ_RUN_INLINE);
    rqt_inworker_start();
    ck_assert(RQT_UNTIL(is_state(REFQ_STATE_RUNNING), 10000));
    (void)submit("deaf");
    ck_assert(RQT_UNTIL(atomic_load(&running) == 1, 10000));
    ck_assert(RQT_UNTIL(look().loop_silent_ms > 500, 10000));
    refq_health h = look();
    ck_assert(h.queues[0].beat_age_ms >= 0 && h.queues[0].beat_age_ms < h.lease_ms);
    atomic_store(&gate, 1);
    ck_assert(RQT_UNTIL(look().loop_silent_ms == 0, 10000));
}
END_TEST

START_TEST(a_server_that_is_silent_shows)
{
    start(REFQ_RUN_THREAD);
    ck_assert_int_eq(look().queues_n, 0);
    rqt_inworker_start();
    ck_assert(RQT_UNTIL(is_state(REFQ_STATE_RUNNING) && look().connected, 10000));
    ck_assert_int_eq(look().lease_ms, 1000);
    ck_assert_int_eq(kill(rqt_redis_pid(), SIGSTOP), 0);
    bool late = RQT_UNTIL(look().queues[0].beat_age_ms > look().lease_ms, 10000);
    ck_assert_int_eq(kill(rqt_redis_pid(), SIGCONT), 0);
    ck_assert(late);
    ck_assert(RQT_UNTIL(look().queues[0].beat_age_ms < look().lease_ms, 10000));
    ck_assert_int_eq(look().lease_late_ms, 0); /* its thread was well all the time */
}
END_TEST

START_TEST(states_have_names)
{
    ck_assert_str_eq(refq_worker_state_name(REFQ_STATE_STARTING), "starting");
    ck_assert_str_eq(refq_worker_state_name(REFQ_STATE_ENDED), "ended");
    ck_assert_str_eq(refq_worker_state_name((refq_worker_state)99), "unknown");
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("health");
    tcase_set_timeout(c, 90);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, it_goes_through_its_states);
    tcase_add_test(c, it_counts_what_becomes_of_attempts);
    tcase_add_test(c, a_task_that_is_unknown_counts_as_released);
    tcase_add_test(c, a_handler_that_does_not_stop_shows);
    tcase_add_test(c, a_loop_that_does_not_turn_shows);
    tcase_add_test(c, a_server_that_is_silent_shows);
    TCase *names = tcase_create("names");
    tcase_add_test(names, states_have_names);
    Suite *s = suite_create("it_worker_health");
    suite_add_tcase(s, c);
    suite_add_tcase(s, names);
    return rqt_main_redis(s, NULL);
}
