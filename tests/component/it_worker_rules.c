/* SPDX-License-Identifier: MIT */
/* What a worker does with tasks that are limited, unknown, crash, ask, or must run alone; and the
 * orders it obeys. */
#include "support/inworker.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Shared with the handlers that run in processes of their own. */
struct shared {
    atomic_int gate;    /* how many gated attempts may end */
    atomic_int inside;  /* gated attempts now */
    atomic_int most;    /* of them at a time, ever */
    atomic_int begun;   /* gated attempts, ever */
    atomic_bool ignore; /* they do not listen to cancels */
};

static struct shared *shared;

static void setup(void)
{
    rqt_redis_clean();
    memset((void *)shared, 0, sizeof *shared);
}

static void teardown(void)
{
    atomic_store(&shared->gate, 1000);
    rqt_inworker_stop(REFQ_OK);
    rqt_audit(RQT_QUEUE);
    rqt_client_end();
}

static refq_err quick(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return REFQ_OK;
}

static void enter(void)
{
    int now = atomic_fetch_add(&shared->inside, 1) + 1;
    int most = atomic_load(&shared->most);
    while (now > most && !atomic_compare_exchange_weak(&shared->most, &most, now)) {
    }
    (void)atomic_fetch_add(&shared->begun, 1);
}

static bool may_leave(void)
{
    int open = atomic_load(&shared->gate);
    return open > 0 && atomic_compare_exchange_strong(&shared->gate, &open, open - 1);
}

static refq_err gated(refq_ctx *ctx, void *arg)
{
    bool left = false;
    (void)arg;
    enter();
    while (!(left = may_leave()) && (atomic_load(&shared->ignore) || !refq_ctx_is_cancelled(ctx))) {
        rqt_nap();
    }
    (void)atomic_fetch_sub(&shared->inside, 1);
    return left ? REFQ_OK : REFQ_ERR_IO;
}

/* A worker with `quick`, `gated` and one more task. */
static void start_with(refq_task_def def, refq_handler fn)
{
    refq_handlers *set = rqt_handlers();
    rqt_handlers_add(set, (refq_task_def){.name = "quick"}, REFQ_RUN_THREAD, quick, NULL);
    rqt_handlers_add(set, (refq_task_def){.name = "gated"}, REFQ_RUN_THREAD, gated, NULL);
    if (def.name != NULL) {
        rqt_handlers_add(set, def, REFQ_RUN_THREAD, fn, NULL);
    }
    rqt_inworker_make((refq_worker_options){.unknown_grace_ms = 60000});
    rqt_inworker_serve(RQT_QUEUE, set);
    rqt_inworker_start();
}

static void start(void)
{
    start_with((refq_task_def){0}, NULL);
}

static bool inside_is(int n)
{
    return atomic_load(&shared->inside) == n;
}

static const char *worker_id(void)
{
    static char id[64];
    redisReply *r = rqt_redis("ZRANGE refq:{docs}:workers 0 0");
    (void)snprintf(id, sizeof id, "%s", r->elements > 0 ? r->element[0]->str : "");
    freeReplyObject(r);
    return id;
}

/* --- Limited tasks ---------------------------------------------------------------------------- */

START_TEST(a_limited_task_leaves_the_other_slots_to_others)
{
    enum { N = 6 };
    refq_ref ones[N];
    for (int i = 0; i < N; i++) {
        ones[i] = rqt_submit((refq_spec){.task = "limited"});
    }
    refq_ref other = rqt_submit((refq_spec){.task = "quick"});
    start_with((refq_task_def){.name = "limited", .concurrency = 2}, gated);
    rqt_expect(&other, "complete", 10000);
    ck_assert(RQT_UNTIL(inside_is(2), 10000));
    ck_assert_int_eq(rqt_meta("processing"), 2);
    ck_assert_int_eq(rqt_meta("pending"), N - 2);
    atomic_store(&shared->gate, N);
    for (int i = 0; i < N; i++) {
        rqt_expect(&ones[i], "complete", 10000);
        ck_assert_int_eq(rqt_number(&ones[i], "attempt"), 1);
    }
    ck_assert_int_eq(atomic_load(&shared->most), 2);
}
END_TEST

/* --- Unknown tasks ---------------------------------------------------------------------------- */

