/* SPDX-License-Identifier: MIT */
/*
 * The memory backend as the model of the redis backend.
 *
 * DESIGN. Random sequences of operations are done to both. After each operation
 * both come to rest (nothing moves by itself any more: gates hold what runs,
 * delays are either tiny or an hour), and then everything a caller can see must
 * be equal. A sequence that ends in a difference is made shorter by leaving
 * operations out as long as it still does, and printed.
 *
 * Operations name a task by the operation that made it, and do nothing when there
 * is no such task, so a sequence still means the same when some of it is left out.
 *
 *   REFQ_SEED=n   repeats a run;  REFQ_MODEL_RUNS=n   sequences (default 12)
 */
#include "support/dice.h"
#include "support/main.h"
#include "support/redis_fixture.h"
#include "support/wait.h"
#include "support/world.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS     40
#define RUNS      12
#define BUDGET_MS 20000
#define HOUR_MS   3600000

static_assert(STEPS <= RQT_TASKS_MAX && STEPS <= RQI_CT_GATES, "each step makes one task at most");

typedef enum kind {
    SUBMIT,
    SUBMIT_AGAIN, /* with a reference that was used */
    CANCEL,
    RETRY,
    OPEN, /* a gate */
    PAUSE,
    RESUME,
    REMOVE_ONE,
    REMOVE_STATUS,
    ANSWER,
    DETACH,
    HAND_OUT,
    KINDS
} kind;

static const char *const kind_names[KINDS] = {
    "submit", "submit_again", "cancel",        "retry",  "open",   "pause",
    "resume", "remove_one",   "remove_status", "answer", "detach", "hand_out"};
static const int weights[KINDS] = {40, 4, 14, 12, 14, 3, 5, 4, 4, 8, 8, 2};

/* One operation: numbers only, so that both worlds do the same. */
typedef struct op {
    kind kind;
    int id;
    int task; /* id of the operation that made it; -1 = there is none before this one */
    unsigned recipe;
    unsigned lane;
    unsigned key;  /* 0 = none */
    unsigned call; /* 0 = none */
    refq_reuse reuse;
    bool after; /* waits for `task` */
    int retries;
    int status;
} op;

/* What a submitted task does. Those of which one runs at a time have one lane: which of two lanes
 * goes first depends on what was served before. */
static const struct recipe {
    const char *name;
    const char *args; /* '#': the number of its gate */
    bool gate;
    int64_t delay_ms;
} recipes[] = {
    {"play", "{}", false, 0},
    {"play", "{\"fail\":1}", false, 0},
    {"play", "{\"fail\":2,\"echo\":1}", false, 0},
    {"play", "{\"fail\":99}", false, 0},
    {"play", "{\"fail\":1,\"permanent\":1}", false, 0},
    {"play", "{\"progress\":1,\"gate\":#}", true, 0},
    {"play", "{\"progress\":1,\"gate\":#,\"ignore\":1}", true, 0},
    {"once", "{\"fail\":1}", false, 0},
    {"twice", "{\"fail\":1,\"after\":0}", false, 0},
    {"slow", "{\"fail\":1}", false, 0},
    {"slow", "{\"fail\":1,\"after\":3}", false, 0},
    {"inline", "{\"echo\":1,\"fail\":1}", false, 0},
    {"play", "{\"garbage\":1}", false, 0},
    {"play", "{\"nothing\":1}", false, 4},
    {"play", "{\"verbatim\":1}", false, HOUR_MS},
    {"play", "{\"ask\":1}", false, 0},
    {"single", "{\"progress\":1,\"gate\":#}", true, 0},
    {"single", "{\"fail\":1}", false, 0},
};

#define RECIPES (sizeof recipes / sizeof recipes[0])

