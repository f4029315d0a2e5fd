/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Each fault is a row of a table. A fault of the server holds the stage alone, those of
 * workers run beside it and each other. For each fault the same dice are thrown whether or not it
 * can act (its worker may be frozen already), so that the sequence depends on the seed only.
 */
#include "support/faults.h"

#include "support/aof.h"
#include "support/crew.h"
#include "support/dice.h"
#include "support/history.h"
#include "support/redis_fixture.h"
#include "support/sentinels.h"
#include "support/tasks.h"
#include "support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVE_MS = 30000, CUT_MAX_BYTES = 20000 };

typedef struct kind kind;

/* A fault that acts. */
typedef struct active {
    const kind *kind; /* NULL = none */
    int id;
    int slot;
    int64_t until_ms;
    int64_t value; /* drawn; what the kind makes of it */
} active;

struct kind {
    const char *name;
    const char *reach;
    int weight;
    bool of_worker;
    int min; /* how long, in hundredths of a lease */
    int max;
    void (*begin)(active *a);
    bool (*end)(active *a); /* false: not over yet; NULL: over when its time is */
    bool (*can)(void);      /* whether it can act; NULL: always */
};

static struct {
    rqt_faults_options o;
    rqt_dice dice;
    active server;
    active workers[RQT_CREW_MAX];
    int64_t next_ms;
    int serial;
} faults;

/* --- Workers ---------------------------------------------------------------------------------- */

static void begin_kill(active *a)
{
    rqt_crew_kill(a->slot);
}

static void begin_freeze(active *a)
{
    rqt_crew_freeze(a->slot);
}

static bool end_freeze(active *a)
{
    rqt_crew_thaw(a->slot);
    return true;
}

static void begin_suspend(active *a)
{
    a->value = rqt_now_ms();
    rqt_crew_freeze(a->slot);
}

static bool end_suspend(active *a)
{
    int64_t *clock = &faults.o.clocks->monotonic[a->slot];
    int64_t missed = (rqt_now_ms() - a->value) * 1000000;
    __atomic_store_n(clock, *clock - missed, __ATOMIC_RELAXED);
    rqt_crew_thaw(a->slot);
    return true;
}

static void begin_term(active *a)
{
    rqt_crew_dismiss(a->slot);
}

static bool end_term(active *a)
{
    return rqt_crew_has_left(a->slot);
}

/* --- The server ------------------------------------------------------------------------------- */

static void begin_restart(active *a)
{
    (void)a;
    rqt_crew_outage(true);
    rqt_redis_restart(SIGKILL);
    rqt_crew_outage(false);
}

static void begin_truncate(active *a)
{
    int64_t bytes = llabs(a->value) % CUT_MAX_BYTES;
    rqt_crew_outage(true);
    rqt_redis_kill();
    int64_t size = rqt_aof_size();
    rqt_aof_cut(size > bytes ? size - bytes : 0);
    rqt_redis_revive();
    rqt_crew_outage(false);
}

static void begin_flush(active *a)
{
    (void)a;
    rqt_redis_do("FUNCTION FLUSH");
}

static void begin_destroy(active *a)
{
    static const char script[] = "for _, lane in ipairs({'high', 'normal', 'low'}) do\n"
                                 "  redis.pcall('XGROUP', 'DESTROY', ARGV[1] .. lane, 'workers')\n"
                                 "end\n";
    (void)a;
    rqt_redis_do("EVAL %s 0 %s", script, "refq:{" RQT_QUEUE "}:lane:");
}

static void begin_cut(active *a)
{
    (void)a;
    rqt_redis_do("CLIENT KILL TYPE pubsub");
    rqt_redis_do("CLIENT KILL TYPE normal SKIPME yes");
}

static void begin_pause(active *a)
{
    rqt_redis_do("CLIENT PAUSE %lld ALL", (long long)(a->until_ms - rqt_now_ms()));
}

static void begin_sleep(active *a)
{
    char seconds[32];
    (void)snprintf(seconds, sizeof seconds, "%.3f", (double)(a->until_ms - rqt_now_ms()) / 1000);
    rqt_redis_do("DEBUG SLEEP %s", seconds);
}