START_TEST(a_task_that_nobody_offers_fails_after_the_grace)
{
    refq_handlers *set = rqt_handlers();
    rqt_handlers_add(set, (refq_task_def){.name = "quick"}, REFQ_RUN_THREAD, quick, NULL);
    rqt_inworker_make((refq_worker_options){.unknown_grace_ms = 1});
    rqt_inworker_serve(RQT_QUEUE, set);
    rqt_inworker_start();
    refq_ref ref = rqt_submit((refq_spec){.task = "exotic"});
    rqt_expect(&ref, "failed", 10000);
    ck_assert_str_eq(rqt_field(&ref, "reason"), "unknown_handler");
    ck_assert_int_eq(rqt_number(&ref, "failures"), 0);
}
END_TEST

START_TEST(a_task_that_is_unknown_today_may_be_known_tomorrow)
{
    refq_error err;
    refq_handlers *fresh = rqt_handlers();
    rqt_handlers_add(fresh, (refq_task_def){.name = "exotic"}, REFQ_RUN_THREAD, quick, NULL);
    start();
    refq_ref ref = rqt_submit((refq_spec){.task = "exotic"});
    ck_assert(RQT_UNTIL(rqt_redis_int("LLEN refq:{docs}:shelf:exotic:normal") == 1, 10000));
    ck_assert_int_eq(rqt_inworker_said("event=unknown_task"), 1);
    ck_assert_int_eq(refq_worker_reload(rqt_inworker(), RQT_QUEUE, fresh, &err), REFQ_OK);
    refq_handlers_unref(fresh);
    rqt_expect(&ref, "complete", 10000);
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 1);
    ck_assert_int_eq(rqt_number(&ref, "releases"), 0);
}
END_TEST

/* --- Crashes and deaths ----------------------------------------------------------------------- */

static refq_err crash(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    (void)raise(SIGKILL);
    return REFQ_OK;
}

START_TEST(a_handler_that_crashes_three_times_is_poison)
{
    start_with((refq_task_def){.name = "crash",
                               .child = true,
                               .backoff = {.base_ms = 10, .factor = 1, .cap_ms = 10}},
               crash);
    refq_ref ref = rqt_submit((refq_spec){.task = "crash"});
    refq_ref innocent = rqt_submit((refq_spec){.task = "gated"});
    rqt_expect(&ref, "failed", 20000);
    ck_assert_str_eq(rqt_field(&ref, "reason"), "poison");
    ck_assert_int_eq(rqt_number(&ref, "crashes"), 3);
    ck_assert_int_eq(rqt_number(&ref, "failures"), 0);
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 3);
    redisReply *r = rqt_redis("LINDEX refq:{docs}:history:%s 0", ref.hex);
    ck_assert_ptr_nonnull(strstr(r->str, "\"class\":\"crash\""));
    freeReplyObject(r);
    ck_assert(rqt_is(&innocent, "processing"));
    atomic_store(&shared->gate, 1);
    rqt_expect(&innocent, "complete", 10000);
    ck_assert_int_eq(rqt_number(&innocent, "attempt"), 1);
}
END_TEST

/* A task with a past, before anybody has claimed it. */
static refq_ref submit_with_deaths(const char *task, int deaths)
{
    refq_ref ref = rqt_submit((refq_spec){.task = task, .delay_ms = 400});
    rqt_redis_do("HSET refq:{docs}:task:%s deaths %d", ref.hex, deaths);
    ck_assert(rqt_is(&ref, "pending"));
    return ref;
}

START_TEST(a_task_that_took_workers_along_runs_alone)
{
    start();
    refq_ref neighbour = rqt_submit((refq_spec){.task = "gated"});
    ck_assert(RQT_UNTIL(inside_is(1), 10000));
    refq_ref loner = submit_with_deaths("gated", 3);
    ck_assert(RQT_UNTIL(rqt_inworker_said("event=runs_alone") == 1, 10000));
    /* It waits for its neighbour, and nothing more is claimed. */
    refq_ref later = rqt_submit((refq_spec){.task = "quick"});
    ck_assert(RQT_STAYS(rqt_is(&later, "pending"), 300));
    ck_assert_int_eq(atomic_load(&shared->begun), 1);
    ck_assert_str_eq(rqt_field(&loner, "alone"), "");
    atomic_store(&shared->gate, 1);
    rqt_expect(&neighbour, "complete", 10000);
    ck_assert(RQT_UNTIL(atomic_load(&shared->begun) == 2, 10000));
    ck_assert_str_eq(rqt_field(&loner, "alone"), "1");
    ck_assert(rqt_is(&later, "pending"));
    atomic_store(&shared->gate, 1);
    rqt_expect(&loner, "complete", 10000);
    rqt_expect(&later, "complete", 10000);
}
END_TEST