/* An earlier operation that may have made a task, late ones more often. */
static int random_maker(rqt_dice *d, const op *before, int n)
{
    for (int tries = 0; n > 0 && tries < 20; tries++) {
        int64_t from = rqt_dice_chance(d, 50) && n > 8 ? n - 8 : 0;
        const op *o = &before[rqt_dice_range(d, from, n - 1)];
        if (o->kind == SUBMIT || o->kind == RETRY) {
            return o->id;
        }
    }
    return -1;
}

static op random_op(rqt_dice *d, const op *before, int n)
{
    op o = {.kind = (kind)rqt_dice_pick(d, weights, KINDS),
            .id = n,
            .task = random_maker(d, before, n),
            .status = (int)rqt_dice_range(d, REFQ_COMPLETE, REFQ_CANCELLED),
            .recipe = (unsigned)rqt_dice_range(d, 0, RECIPES - 1),
            .lane = (unsigned)rqt_dice_range(d, 0, 2)};
    o.key = rqt_dice_chance(d, 15) ? (unsigned)rqt_dice_range(d, 1, 3) : 0;
    o.call = rqt_dice_chance(d, 30) ? (unsigned)rqt_dice_range(d, 1, 3) : 0;
    o.reuse = rqt_dice_chance(d, 50) ? REFQ_REUSE_RESULT : REFQ_REUSE_IN_FLIGHT;
    o.after = rqt_dice_chance(d, 25);
    o.retries = rqt_dice_chance(d, 25) ? (int)rqt_dice_range(d, -1, 2) : 0;
    return o;
}

static void print_op(const op *o)
{
    (void)printf("    %2d %-13s", o->id, kind_names[o->kind]);
    if (o->kind == SUBMIT) {
        const struct recipe *r = &recipes[o->recipe];
        (void)printf(" %s %s delay=%lld lane=%u key=%u retries=%d call=%u reuse=%d after=%d",
                     r->name, r->args, (long long)r->delay_ms, o->lane, o->key, o->retries, o->call,
                     (int)o->reuse, o->after ? o->task : -1);
    } else if (o->kind == REMOVE_STATUS) {
        (void)printf(" %s", refq_status_name((refq_status)o->status));
    } else if (o->kind != PAUSE && o->kind != RESUME) {
        (void)printf(" what %d made", o->task);
    }
    (void)printf("\n");
}

/* --- Doing it to one world -------------------------------------------------------------------- */

/* The task an operation means; NULL when there is none. */
static rqt_world_task *meant(rqt_world *w, const op *o)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->tasks[i].made_by == o->task) {
            return &w->tasks[i];
        }
    }
    return NULL;
}

static rqt_world_task *add_task(rqt_world *w, const op *o, int gate)
{
    rqt_world_task *t = &w->tasks[w->n];
    *t = (rqt_world_task){.made_by = o->id, .gate = gate};
    ck_assert_int_eq(refq_ref_make(w->queue, &t->ref, NULL), REFQ_OK);
    w->n++;
    return t;
}

/* Puts the number of the gate where '#' is. */
static void args_of(const struct recipe *r, int gate, char *out, size_t size)
{
    const char *hole = strchr(r->args, '#');
    if (hole == NULL) {
        (void)snprintf(out, size, "%s", r->args);
        return;
    }
    (void)snprintf(out, size, "%.*s%d%s", (int)(hole - r->args), r->args, gate, hole + 1);
}

static bool is_single(const struct recipe *r)
{
    return strcmp(r->name, "single") == 0;
}

