/* SPDX-License-Identifier: MIT */
/* One worker, several queues: fair slots, reload, quiet. */
#include "support/inworker.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void setup(void)
{
    rqt_redis_clean();
}

static void teardown(void)
{
    rqt_inworker_stop(REFQ_OK);
    rqt_audit("flood");
    rqt_audit("small");
    rqt_client_end();
}

static refq_ref submit_to(const char *queue, const char *task)
{
    refq_error err;
    refq_submitted done;
    refq_spec spec = {.struct_size = sizeof spec, .task = task};
    ck_assert_int_eq(refq_ref_make(queue, &spec.ref, &err), REFQ_OK);
    ck_assert_msg(refq_client_submit(rqt_client(), &spec, &done, &err) == REFQ_OK, "%s", err.text);
    return done.ref;
}

static long long meta(const char *queue, const char *field)
{
    return rqt_redis_int("HGET refq:{%s}:meta %s", queue, field);
}

/* --- The order in which tasks of two queues begin --------------------------------------------- */

enum { FLOOD = 400, SMALL = 10 };

static atomic_int begun;
static atomic_int last_small; /* place of the last task of the small queue */

static refq_err note_place(refq_ctx *ctx, void *arg)
{
    (void)arg;
    int place = atomic_fetch_add(&begun, 1) + 1;
    if (strcmp(refq_ctx_ref(ctx)->queue, "small") == 0) {
        atomic_store(&last_small, place);
    }
    return REFQ_OK;
}

static refq_handlers *quick_set(refq_run_mode mode)
{
    refq_handlers *set = rqt_handlers();
    rqt_handlers_add(set, (refq_task_def){.name = "quick"}, mode, note_place, NULL);
    return set;
}

static void flood(refq_run_mode mode, unsigned slots)
{
    atomic_store(&begun, 0);
    atomic_store(&last_small, 0);
    for (int i = 0; i < FLOOD; i++) {
        (void)submit_to("flood", "quick");
    }
    for (int i = 0; i < SMALL; i++) {
        (void)submit_to("small", "quick");
    }
    rqt_inworker_make((refq_worker_options){.concurrency = slots});
    rqt_inworker_serve("flood", quick_set(mode));
    rqt_inworker_serve("small", quick_set(mode));
    rqt_inworker_start();
    ck_assert(RQT_UNTIL(meta("small", "complete") == SMALL, 20000));
    ck_assert(RQT_UNTIL(meta("flood", "complete") == FLOOD, 20000));
    ck_assert_int_eq(atomic_load(&begun), FLOOD + SMALL);
}

START_TEST(a_flooded_queue_leaves_the_other_its_turns)
{
    static const refq_run_mode modes[] = {REFQ_RUN_THREAD, REFQ_RUN_INLINE};
    flood(modes[_i % 2], _i < 2 ? 1 : 4);
    /* In turns of the slots the last one would be about the 20th; the first queue may be registered
     * some tasks earlier than the second. */
    ck_assert_int_le(atomic_load(&last_small), FLOOD / 2);
}
END_TEST

/* --- Tasks that last -------------------------------------------------------------------------- */

static atomic_int gate;       /* how many may end */
static atomic_int small_gate; /* the same, of the small queue in one test */
static atomic_int waiting;

static refq_err wait_for_gate(refq_ctx *ctx, void *arg)
{
    atomic_int *mine = arg;
    if (refq_ctx_attempt(ctx) > 1) {
        return REFQ_OK; /* after a death it is in a process of its own, which has another gate */
    }
    (void)atomic_fetch_add(&waiting, 1);
    while (!refq_ctx_is_cancelled(ctx)) {
        int open = atomic_load(mine);
        if (open > 0 && atomic_compare_exchange_strong(mine, &open, open - 1)) {
            return REFQ_OK;
        }
        rqt_nap();
    }
    return REFQ_ERR_IO;
}

static refq_handlers *gate_set(atomic_int *mine)
{
    refq_handlers *set = rqt_handlers();
    rqt_handlers_add(set, (refq_task_def){.name = "gated"}, REFQ_RUN_THREAD, wait_for_gate, mine);
    return set;
}

START_TEST(each_slot_that_falls_free_goes_to_the_queue_with_fewer)
{
    atomic_store(&gate, 0);
    atomic_store(&waiting, 0);
    for (int i = 0; i < 12; i++) {
        (void)submit_to("flood", "gated");
    }
    rqt_inworker_make((refq_worker_options){.concurrency = 4});
    rqt_inworker_serve("flood", gate_set(&gate));
    rqt_inworker_serve("small", gate_set(&small_gate));
    rqt_inworker_start();
    ck_assert(RQT_UNTIL(rqt_inworker_said("event=started") == 2, 10000));
    ck_assert(RQT_UNTIL(atomic_load(&waiting) == 4, 10000));
    ck_assert_int_eq(meta("flood", "processing"), 4);
    (void)submit_to("small", "gated");
    /* Once the worker has put the token back (or if it never came to listen) it wants a slot for
     * the small queue too. */
    ck_assert(RQT_UNTIL(rqt_redis_int("LLEN refq:{small}:bell") > 0 ||
                            rqt_redis_int("SCARD refq:{small}:parked") == 0,
                        10000));
    (void)submit_to("small", "gated");
    (void)submit_to("small", "gated");
    /* Both are hungry now. Two slots fall free: both go to the queue that has none. */
    for (int n = 1; n <= 2; n++) {
        atomic_store(&gate, 1);
        ck_assert(RQT_UNTIL(atomic_load(&waiting) == 4 + n, 10000));
        ck_assert(RQT_UNTIL(meta("small", "processing") == n, 10000));
    }
    ck_assert(RQT_UNTIL(meta("flood", "processing") == 2, 10000));
    atomic_store(&gate, 1000);
    atomic_store(&small_gate, 1000);
    ck_assert(RQT_UNTIL(meta("flood", "complete") == 12 && meta("small", "complete") == 3, 10000));
}
END_TEST