START_TEST(a_task_that_waits_to_run_alone_can_be_cancelled)
{
    refq_error err;
    refq_task *task = NULL;
    start();
    refq_ref neighbour = rqt_submit((refq_spec){.task = "gated"});
    ck_assert(RQT_UNTIL(inside_is(1), 10000));
    refq_ref loner = submit_with_deaths("gated", 3);
    ck_assert(RQT_UNTIL(rqt_inworker_said("event=runs_alone") == 1, 10000));
    ck_assert_int_eq(refq_client_cancel(rqt_client(), &loner, &task, &err), REFQ_OK);
    refq_task_free(task);
    /* The others go on at once. */
    refq_ref later = rqt_submit((refq_spec){.task = "quick"});
    rqt_expect(&later, "complete", 10000);
    ck_assert(rqt_is(&neighbour, "processing"));
    ck_assert_int_eq(atomic_load(&shared->begun), 1);
}
END_TEST

/* --- Time limits ------------------------------------------------------------------------------ */

START_TEST(a_long_attempt_tells_when_it_times_out)
{
    start();
    refq_ref ref = rqt_submit((refq_spec){.task = "gated", .timeout_ms = 30000});
    ck_assert(RQT_UNTIL(rqt_number(&ref, "deadline_at") > 0, 10000));
    long long left = rqt_number(&ref, "deadline_at") - rqt_number(&ref, "started_at");
    ck_assert_int_gt(left, 20000);
    ck_assert_int_le(left, 31000);
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:deadlines"), 1);
    atomic_store(&shared->gate, 1);
    rqt_expect(&ref, "complete", 10000);
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:deadlines"), 0);
}
END_TEST

START_TEST(a_handler_that_ignores_its_cancel_is_shown_as_stuck)
{
    refq_error err;
    refq_task *task = NULL;
    atomic_store(&shared->ignore, true);
    start();
    refq_ref ref = rqt_submit((refq_spec){.task = "gated"});
    ck_assert(RQT_UNTIL(inside_is(1), 10000));
    ck_assert_int_eq(rqt_redis_int("HGET refq:{docs}:worker:%s stuck", worker_id()), 0);
    ck_assert_int_eq(refq_client_cancel(rqt_client(), &ref, &task, &err), REFQ_OK);
    refq_task_free(task);
    ck_assert(
        RQT_UNTIL(rqt_redis_int("HGET refq:{docs}:worker:%s stuck", worker_id()) == 1, 20000));
    atomic_store(&shared->gate, 1);
    ck_assert(
        RQT_UNTIL(rqt_redis_int("HGET refq:{docs}:worker:%s stuck", worker_id()) == 0, 10000));
}
END_TEST

/* --- Questions -------------------------------------------------------------------------------- */

static refq_err ask(refq_ctx *ctx, void *arg)
{
    char *answer = NULL;
    (void)arg;
    refq_err rc = refq_ctx_ask(ctx, "\"Which page?\"", &answer);
    if (rc == REFQ_OK) {
        rc = refq_ctx_return_json(ctx, answer);
    }
    free(answer);
    return rc;
}

static const char asking_program[] =
    "echo '{{\"ask\":\"Which page?\"}}' >&3; read -r line <&3; printf '%s' \"$line\"";

enum { THREAD, PROGRAM, CHILD, WAYS };

/* A worker whose task `ask` is a C handler, a program, or the same handler in a child. */
static void start_asking(int how)
{
    refq_error err;
    const char *const argv[] = {"sh", "-c", asking_program, NULL};
    const refq_task_def def = {.struct_size = sizeof def, .name = "ask", .child = how == CHILD};
    const refq_exec_def exec = {.struct_size = sizeof exec, .argv = argv};
    if (how != PROGRAM) {
        start_with(def, ask);
        return;
    }
    refq_handlers *set = rqt_handlers();
    ck_assert_int_eq(refq_handlers_add_exec(set, &def, &exec, &err), REFQ_OK);
    rqt_inworker_make((refq_worker_options){0});
    rqt_inworker_serve(RQT_QUEUE, set);
    rqt_inworker_start();
}