static void do_submit(rqt_world *w, const op *o, char *said)
{
    const struct recipe *r = &recipes[o->recipe];
    char args[96];
    char key[16];
    char call[REFQ_HEX_LEN + 1];
    refq_submitted done = {0};
    int gate = r->gate ? (int)w->n : -1;
    args_of(r, gate, args, sizeof args);
    (void)snprintf(key, sizeof key, "key-%u", o->key);
    (void)snprintf(call, sizeof call, "%x%031d", o->call, 0);
    /* Of those that run one at a time, which goes first of several woken together is left open. */
    const rqt_world_task *first = o->after && !is_single(r) ? meant(w, o) : NULL;
    rqt_world_task *t = add_task(w, o, gate);
    t->follows = first != NULL;
    refq_spec spec = {.struct_size = sizeof spec,
                      .ref = t->ref,
                      .task = r->name,
                      .args = args,
                      .lane = is_single(r) ? REFQ_LANE_NORMAL : (refq_lane)o->lane,
                      .delay_ms = r->delay_ms,
                      .max_retries = o->retries,
                      .key = o->key != 0 ? key : NULL,
                      .reuse = o->call != 0 ? o->reuse : REFQ_REUSE_NONE,
                      .call = o->call != 0 ? call : NULL,
                      .after = first != NULL ? &first->ref : NULL,
                      .n_after = first != NULL};
    refq_err rc = refq_client_submit(w->client, &spec, &done, NULL);
    int got = rqt_world_task_of(w, done.ref.hex);
    (void)snprintf(said, RQT_SEEN_MAX, "%s existed=%d joined=%d task=%d", refq_strerror(rc),
                   done.existed, done.joined, got);
    if (done.existed) {
        w->n--; /* nothing new came of it */
    }
    if (done.joined && got >= 0) {
        w->tasks[got].joiner = spec.ref;
    }
}

static void do_submit_again(rqt_world *w, const op *o, char *said)
{
    rqt_world_task *t = meant(w, o);
    refq_submitted done = {0};
    refq_spec spec = {
        .struct_size = sizeof spec, .ref = t->ref, .task = "play", .delay_ms = HOUR_MS};
    refq_err rc = refq_client_submit(w->client, &spec, &done, NULL);
    (void)snprintf(said, RQT_SEEN_MAX, "%s existed=%d %s", refq_strerror(rc), done.existed,
                   refq_status_name(done.status));
    if (!done.existed) {
        t->gate = -1; /* its record was removed, and this is a new task */
    }
}

static void do_cancel(rqt_world *w, const op *o, char *said)
{
    refq_task *task = NULL;
    refq_err rc = refq_client_cancel(w->client, &meant(w, o)->ref, &task, NULL);
    (void)snprintf(said, RQT_SEEN_MAX, "%s %s", refq_strerror(rc),
                   task != NULL ? refq_status_name(refq_task_status(task)) : "-");
    refq_task_free(task);
}

static void do_retry(rqt_world *w, const op *o, char *said)
{
    refq_task *task = NULL;
    rqt_world_task *old = meant(w, o);
    rqt_world_task *t = add_task(w, o, old->gate);
    t->opened = old->opened;
    t->follows = old->follows;
    refq_err rc = refq_client_retry(w->client, &old->ref, &t->ref, &task, NULL);
    int got = task != NULL ? rqt_world_task_of(w, refq_task_ref(task)->hex) : -1;
    (void)snprintf(said, RQT_SEEN_MAX, "%s task=%d", refq_strerror(rc), got);
    if (got != (int)w->n - 1) {
        w->n--;
    }
    refq_task_free(task);
}

/* All that wait at the same gate (a task and what replaced it) go on. */
static void do_open(rqt_world *w, const op *o, char *said)
{
    (void)said;
    int gate = meant(w, o)->gate;
    for (size_t i = 0; gate >= 0 && i < w->n; i++) {
        w->tasks[i].opened = w->tasks[i].opened || w->tasks[i].gate == gate;
    }
    if (gate >= 0) {
        rqi_ct_open(w->stage, (unsigned)gate);
    }
}

static void control(rqt_world *w, refq_control_action action, char *said)
{
    refq_control c = {.struct_size = sizeof c, .queue = w->queue, .action = action};
    refq_err rc = refq_client_control(w->client, &c, NULL, NULL);
    (void)snprintf(said, RQT_SEEN_MAX, "%s", refq_strerror(rc));
    w->paused = action == REFQ_PAUSE;
}

static void do_pause(rqt_world *w, const op *o, char *said)
{
    (void)o;
    control(w, REFQ_PAUSE, said);
}