START_TEST(an_idle_queue_leaves_its_slots_to_the_other)
{
    atomic_store(&gate, 0);
    atomic_store(&waiting, 0);
    rqt_inworker_make((refq_worker_options){.concurrency = 4});
    rqt_inworker_serve("flood", gate_set(&gate));
    rqt_inworker_serve("small", gate_set(&gate));
    rqt_inworker_start();
    ck_assert(RQT_UNTIL(rqt_redis_int("SCARD refq:{small}:parked") == 1, 10000));
    for (int i = 0; i < 6; i++) {
        (void)submit_to("flood", "gated");
    }
    ck_assert(RQT_UNTIL(meta("flood", "processing") == 4, 10000));
    atomic_store(&gate, 1000);
    ck_assert(RQT_UNTIL(meta("flood", "complete") == 6, 10000));
}
END_TEST

START_TEST(a_lost_lease_of_one_queue_leaves_the_other_alone)
{
    atomic_store(&gate, 0);
    atomic_store(&waiting, 0);
    rqt_inworker_make((refq_worker_options){.concurrency = 4});
    rqt_inworker_serve("flood", gate_set(&gate));
    rqt_inworker_serve("small", gate_set(&gate));
    rqt_inworker_start();
    refq_ref kept = submit_to("flood", "gated");
    refq_ref lost = submit_to("small", "gated");
    ck_assert(RQT_UNTIL(atomic_load(&waiting) == 2, 10000));
    char id[64];
    (void)snprintf(id, sizeof id, "%s",
                   rqt_redis_str("HGET refq:{small}:task:%s worker", lost.hex));
    rqt_redis_do("ZADD refq:{small}:workers -1 %s", id);
    /* The first attempt of the lost one is stopped; it runs again under a new incarnation. */
    ck_assert(RQT_UNTIL(rqt_number(&lost, "attempt") == 2, 20000));
    ck_assert_str_ne(rqt_field(&lost, "worker"), id);
    ck_assert_int_eq(rqt_number(&kept, "attempt"), 1);
    atomic_store(&gate, 1000);
    rqt_expect(&lost, "complete", 10000);
    rqt_expect(&kept, "complete", 10000);
    ck_assert_int_eq(rqt_number(&kept, "attempt"), 1);
}
END_TEST

/* --- Wrong use -------------------------------------------------------------------------------- */