static refq_ref submit_question(void)
{
    refq_ref ref = rqt_submit((refq_spec){.task = "ask"});
    ck_assert(RQT_UNTIL(strcmp(rqt_field(&ref, "waiting"), "input") == 0, 10000));
    ck_assert_str_eq(rqt_redis_str("HGET refq:{docs}:ask:%s question", ref.hex),
                     "{\"question\":\"Which page?\"}");
    return ref;
}

static void expect_answered(const refq_ref *ref)
{
    rqt_expect(ref, "complete", 10000);
    ck_assert_ptr_nonnull(strstr(rqt_entry(ref), "\"page\":7"));
    ck_assert_int_eq(rqt_redis_int("EXISTS refq:{docs}:ask:%s", ref->hex), 0);
    ck_assert(
        RQT_UNTIL(rqt_redis_int("SCARD refq:{docs}:worker:%s:orders", worker_id()) == 0, 10000));
}

START_TEST(a_person_answers_a_running_task)
{
    refq_error err;
    refq_task *task = NULL;
    start_asking(_i);
    refq_ref ref = submit_question();
    ck_assert_msg(refq_client_answer(rqt_client(), &ref, "{\"page\":7}", &task, &err) == REFQ_OK,
                  "%s", err.text);
    refq_task_free(task);
    expect_answered(&ref);
}
END_TEST

static refq_err ask_twice(refq_ctx *ctx, void *arg)
{
    char *first = NULL;
    char *second = NULL;
    char json[64];
    (void)arg;
    refq_err rc = refq_ctx_ask(ctx, "\"First?\"", &first);
    if (rc == REFQ_OK) {
        rc = refq_ctx_ask(ctx, "\"Second?\"", &second);
    }
    (void)snprintf(json, sizeof json, "[%s,%s]", first != NULL ? first : "0",
                   second != NULL ? second : "0");
    free(first);
    free(second);
    return rc == REFQ_OK ? refq_ctx_return_json(ctx, json) : rc;
}

static bool asks(const refq_ref *ref, const char *question)
{
    return strcmp(rqt_field(ref, "waiting"), "input") == 0 &&
           strcmp(rqt_redis_str("HGET refq:{docs}:ask:%s question", ref->hex), question) == 0;
}

static void give_answer(const refq_ref *ref, const char *json)
{
    refq_error err;
    refq_task *task = NULL;
    ck_assert_msg(refq_client_answer(rqt_client(), ref, json, &task, &err) == REFQ_OK, "%s",
                  err.text);
    refq_task_free(task);
}

static void publish_often(const char *order)
{
    for (int i = 0; i < 50; i++) {
        rqt_redis_do("SPUBLISH refq:{docs}:orders:%s %s", worker_id(), order);
    }
}

START_TEST(an_answer_told_twice_is_not_taken_for_the_next_one)
{
    char order[64];
    start_with((refq_task_def){.name = "ask"}, ask_twice);
    refq_ref ref = rqt_submit((refq_spec){.task = "ask"});
    ck_assert(RQT_UNTIL(asks(&ref, "{\"question\":\"First?\"}"), 10000));
    /* Messages carry no state: too early, doubled and late ones change nothing. */
    (void)snprintf(order, sizeof order, "answer %s", ref.hex);
    publish_often(order);
    ck_assert(RQT_STAYS(asks(&ref, "{\"question\":\"First?\"}"), 200));
    give_answer(&ref, "1");
    publish_often(order);
    ck_assert(RQT_UNTIL(asks(&ref, "{\"question\":\"Second?\"}"), 10000));
    give_answer(&ref, "2");
    rqt_expect(&ref, "complete", 10000);
    ck_assert_ptr_nonnull(strstr(rqt_entry(&ref), "[1,2]"));
}
END_TEST