static void do_resume(rqt_world *w, const op *o, char *said)
{
    (void)o;
    control(w, REFQ_RESUME, said);
}

static void cleanup(rqt_world *w, refq_cleanup_query query, char *said)
{
    int64_t n = 0;
    query.struct_size = sizeof query;
    query.queue = w->queue;
    refq_err rc = refq_client_cleanup(w->client, &query, &n, NULL);
    (void)snprintf(said, RQT_SEEN_MAX, "%s %lld", refq_strerror(rc), (long long)n);
}

static void do_remove_one(rqt_world *w, const op *o, char *said)
{
    cleanup(w, (refq_cleanup_query){.status = -1, .only = &meant(w, o)->ref}, said);
}

static void do_remove_status(rqt_world *w, const op *o, char *said)
{
    cleanup(w, (refq_cleanup_query){.status = o->status}, said);
}

static void do_answer(rqt_world *w, const op *o, char *said)
{
    refq_task *task = NULL;
    refq_err rc = refq_client_answer(w->client, &meant(w, o)->ref, "\"red\"", &task, NULL);
    (void)snprintf(said, RQT_SEEN_MAX, "%s", refq_strerror(rc));
    refq_task_free(task);
}

/* One of its first two callers leaves, or the first one again. */
static void do_detach(rqt_world *w, const op *o, char *said)
{
    refq_task *task = NULL;
    const rqt_world_task *t = meant(w, o);
    const refq_ref *caller = o->lane > 0 && t->joiner.hex[0] != '\0' ? &t->joiner : &t->ref;
    refq_err rc = refq_client_detach(w->client, &t->ref, caller, &task, NULL);
    (void)snprintf(said, RQT_SEEN_MAX, "%s %d", refq_strerror(rc),
                   task != NULL && refq_task_status(task) == REFQ_CANCELLED);
    refq_task_free(task);
}

static void do_hand_out(rqt_world *w, const op *o, char *said)
{
    refq_task *task = NULL;
    refq_err rc = refq_client_hand_out(w->client, &meant(w, o)->ref, &task, NULL);
    (void)snprintf(said, RQT_SEEN_MAX, "%s", refq_strerror(rc));
    refq_task_free(task);
}

static void (*const doing[KINDS])(rqt_world *w, const op *o,
                                  char *said) = {[SUBMIT] = do_submit,
                                                 [SUBMIT_AGAIN] = do_submit_again,
                                                 [CANCEL] = do_cancel,
                                                 [RETRY] = do_retry,
                                                 [OPEN] = do_open,
                                                 [PAUSE] = do_pause,
                                                 [RESUME] = do_resume,
                                                 [REMOVE_ONE] = do_remove_one,
                                                 [REMOVE_STATUS] = do_remove_status,
                                                 [ANSWER] = do_answer,
                                                 [DETACH] = do_detach,
                                                 [HAND_OUT] = do_hand_out};

static bool needs_task(kind k)
{
    return k != SUBMIT && k != PAUSE && k != RESUME && k != REMOVE_STATUS;
}

/* --- Comparing -------------------------------------------------------------------------------- */

typedef char line[RQT_SEEN_MAX];

static bool differ(const char *what, size_t number, line a, line b, char *why, size_t size)
{
    if (strcmp(a, b) == 0) {
        return false;
    }
    (void)snprintf(why, size, "%s %zu\n      redis:  %.400s\n      memory: %.400s", what, number, a,
                   b);
    return true;
}

