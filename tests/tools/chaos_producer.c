/* SPDX-License-Identifier: MIT */
/*
 * A producer of a chaos run: submits a random mix of tasks at an even pace, repeats what was
 * refused until it is accepted, and now and then cancels, looks at or submits again what it has
 * made.
 *
 *     chaos_producer REDIS HISTORY SEED INDEX TASKS SECONDS
 *
 * DESIGN. What is drawn depends on the seed, the index and the thread only, and so do the
 * references. When it happens does not: a choice that depended on an answer would make two runs of
 * one seed differ. So a thread draws the same steps whatever becomes of them.
 */
#include "support/dice.h"
#include "support/history_observe.h"

#include "base/clock.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    THREADS = 2,
    BATCH_MAX = 40,
    REMEMBERED = 64,
    GIVE_UP_MS = 120000, /* of one submit or cancel, through all faults */
    TRY_AGAIN_MS = 100
};

/* A task as this producer knows it. */
typedef struct made {
    refq_spec spec;
    char ref[REFQ_REF_MAX + 1];
    char args[128];
    char key[48];
    bool own; /* accepted under its own reference */
} made;

typedef struct producer {
    pthread_t thread;
    refq_client *client;
    rqt_dice dice;
    uint64_t serial;
    int index;
    int tasks;
    made ring[REMEMBERED]; /* the latest, to come back to */
    size_t ring_n;
    made batch[BATCH_MAX];
} producer;

static int history;
static int64_t pace_ms; /* of a whole run */
static uint64_t seed;
static atomic_int gave_up;

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* --- Drawing ---------------------------------------------------------------------------------- */

static void draw_work(producer *p, made *m)
{
    static const char *const names[] = {"quick", "fail", "slow", "large", "exec"};
    static const int weights[] = {62, 14, 16, 2, 6};
    size_t kind = rqt_dice_pick(&p->dice, weights, 5);
    int64_t ms = rqt_dice_range(&p->dice, 10, rqt_dice_chance(&p->dice, 10) ? 2500 : 400);
    int64_t fail = rqt_dice_range(&p->dice, 1, 4);
    int64_t bytes = rqt_dice_range(&p->dice, 66000, 120000);
    bool permanent = rqt_dice_chance(&p->dice, 10);
    bool long_args = rqt_dice_chance(&p->dice, 30);
    bool fails = kind == 1 || (kind == 4 && fail == 1);
    m->spec.task = names[kind];
    (void)snprintf(m->args, sizeof m->args,
                   "{\"ms\":%" PRId64 ",\"fail\":%" PRId64 ",\"bytes\":%" PRId64
                   ",\"permanent\":%s%s}",
                   kind == 2 || kind == 4 ? ms : 0, fails ? fail : 0, kind == 3 ? bytes : 8,
                   fails && permanent ? "true" : "false",
                   long_args ? ",\"more\":\"so that the arguments have a key of their own\"" : "");
}

static void draw_terms(producer *p, made *m)
{
    static const int lanes[] = {60, 20, 20};
    m->spec.lane = (refq_lane)rqt_dice_pick(&p->dice, lanes, 3);
    int64_t retries = rqt_dice_range(&p->dice, 0, 3);
    m->spec.max_retries = retries == 0 ? REFQ_NO_RETRIES : (int)retries;
    int64_t delay = rqt_dice_range(&p->dice, 20, 1500);
    m->spec.delay_ms = rqt_dice_chance(&p->dice, 15) ? delay : 0;
    /* Few keys, so that some are used again. */
    int64_t key = rqt_dice_range(&p->dice, 0, p->tasks / 8);
    if (rqt_dice_chance(&p->dice, 5)) {
        (void)snprintf(m->key, sizeof m->key, "key-%d-%" PRId64, p->index, key);
    }
}

static void draw(producer *p, made *m)
{
    *m = (made){.spec = {.struct_size = sizeof m->spec, .ref = {.queue = "docs"}}};
    uint64_t high = rqt_dice_next(&p->dice);
    uint64_t low = rqt_dice_next(&p->dice);
    (void)snprintf(m->spec.ref.hex, sizeof m->spec.ref.hex, "%016" PRIx64 "%016" PRIx64, high, low);
    (void)refq_ref_format(&m->spec.ref, m->ref);
    draw_work(p, m);
    draw_terms(p, m);
}

/* --- Submitting ------------------------------------------------------------------------------- */

static void say_submit(const made *m)
{
    int retries = m->spec.max_retries == REFQ_NO_RETRIES ? 0 : m->spec.max_retries;
    rqt_history_add(history, RQT_SUBMIT, m->ref, 0, NULL,
                    "task=%s retries=%d delay=%" PRId64 " lane=%s%s%s", m->spec.task, retries,
                    m->spec.delay_ms, refq_lane_name(m->spec.lane),
                    m->key[0] != '\0' ? " key=" : "", m->key);
}

static void say_accepted(made *m, const refq_submitted *done)
{
    char as[REFQ_REF_MAX + 1];
    m->own = strcmp(done->ref.hex, m->spec.ref.hex) == 0;
    rqt_history_add(history, RQT_ACCEPTED, m->ref, 0, NULL, "as=%s existed=%d",
                    refq_ref_format(&done->ref, as), (int)done->existed);
}

static bool try_submit(producer *p, made *list, size_t n, refq_error *err)
{
    refq_spec specs[BATCH_MAX];
    refq_submitted done[BATCH_MAX];
    for (size_t i = 0; i < n; i++) {
        specs[i] = list[i].spec;
        specs[i].args = list[i].args;
        specs[i].key = list[i].key[0] != '\0' ? list[i].key : NULL;
        say_submit(&list[i]);
    }
    refq_err rc = refq_client_submit_many(p->client, specs, n, done, err);
    for (size_t i = 0; i < n; i++) {
        if (rc == REFQ_OK) {
            say_accepted(&list[i], &done[i]);
        } else {
            rqt_history_add(history, RQT_REFUSED, list[i].ref, 0, NULL, "code=%s",
                            refq_strerror(rc));
        }
    }
    return rc == REFQ_OK;
}