static void begin_skew(active *a)
{
    long long offset = a->value % 5000;
    rqt_redis_do("HSET refq:{" RQT_QUEUE "}:meta clock_offset %lld", offset);
}

static bool end_skew(active *a)
{
    (void)a;
    rqt_redis_do("HDEL refq:{" RQT_QUEUE "}:meta clock_offset");
    return true;
}

static void begin_wall(active *a)
{
    __atomic_store_n(&faults.o.clocks->wall, a->value % 7200000 * 1000000, __ATOMIC_RELAXED);
}

static bool end_wall(active *a)
{
    (void)a;
    __atomic_store_n(&faults.o.clocks->wall, 0, __ATOMIC_RELAXED);
    return true;
}

static void begin_full(active *a)
{
    (void)a;
    rqt_redis_do("CONFIG SET maxmemory 1mb");
}

static bool end_full(active *a)
{
    (void)a;
    rqt_redis_do("CONFIG SET maxmemory 0");
    return true;
}

static void begin_failover(active *a)
{
    (void)a;
    rqt_sentinels_cut_off();
    faults.o.doom();
    rqt_crew_outage(true);
    rqt_sentinels_kill();
}

static bool end_failover(active *a)
{
    (void)a;
    if (!rqt_sentinels_promoted()) {
        return false;
    }
    rqt_crew_outage(false);
    return true;
}

/* --- The table -------------------------------------------------------------------------------- */

static const kind kinds[] = {
    {"kill", "worker", 20, true, 0, 0, begin_kill, NULL, NULL},
    {"freeze", "worker", 10, true, 320, 450, begin_freeze, end_freeze, NULL},
    {"suspend", "worker", 10, true, 110, 260, begin_suspend, end_suspend, NULL},
    {"nap", "none", 10, true, 10, 45, begin_freeze, end_freeze, NULL},
    {"term", "worker", 10, true, 0, 0, begin_term, end_term, NULL},
    {"restart", "none", 6, false, 0, 0, begin_restart, NULL, NULL},
    {"flush", "none", 6, false, 0, 0, begin_flush, NULL, NULL},
    {"destroy", "none", 8, false, 0, 0, begin_destroy, NULL, NULL},
    {"cut", "none", 8, false, 0, 0, begin_cut, NULL, NULL},
    {"pause", "none", 5, false, 120, 250, begin_pause, NULL, NULL},
    {"sleep", "none", 5, false, 20, 150, begin_sleep, NULL, NULL},
    {"skew", "none", 5, false, 30, 200, begin_skew, end_skew, NULL},
    {"wall", "none", 5, false, 50, 200, begin_wall, end_wall, NULL},
    {"full", "none", 5, false, 50, 200, begin_full, end_full, NULL},
    {"truncate", "loss back=5000", 20, false, 0, 0, begin_truncate, NULL, NULL},
    {"failover", "loss back=3000", 40, false, 0, 0, begin_failover, end_failover,
     rqt_sentinels_ready},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static int counts[KINDS];
static int weights[KINDS];

/* Whether the comma-separated names hold this one. */
static bool holds(const char *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = names; at != NULL; at = strchr(at, ','), at += at != NULL) {
        if (strncmp(at, name, len) == 0 && (at[len] == '\0' || at[len] == ',')) {
            return true;
        }
    }
    return false;
}

bool rqt_faults_known(const char *names)
{
    size_t commas = 0;
    size_t found = 0;
    for (const char *at = names; *at != '\0'; at++) {
        commas += *at == ',';
    }
    for (size_t i = 0; i < KINDS; i++) {
        found += holds(names, kinds[i].name);
    }
    if (found == commas + 1) {
        return true;
    }
    (void)fprintf(stderr, "'%s' holds an unknown fault; there are:", names);
    for (size_t i = 0; i < KINDS; i++) {
        (void)fprintf(stderr, " %s", kinds[i].name);
    }
    (void)fprintf(stderr, "\n");
    return false;
}

/* --- Acting ----------------------------------------------------------------------------------- */

static void heal(active *a)
{
    rqt_history_add(faults.o.history, RQT_HEALED, NULL, 0, NULL, "id=%d", a->id);
    a->kind = NULL;
}