START_TEST(queues_that_cannot_be_served)
{
    refq_error err;
    refq_handlers *set = quick_set(REFQ_RUN_THREAD);
    refq_handlers *empty = rqt_handlers();
    char name[16];
    rqt_inworker_make((refq_worker_options){0});
    refq_worker *w = rqt_inworker();
    ck_assert_int_eq(refq_worker_run(w, &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_worker_serve(w, "no queue", set, &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_worker_serve(w, "small", empty, &err), REFQ_ERR_INVALID);
    ck_assert_int_eq(refq_worker_serve(w, "small", set, &err), REFQ_OK);
    ck_assert_int_eq(refq_worker_serve(w, "small", set, &err), REFQ_ERR_CONFLICT);
    ck_assert_str_eq(err.text, "the worker serves queue small already");
    for (int i = 1; i < 64; i++) {
        (void)snprintf(name, sizeof name, "q%d", i);
        ck_assert_int_eq(refq_worker_serve(w, name, set, &err), REFQ_OK);
    }
    ck_assert_int_eq(refq_worker_serve(w, "one-too-many", set, &err), REFQ_ERR_LIMIT);
    ck_assert_int_eq(refq_worker_reload(w, "unknown", set, &err), REFQ_ERR_NOTFOUND);
    ck_assert_int_eq(refq_worker_reload(w, "small", empty, &err), REFQ_ERR_INVALID);
    refq_handlers_unref(set);
    refq_handlers_unref(empty);
    rqt_inworker_expect_end(REFQ_OK);
}
END_TEST

/* --- Reload and quiet ------------------------------------------------------------------------- */

static refq_err answer_arg(refq_ctx *ctx, void *arg)
{
    return refq_ctx_return_json(ctx, arg);
}

START_TEST(a_reload_changes_what_is_claimed_next)
{
    refq_error err;
    refq_handlers *fresh = rqt_handlers();
    atomic_store(&gate, 0);
    atomic_store(&waiting, 0);
    rqt_inworker_make((refq_worker_options){0});
    rqt_inworker_serve("small", gate_set(&gate));
    rqt_inworker_start();
    refq_ref old = submit_to("small", "gated");
    ck_assert(RQT_UNTIL(atomic_load(&waiting) == 1, 10000));

    rqt_handlers_add(fresh, (refq_task_def){.name = "gated"}, REFQ_RUN_THREAD, answer_arg,
                     (void *)"\"fresh\"");
    rqt_handlers_add(fresh, (refq_task_def){.name = "added"}, REFQ_RUN_THREAD, answer_arg,
                     (void *)"\"added\"");
    const char *const argv[] = {"cat", NULL};
    const refq_task_def def = {.struct_size = sizeof def, .name = "program"};
    const refq_exec_def exec = {.struct_size = sizeof exec, .argv = argv};
    ck_assert_int_eq(refq_handlers_add_exec(fresh, &def, &exec, &err), REFQ_OK);
    ck_assert_msg(refq_worker_reload(rqt_inworker(), "small", fresh, &err) == REFQ_OK, "%s",
                  err.text);
    refq_handlers_unref(fresh);
    ck_assert(RQT_UNTIL(rqt_redis_int("HEXISTS refq:{small}:catalog added") == 1, 10000));
    refq_ref next = submit_to("small", "gated");
    rqt_expect(&next, "complete", 10000);
    ck_assert_ptr_nonnull(strstr(rqt_entry(&next), "\"fresh\""));
    refq_ref added = submit_to("small", "added");
    rqt_expect(&added, "complete", 10000);
    refq_ref program = submit_to("small", "program");
    rqt_expect(&program, "complete", 10000);

    /* The one that was running has kept its handler. */
    ck_assert(rqt_is(&old, "processing"));
    atomic_store(&gate, 1);
    rqt_expect(&old, "complete", 10000);
    ck_assert_ptr_nonnull(strstr(rqt_entry(&old), "\"value\": null"));
    char id[64];
    (void)snprintf(id, sizeof id, "%s", rqt_field(&old, "worker"));
    ck_assert_str_eq(rqt_redis_str("HGET refq:{small}:worker:%s offers", id),
                     "gated added program");
}
END_TEST

static const char *worker_state(void)
{
    static char id[64];
    redisReply *r = rqt_redis("ZRANGE refq:{small}:workers 0 0");
    (void)snprintf(id, sizeof id, "%s", r->elements > 0 ? r->element[0]->str : "");
    freeReplyObject(r);
    return rqt_redis_str("HGET refq:{small}:worker:%s state", id);
}

START_TEST(a_quiet_worker_finishes_what_it_has_and_takes_no_more)
{
    atomic_store(&gate, 0);
    atomic_store(&waiting, 0);
    rqt_inworker_make((refq_worker_options){0});
    rqt_inworker_serve("small", gate_set(&gate));
    rqt_inworker_start();
    refq_ref running = submit_to("small", "gated");
    ck_assert(RQT_UNTIL(atomic_load(&waiting) == 1, 10000));
    refq_worker_quiet(rqt_inworker(), true);
    ck_assert(RQT_UNTIL(strcmp(worker_state(), "quiet") == 0, 10000));
    ck_assert(RQT_UNTIL(rqt_redis_int("SCARD refq:{small}:parked") == 0, 10000));
    refq_ref later = submit_to("small", "gated");
    atomic_store(&gate, 1);
    rqt_expect(&running, "complete", 10000);
    ck_assert_int_eq(atomic_load(&waiting), 1);
    ck_assert(rqt_is(&later, "pending"));
    refq_worker_quiet(rqt_inworker(), false);
    ck_assert(RQT_UNTIL(atomic_load(&waiting) == 2, 10000));
    atomic_store(&gate, 1);
    rqt_expect(&later, "complete", 10000);
    ck_assert(RQT_UNTIL(strcmp(worker_state(), "running") == 0, 10000));
}
END_TEST

static TCase *queues(Suite *s, const char *name)
{
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, 90);
    tcase_add_checked_fixture(c, setup, teardown);
    suite_add_tcase(s, c);
    return c;
}

int main(void)
{
    Suite *s = suite_create("it_worker_queues");
    TCase *c = queues(s, "queues");
    tcase_add_loop_test(c, a_flooded_queue_leaves_the_other_its_turns, 0, 4);
    tcase_add_test(c, each_slot_that_falls_free_goes_to_the_queue_with_fewer);
    tcase_add_test(c, an_idle_queue_leaves_its_slots_to_the_other);
    tcase_add_test(c, queues_that_cannot_be_served);
    tcase_add_test(c, a_reload_changes_what_is_claimed_next);
    tcase_add_test(c, a_quiet_worker_finishes_what_it_has_and_takes_no_more);
    TCase *apart = queues(s, "children");
    tcase_set_tags(apart, "apart");
    tcase_add_test(apart, a_lost_lease_of_one_queue_leaves_the_other_alone);
    return rqt_main_redis(s, NULL);
}