static void submit(producer *p, made *list, size_t n)
{
    refq_error err = {0};
    int64_t end = rqi_mono_ms() + GIVE_UP_MS;
    bool accepted = false;
    while (!(accepted = try_submit(p, list, n, &err)) && refq_err_retryable(err.code) &&
           rqi_mono_ms() < end) {
        pause_ms(TRY_AGAIN_MS);
    }
    if (!accepted) {
        (void)fprintf(stderr, "chaos_producer: submit: %s: %s\n", refq_strerror(err.code),
                      err.text);
        atomic_store(&gave_up, 1);
    }
}

/* --- Coming back ------------------------------------------------------------------------------ */

static bool try_cancel(producer *p, const made *m, refq_error *err)
{
    refq_task *task = NULL;
    rqt_history_add(history, RQT_CANCEL, m->ref, 0, NULL, "%s", "");
    refq_err rc = refq_client_cancel(p->client, &m->spec.ref, &task, err);
    if (rc == REFQ_OK || rc == REFQ_ERR_NOTFOUND) {
        rqt_history_add(history, RQT_STOPPED, m->ref, 0, NULL, "status=%s",
                        rc == REFQ_OK ? refq_status_name(refq_task_status(task)) : "none");
    }
    refq_task_free(task);
    return rc == REFQ_OK || rc == REFQ_ERR_NOTFOUND;
}

static void cancel(producer *p, made *m)
{
    refq_error err = {0};
    int64_t end = rqi_mono_ms() + GIVE_UP_MS;
    while (!try_cancel(p, m, &err) && rqi_mono_ms() < end) {
        pause_ms(TRY_AGAIN_MS);
    }
}

/* A reader that gets no answer has seen nothing. */
static void look(producer *p, made *m)
{
    refq_error err = {0};
    (void)rqt_history_observe(history, RQT_SEEN, p->client, &m->spec.ref, &err);
}

static void look_at_the_end(producer *p, made *m)
{
    refq_error err = {0};
    refq_task *task = NULL;
    if (refq_client_wait(p->client, &m->spec.ref, 1500, NULL, NULL, &task, &err) == REFQ_OK) {
        refq_task_free(task);
        look(p, m);
    }
}

static void submit_again(producer *p, made *m)
{
    submit(p, m, 1);
}

static void come_back(producer *p)
{
    static const int weights[] = {68, 10, 16, 2, 4};
    static void (*const ways[])(producer * p, made * m) = {NULL, cancel, look, look_at_the_end,
                                                           submit_again};
    size_t way = rqt_dice_pick(&p->dice, weights, 5);
    size_t which = (size_t)rqt_dice_range(&p->dice, 0, REMEMBERED - 1);
    made *m = &p->ring[which];
    if (ways[way] != NULL && which < p->ring_n && m->own) {
        ways[way](p, m);
    }
}

/* --- Main ------------------------------------------------------------------------------------- */

static void remember(producer *p, const made *m)
{
    size_t at = (size_t)(p->serial++ % REMEMBERED);
    p->ring[at] = *m;
    p->ring_n = p->ring_n < REMEMBERED ? p->ring_n + 1 : REMEMBERED;
}

static void *run(void *arg)
{
    producer *p = arg;
    int64_t began = rqi_mono_ms();
    for (int made_n = 0; made_n < p->tasks && !atomic_load(&gave_up);) {
        int64_t size = rqt_dice_range(&p->dice, 2, BATCH_MAX);
        size = rqt_dice_chance(&p->dice, 6) ? size : 1;
        size = size < p->tasks - made_n ? size : p->tasks - made_n;
        for (int64_t i = 0; i < size; i++) {
            draw(p, &p->batch[i]);
        }
        int64_t early = began + pace_ms * made_n / p->tasks - rqi_mono_ms();
        if (early > 0) {
            pause_ms(early);
        }
        submit(p, p->batch, (size_t)size);
        for (int64_t i = 0; i < size; i++) {
            remember(p, &p->batch[i]);
            come_back(p);
        }
        made_n += (int)size;
    }
    return NULL;
}

static int run_all(const char *redis, int index, int tasks)
{
    static producer list[THREADS];
    refq_error err = {0};
    refq_redis_options o = {.struct_size = sizeof o, .url = redis};
    refq_client *client = NULL;
    if (refq_client_open(&o, &client, &err) != REFQ_OK) {
        (void)fprintf(stderr, "chaos_producer: %s\n", err.text);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < THREADS; i++) {
        list[i].client = client;
        list[i].index = index;
        list[i].tasks = tasks / THREADS + (i < tasks % THREADS);
        list[i].dice = rqt_dice_make(seed, (uint64_t)(1 + index * THREADS + i));
        if (pthread_create(&list[i].thread, NULL, run, &list[i]) != 0) {
            abort();
        }
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(list[i].thread, NULL);
    }
    refq_client_close(client);
    return atomic_load(&gave_up) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc != 7 || (history = rqt_history_open(argv[2])) < 0) {
        (void)fputs("usage: chaos_producer REDIS HISTORY SEED INDEX TASKS SECONDS\n", stderr);
        return 64;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    seed = strtoull(argv[3], NULL, 10);
    pace_ms = strtoll(argv[6], NULL, 10) * 1000;
    return run_all(argv[1], (int)strtol(argv[4], NULL, 10), (int)strtol(argv[5], NULL, 10));
}