START_TEST(while_a_person_is_asked_there_is_no_deadline)
{
    start_with((refq_task_def){.name = "ask", .timeout_ms = 1000}, ask);
    refq_ref ref = rqt_submit((refq_spec){.task = "ask"});
    ck_assert(RQT_UNTIL(asks(&ref, "{\"question\":\"Which page?\"}"), 10000));
    /* Longer than the timeout, and than the half of it when it would be told. */
    ck_assert(RQT_STAYS(rqt_number(&ref, "deadline_at") <= 0 && rqt_is(&ref, "processing"), 1500));
    give_answer(&ref, "{\"page\":7}");
    expect_answered(&ref);
    ck_assert_int_eq(rqt_number(&ref, "attempt"), 1);
}
END_TEST

START_TEST(an_answer_whose_message_was_lost_comes_with_a_beat)
{
    start_asking(0);
    refq_ref ref = submit_question();
    rqt_redis_do("HSET refq:{docs}:ask:%s answer %s", ref.hex, "{\"page\":7}");
    rqt_redis_do("HDEL refq:{docs}:task:%s waiting", ref.hex);
    rqt_redis_do("SADD refq:{docs}:worker:%s:orders answer:%s", worker_id(), ref.hex);
    expect_answered(&ref);
}
END_TEST

START_TEST(a_task_that_asks_can_be_cancelled)
{
    refq_error err;
    refq_task *task = NULL;
    start_asking(_i);
    refq_ref ref = submit_question();
    ck_assert_int_eq(refq_client_cancel(rqt_client(), &ref, &task, &err), REFQ_OK);
    refq_task_free(task);
    ck_assert(
        RQT_UNTIL(rqt_redis_int("HGET refq:{docs}:worker:%s running", worker_id()) == 0, 15000));
}
END_TEST

/* --- Orders ----------------------------------------------------------------------------------- */

static void control(refq_control_action action)
{
    refq_error err;
    int64_t n = 0;
    const refq_control c = {.struct_size = sizeof c, .queue = RQT_QUEUE, .action = action};
    ck_assert_msg(refq_client_control(rqt_client(), &c, &n, &err) == REFQ_OK, "%s", err.text);
    ck_assert_int_eq(n, 1);
}

static bool state_is(const char *state)
{
    return strcmp(rqt_redis_str("HGET refq:{docs}:worker:%s state", worker_id()), state) == 0;
}

START_TEST(a_worker_is_told_to_be_quiet)
{
    start();
    ck_assert(RQT_UNTIL(rqt_redis_int("SCARD refq:{docs}:parked") == 1, 10000));
    control(REFQ_WORKER_QUIET);
    ck_assert(RQT_UNTIL(state_is("quiet"), 10000));
    refq_ref ref = rqt_submit((refq_spec){.task = "quick"});
    ck_assert(RQT_STAYS(rqt_is(&ref, "pending"), 300));
    control(REFQ_WORKER_RESUME);
    rqt_expect(&ref, "complete", 10000);
    ck_assert(RQT_UNTIL(state_is("running"), 10000));
}
END_TEST

START_TEST(a_standing_order_is_obeyed_without_a_message)
{
    start();
    ck_assert(RQT_UNTIL(rqt_redis_int("SCARD refq:{docs}:parked") == 1, 10000));
    rqt_redis_do("HSET refq:{docs}:worker:%s order quiet", worker_id());
    ck_assert(RQT_UNTIL(state_is("quiet"), 10000));
    rqt_redis_do("HSET refq:{docs}:worker:%s order %s", worker_id(), "");
    ck_assert(RQT_UNTIL(state_is("running"), 10000));
}
END_TEST

START_TEST(a_worker_is_told_to_drain)
{
    start();
    refq_ref running = rqt_submit((refq_spec){.task = "gated"});
    ck_assert(RQT_UNTIL(inside_is(1), 10000));
    control(REFQ_WORKER_DRAIN);
    ck_assert(RQT_UNTIL(state_is("draining"), 10000));
    refq_ref left = rqt_submit((refq_spec){.task = "quick"});
    atomic_store(&shared->gate, 1);
    rqt_inworker_expect_end(REFQ_OK);
    ck_assert(rqt_is(&running, "complete"));
    ck_assert(rqt_is(&left, "pending"));
    ck_assert_int_eq(rqt_redis_int("ZCARD refq:{docs}:workers"), 0);
    rqt_redis_clean();
}
END_TEST