static void begin(active *a)
{
    pid_t target = a->kind->of_worker ? rqt_crew_pid(a->slot) : 0;
    rqt_history_add(faults.o.history, RQT_FAULT, NULL, 0, NULL, "id=%d name=%s target=%d reach=%s",
                    a->id, a->kind->name, (int)target, a->kind->reach);
    counts[a->kind - kinds]++;
    a->kind->begin(a);
    if (a->kind->end == NULL && a->until_ms <= rqt_now_ms()) {
        heal(a);
    }
}

static void end_if_over(active *a)
{
    if (a->kind != NULL && rqt_now_ms() >= a->until_ms &&
        (a->kind->end == NULL || a->kind->end(a))) {
        heal(a);
    }
}

static int at_work(void)
{
    int n = 0;
    for (int i = 0; i < faults.o.crew; i++) {
        n += rqt_crew_pid(i) != 0;
    }
    return n;
}

static void draw_next(void)
{
    rqt_dice *d = &faults.dice;
    const kind *k = &kinds[rqt_dice_pick(d, weights, KINDS)];
    int64_t now = rqt_now_ms();
    int64_t hundredths = rqt_dice_range(d, k->min, k->max);
    active a = {.kind = k, .id = ++faults.serial, .until_ms = now};
    a.slot = (int)rqt_dice_range(d, 0, faults.o.crew - 1);
    a.value = rqt_dice_range(d, -1000000000, 1000000000);
    a.until_ms += hundredths * faults.o.lease_ms / 100;
    faults.next_ms = now + rqt_dice_range(d, faults.o.gap_ms / 4, faults.o.gap_ms * 7 / 4);
    active *place = k->of_worker ? &faults.workers[a.slot] : &faults.server;
    /* Somebody has to be left to do the work. */
    if (k->of_worker && (rqt_crew_pid(a.slot) == 0 || at_work() < 2)) {
        return;
    }
    if (k->can != NULL && !k->can()) {
        return;
    }
    *place = a;
    begin(place);
}

void rqt_faults_start(const rqt_faults_options *options)
{
    memset(&faults, 0, sizeof faults);
    memset(counts, 0, sizeof counts);
    faults.o = *options;
    faults.dice = rqt_dice_make(options->seed, 0);
    faults.next_ms = rqt_now_ms() + options->gap_ms;
    for (size_t i = 0; i < KINDS; i++) {
        bool asked = options->names != NULL ? holds(options->names, kinds[i].name)
                                            : strncmp(kinds[i].reach, "loss", 4) != 0;
        weights[i] = asked ? kinds[i].weight : 0;
    }
}

static void end_those_over(void)
{
    end_if_over(&faults.server);
    for (int i = 0; i < faults.o.crew; i++) {
        end_if_over(&faults.workers[i]);
    }
}

void rqt_faults_step(void)
{
    end_those_over();
    rqt_crew_tend();
    if (faults.server.kind == NULL && rqt_now_ms() >= faults.next_ms) {
        draw_next();
    }
}

static bool all_healed(void)
{
    bool healed = faults.server.kind == NULL;
    end_those_over();
    for (int i = 0; i < faults.o.crew; i++) {
        healed = healed && faults.workers[i].kind == NULL;
    }
    return healed;
}

void rqt_faults_heal(void)
{
    bool healed = RQT_UNTIL(all_healed(), LEAVE_MS);
    ck_assert_msg(healed, "after %d ms a dismissed worker is still there", LEAVE_MS);
    rqt_crew_tend();
}

int rqt_faults_count(const char *name)
{
    int n = 0;
    for (size_t i = 0; i < KINDS; i++) {
        n += strcmp(kinds[i].name, name) == 0 ? counts[i] : 0;
    }
    return n;
}

void rqt_faults_print(void)
{
    int n = 0;
    for (size_t i = 0; i < KINDS; i++) {
        if (weights[i] > 0) {
            (void)printf("%s%s %d", n++ > 0 ? ", " : "", kinds[i].name, counts[i]);
        }
    }
    (void)printf("\n");
}
