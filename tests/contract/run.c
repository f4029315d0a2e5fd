/* SPDX-License-Identifier: MIT */
/*
 * Runs the tests one after the other and says in TAP what became of them.
 *
 * DESIGN. Each test has a fresh queue, fleet and client: what one leaves behind
 * cannot be seen by the next, and a failing one says something about itself
 * only. A thread looks on and ends the process when a test hangs, because a
 * blocking call into a broken backend never comes back.
 */
#include "contract.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUDGET_MS     20000
#define HANG_BUDGETS  6 /* refq_contract_run() says so */
#define SLOTS_DEFAULT 4

/* --- Hanging tests ---------------------------------------------------------------------------- */

typedef struct rqi_ct_clock {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool done;
    int64_t limit_ms;
    const char *test;
    const char *thing;
    unsigned number;
} rqi_ct_clock;

static void *look_on(void *arg)
{
    rqi_ct_clock *clock = arg;
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(clock->limit_ms / 1000 + 1);
    int rc = 0;
    pthread_mutex_lock(&clock->lock);
    while (!clock->done && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&clock->over, &clock->lock, &end);
    }
    bool hangs = !clock->done;
    pthread_mutex_unlock(&clock->lock);
    if (hangs) {
        (void)printf("not ok %u - %s\n# no end after %lld s\nBail out! the %s hangs\n",
                     clock->number, clock->test, (long long)(clock->limit_ms / 1000), clock->thing);
        (void)fflush(stdout);
        _exit(1);
    }
    return NULL;
}

/* --- One test --------------------------------------------------------------------------------- */

static void run_case(rqi_ct *ct, const rqi_ct_case *c)
{
    if (ct->suite->begin(ct, &ct->err) != REFQ_OK) {
        (void)snprintf(ct->failure, sizeof ct->failure, "it does not start: %s", ct->err.text);
    } else if (setjmp(ct->out) == 0) {
        ct->lacks = c->needs & ~ct->capabilities;
        if (ct->lacks == 0) {
            c->run(ct);
        }
    }
    ct->suite->end(ct);
    for (size_t i = 0; i < ct->tasks_n; i++) {
        refq_task_free(ct->tasks[i]);
    }
    for (size_t i = 0; i < ct->texts_n; i++) {
        free(ct->texts[i]);
    }
    free((void *)ct->tasks);
    free((void *)ct->texts);
}

static const char *name_of_lacking(const rqi_ct *ct)
{
    const rqi_ct_capability *c = ct->suite->capabilities;
    while (c->name != NULL && (ct->lacks & c->bit) == 0) {
        c++;
    }
    return c->name != NULL ? c->name : "something";
}

/* False when the test failed. */
static bool report(const rqi_ct *ct, const rqi_ct_case *c, unsigned number)
{
    if (ct->failure[0] != '\0') {
        (void)printf("not ok %u - %s\n# %s\n", number, c->name, ct->failure);
    } else if (ct->lacks != 0) {
        (void)printf("ok %u - %s # SKIP the %s does not offer: %s\n", number, c->name,
                     ct->suite->thing, name_of_lacking(ct));
    } else {
        (void)printf("ok %u - %s\n", number, c->name);
    }
    (void)fflush(stdout);
    return ct->failure[0] == '\0';
}

static bool run_one(const rqi_ct *like, const refq_contract_options *o, const rqi_ct_case *c,
                    unsigned number)
{
    int64_t budget = o->budget_ms > 0 ? o->budget_ms : BUDGET_MS;
    rqi_ct_clock clock = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .limit_ms = budget * HANG_BUDGETS,
                          .test = c->name,
                          .thing = like->suite->thing,
                          .number = number};
    pthread_condattr_t attr;
    pthread_t thread;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&clock.over, &attr);
    (void)pthread_condattr_destroy(&attr);
    bool watched = pthread_create(&thread, NULL, look_on, &clock) == 0;
    rqi_ct *ct = malloc(sizeof *ct);
    if (ct == NULL) {
        (void)printf("Bail out! out of memory\n");
        exit(1);
    }
    *ct = *like;
    ct->budget_ms = budget;
    ct->setup = (refq_contract_setup){.struct_size = sizeof ct->setup,
                                      .slots = c->slots != 0 ? c->slots : SLOTS_DEFAULT,
                                      .log = o->log};
    run_case(ct, c);
    bool good = report(ct, c, number);
    free(ct);
    pthread_mutex_lock(&clock.lock);
    clock.done = true;
    (void)pthread_cond_signal(&clock.over);
    pthread_mutex_unlock(&clock.lock);
    if (watched) {
        (void)pthread_join(thread, NULL);
    }
    (void)pthread_cond_destroy(&clock.over);
    return good;
}