START_TEST(orders_that_mean_nothing_change_nothing)
{
    static const char *const orders[] = {"cancel x", "answer ", "explode", "", "quiet now"};
    start();
    ck_assert(RQT_UNTIL(rqt_redis_int("SCARD refq:{docs}:parked") == 1, 10000));
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        rqt_redis_do("SPUBLISH refq:{docs}:orders:%s %s", worker_id(), orders[i]);
    }
    rqt_redis_do("SADD refq:{docs}:worker:%s:orders answer:0 nonsense", worker_id());
    rqt_redis_do("HSET refq:{docs}:worker:%s order explode", worker_id());
    refq_ref ref = rqt_submit((refq_spec){.task = "quick"});
    rqt_expect(&ref, "complete", 10000);
    ck_assert(RQT_UNTIL(state_is("running"), 10000));
}
END_TEST

/* --- Scope ------------------------------------------------------------------------------------ */

START_TEST(a_result_whose_scope_cannot_be_read_does_not_become_public)
{
    static const refq_scope scope = {.struct_size = sizeof scope, .owner = "user:a"};
    refq_ref bad = rqt_submit((refq_spec){.task = "quick", .scope = &scope});
    refq_ref good = rqt_submit((refq_spec){.task = "quick", .scope = &scope});
    rqt_redis_do("HSET refq:{docs}:task:%s policy %s", bad.hex, "{\"user_permissions\":");
    start();
    rqt_expect(&bad, "failed", 10000);
    ck_assert_str_eq(rqt_field(&bad, "reason"), "permanent");
    ck_assert_ptr_nonnull(strstr(rqt_field(&bad, "error"), "scope"));
    ck_assert_str_eq(rqt_entry(&bad), "");
    rqt_expect(&good, "complete", 10000);
    ck_assert_ptr_nonnull(strstr(rqt_entry(&good), "\"owner\": \"user:a\""));
}
END_TEST

static TCase *rules(Suite *s, const char *name)
{
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, 90);
    tcase_add_checked_fixture(c, setup, teardown);
    suite_add_tcase(s, c);
    return c;
}

int main(void)
{
    Suite *s = suite_create("it_worker_rules");
    TCase *c = rules(s, "rules");
    tcase_add_test(c, a_limited_task_leaves_the_other_slots_to_others);
    tcase_add_test(c, a_task_that_nobody_offers_fails_after_the_grace);
    tcase_add_test(c, a_task_that_is_unknown_today_may_be_known_tomorrow);
    tcase_add_test(c, a_task_that_waits_to_run_alone_can_be_cancelled);
    tcase_add_test(c, a_long_attempt_tells_when_it_times_out);
    tcase_add_test(c, a_handler_that_ignores_its_cancel_is_shown_as_stuck);
    tcase_add_loop_test(c, a_person_answers_a_running_task, THREAD, CHILD);
    tcase_add_test(c, an_answer_told_twice_is_not_taken_for_the_next_one);
    tcase_add_test(c, while_a_person_is_asked_there_is_no_deadline);
    tcase_add_test(c, an_answer_whose_message_was_lost_comes_with_a_beat);
    tcase_add_loop_test(c, a_task_that_asks_can_be_cancelled, THREAD, CHILD);
    tcase_add_test(c, a_worker_is_told_to_be_quiet);
    tcase_add_test(c, a_standing_order_is_obeyed_without_a_message);
    tcase_add_test(c, a_worker_is_told_to_drain);
    tcase_add_test(c, orders_that_mean_nothing_change_nothing);
    tcase_add_test(c, a_result_whose_scope_cannot_be_read_does_not_become_public);
    TCase *apart = rules(s, "children");
    tcase_set_tags(apart, "apart");
    tcase_add_test(apart, a_handler_that_crashes_three_times_is_poison);
    tcase_add_test(apart, a_task_that_took_workers_along_runs_alone);
    tcase_add_loop_test(apart, a_person_answers_a_running_task, CHILD, WAYS);
    tcase_add_loop_test(apart, a_task_that_asks_can_be_cancelled, CHILD, WAYS);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return EXIT_FAILURE;
    }
    int status = rqt_main_redis(s, NULL);
    (void)munmap((void *)shared, sizeof *shared);
    return status;
}