/* Does one operation to both; false, and why, when they are not the same then. */
static bool step(rqt_world worlds[2], const op *o, char *why, size_t size)
{
    line said[2] = {"", ""};
    line seen[2] = {"", ""};
    if (needs_task(o->kind) && meant(&worlds[0], o) == NULL) {
        return true;
    }
    for (int i = 0; i < 2; i++) {
        doing[o->kind](&worlds[i], o, said[i]);
    }
    if (differ("the answer, tasks so far:", worlds[0].n, said[0], said[1], why, size)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (!rqt_world_rest(&worlds[i], BUDGET_MS, seen[i])) {
            (void)snprintf(why, size, "%s does not come to rest: %.400s", worlds[i].name, seen[i]);
            return false;
        }
    }
    for (size_t t = 0; t < worlds[0].n; t++) {
        rqt_world_see(&worlds[0], t, seen[0]);
        rqt_world_see(&worlds[1], t, seen[1]);
        if (differ("task", t, seen[0], seen[1], why, size)) {
            return false;
        }
    }
    rqt_world_numbers(&worlds[0], seen[0]);
    rqt_world_numbers(&worlds[1], seen[1]);
    return !differ("numbers, tasks so far:", worlds[0].n, seen[0], seen[1], why, size);
}

/* The number of steps after which the worlds differ; 0 when they do not. */
static size_t run(const op *ops, size_t n, char *why, size_t size)
{
    static rqt_world worlds[2];
    size_t bad = 0;
    rqt_world_start(&worlds[0], true);
    rqt_world_start(&worlds[1], false);
    for (size_t i = 0; i < n && bad == 0; i++) {
        bad = step(worlds, &ops[i], why, size) ? 0 : i + 1;
    }
    rqt_world_stop(&worlds[0]);
    rqt_world_stop(&worlds[1]);
    return bad;
}

/* --- Shrinking -------------------------------------------------------------------------------- */

/* Leaves out as long a part as it can, then ever shorter ones. */
static size_t shrink(op *ops, size_t n, char *why, size_t size)
{
    op fewer[STEPS];
    for (size_t part = n / 2; part >= 1; part /= 2) {
        for (size_t from = 0; from + part <= n;) {
            size_t rest = n - part;
            memcpy(fewer, ops, from * sizeof *ops);
            memcpy(fewer + from, ops + from + part, (rest - from) * sizeof *ops);
            size_t bad = run(fewer, rest, why, size);
            if (bad == 0) {
                from += part;
                continue;
            }
            n = bad;
            memcpy(ops, fewer, n * sizeof *ops);
        }
    }
    return n;
}

static long setting(const char *name, long otherwise)
{
    const char *value = getenv(name);
    return value != NULL ? strtol(value, NULL, 10) : otherwise;
}

static void report(op *ops, size_t n, uint64_t seed, long stream)
{
    char why[2048] = "";
    n = shrink(ops, n, why, sizeof why);
    (void)run(ops, n, why, sizeof why);
    (void)printf("sequence %ld of REFQ_SEED=%llu, made as short as it goes:\n", stream,
                 (unsigned long long)seed);
    for (size_t i = 0; i < n; i++) {
        print_op(&ops[i]);
    }
    ck_abort_msg("the backends differ: %s", why);
}

START_TEST(random_sequences_look_the_same)
{
    uint64_t seed = (uint64_t)setting("REFQ_SEED", (long)(rqt_now_ms() & 0xffffff));
    long runs = setting("REFQ_MODEL_RUNS", RUNS);
    (void)printf("REFQ_SEED=%llu\n", (unsigned long long)seed);
    rqt_redis_start(NULL);
    for (long i = 0; i < runs; i++) {
        op ops[STEPS];
        char why[2048] = "";
        rqt_dice dice = rqt_dice_make(seed, (uint64_t)i);
        for (size_t k = 0; k < STEPS; k++) {
            ops[k] = random_op(&dice, ops, (int)k);
        }
        size_t bad = run(ops, STEPS, why, sizeof why);
        if (bad != 0) {
            (void)printf("sequence %ld: %s\n", i, why);
            report(ops, bad, seed, i);
        }
    }
    rqt_redis_stop();
}
END_TEST

int main(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a test that fails does not flush */
    Suite *suite = suite_create("model");
    TCase *tc = tcase_create("redis and memory");
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, random_sequences_look_the_same);
    suite_add_tcase(suite, tc);
    return rqt_main(suite);
}