/* --- All of them ------------------------------------------------------------------------------ */

/* Whether `name` is the test or its group, as written in len bytes of text. */
static bool is_meant(const char *text, size_t len, const char *name)
{
    return len > 0 && strncmp(text, name, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

static bool is_excepted(const char *list, const char *name)
{
    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ",");
        if (is_meant(list, len, name)) {
            return true;
        }
        list += len + (list[len] == ',');
    }
    return false;
}

static bool is_chosen(const refq_contract_options *o, const rqi_ct_case *c)
{
    return o->only == NULL || is_meant(o->only, strlen(o->only), c->name);
}

/* Calls visit for each test that is chosen; returns how many there are. */
static unsigned each(const rqi_ct_suite *suite, const refq_contract_options *o,
                     void (*visit)(void *, const rqi_ct_case *), void *arg)
{
    unsigned n = 0;
    for (size_t g = 0; g < suite->groups_n; g++) {
        for (const rqi_ct_case *c = suite->groups[g]; c->name != NULL; c++) {
            if (is_chosen(o, c)) {
                n++;
                visit(arg, c);
            }
        }
    }
    return n;
}

static void print_name(void *arg, const rqi_ct_case *c)
{
    (void)arg;
    (void)puts(c->name);
}

static void ignore(void *arg, const rqi_ct_case *c)
{
    (void)arg;
    (void)c;
}

struct total {
    const rqi_ct *like;
    const refq_contract_options *options;
    unsigned number;
    unsigned failed;
};

static void run_and_count(void *arg, const rqi_ct_case *c)
{
    struct total *t = arg;
    t->number++;
    if (is_excepted(t->options->except, c->name)) {
        (void)printf("ok %u - %s # SKIP excepted\n", t->number, c->name);
        return;
    }
    t->failed += !run_one(t->like, t->options, c, t->number);
}

int rqi_ct_run(const rqi_ct *like, const char *name, const refq_contract_options *options)
{
    static const refq_contract_options defaults = {.struct_size = sizeof defaults};
    const refq_contract_options *o = options != NULL ? options : &defaults;
    if (o->list) {
        return each(like->suite, o, print_name, NULL) > 0 ? 0 : 2;
    }
    unsigned n = each(like->suite, o, ignore, NULL);
    if (n == 0) {
        (void)fprintf(stderr, "no test is named '%s'; --list prints the names\n", o->only);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)printf("TAP version 13\n1..%u\n", n);
    struct total t = {like, o, 0, 0};
    (void)each(like->suite, o, run_and_count, &t);
    (void)printf("# %s: %u of %u tests failed\n", name, t.failed, n);
    (void)fflush(stdout);
    return t.failed > 0 ? 1 : 0;
}

/* --- The command line ------------------------------------------------------------------------- */

static int usage(const char *program)
{
    (void)fprintf(stderr, "usage: %s [--list] [--only NAME] [--except NAME,...] [--budget MS]\n",
                  program);
    return 2;
}

static bool read_budget(const char *text, int64_t *ret)
{
    char *end = NULL;
    long ms = strtol(text, &end, 10);
    *ret = ms;
    return end != text && *end == '\0' && ms > 0 && ms <= INT_MAX;
}

int rqi_ct_main(const rqi_ct *like, const char *name, int argc, char **argv)
{
    refq_contract_options o = {.struct_size = sizeof o};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--list") == 0) {
            o.list = true;
            continue;
        }
        if (value == NULL) {
            return usage(argv[0]);
        }
        if (strcmp(argv[i], "--only") == 0) {
            o.only = value;
        } else if (strcmp(argv[i], "--except") == 0) {
            o.except = value;
        } else if (strcmp(argv[i], "--budget") != 0 || !read_budget(value, &o.budget_ms)) {
            return usage(argv[0]);
        }
        i++;
    }
    return rqi_ct_run(like, name, &o);
}
