/* SPDX-License-Identifier: MIT */
/*
 * Chaos: many tasks, several producers and workers, faults all the time; then the history is
 * checked.
 *
 *     st_chaos [--seed N] [--tasks N] [--seconds N] [--faults a,b,c] [--run NAME]
 *
 * Seed, tasks and seconds may also come from REFQ_CHAOS_SEED, REFQ_CHAOS_TASKS and
 * REFQ_CHAOS_SECONDS. docs/TESTING.md says how to read what it prints.
 *
 * DESIGN. The faults end before the run is judged: what is promised is that everything ends well
 * once nothing is wrong any more, not that it is quick while much is.
 */
#include "support/aof.h"
#include "support/crew.h"
#include "support/dice.h"
#include "support/fake_redis.h"
#include "support/faults.h"
#include "support/history_check.h"
#include "support/history_observe.h"
#include "support/proc.h"
#include "support/redis_fixture.h"
#include "support/sentinels.h"
#include "support/tasks.h"
#include "support/wait.h"

#include "base/parse.h"

#include <check.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    LEASE_MS = 1000,
    PRODUCERS = 3,
    CREW = 4,
    SLOTS = 16,
    SETTLE_MS = 120000,
    STORIES = 5,
    DOOMED = 10,   /* tasks of one loss that are lost for certain */
    FAILOVERS = 2, /* at least */
    RETURN_MS = 30000,
    BEHIND_S = 180 /* how much longer than planned producers may take */
};

static struct {
    uint64_t seed;
    int64_t tasks;
    int64_t seconds;
    const char *faults; /* NULL = each run's own */
    const char *run;    /* NULL = all */
} options = {.tasks = 20000, .seconds = 130};

static struct {
    char history[128];
    char clocks_path[128];
    int fd;
    rqt_offsets *clocks;
    pid_t producers[PRODUCERS];
    rqt_crew_options crew;
    int failovers; /* wanted */
    size_t doomed; /* tasks */
} run;

static const char *const one_version[] = {RQT_CHAOS_WORKER_PATH, NULL};

/* --- Scaffolding ------------------------------------------------------------------------------ */

static void open_clocks(void)
{
    int fd = open(run.clocks_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(fd, sizeof *run.clocks), 0);
    run.clocks = mmap(NULL, sizeof *run.clocks, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert(run.clocks != MAP_FAILED);
    (void)close(fd);
}

static void open_run(const char *const *programs)
{
    run.failovers = 0;
    run.doomed = 0;
    (void)snprintf(run.history, sizeof run.history, "%s/history", rqt_redis_dir());
    (void)snprintf(run.clocks_path, sizeof run.clocks_path, "%s/clocks", rqt_redis_dir());
    run.fd = rqt_history_open(run.history);
    ck_assert_int_ge(run.fd, 0);
    open_clocks();
    run.crew = (rqt_crew_options){.programs = programs,
                                  .history = run.history,
                                  .clocks = run.clocks_path,
                                  .lease_ms = LEASE_MS,
                                  .slots = SLOTS,
                                  .size = CREW};
    (void)printf("seed %llu, %lld tasks, %lld s, %s\n", (unsigned long long)options.seed,
                 (long long)options.tasks, (long long)options.seconds, run.history);
    (void)fflush(stdout);
    rqt_crew_start(&run.crew);
}

/* The smaller runs are a tenth of the large one. */
static void shorten(void)
{
    options.tasks = options.tasks / 10 > 500 ? options.tasks / 10 : 500;
    options.seconds = options.seconds / 10 > 8 ? options.seconds / 10 : 8;
}

static void start_producers(void)
{
    char seed[24];
    char index[8];
    char tasks[24];
    char seconds[24];
    char log[160];
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)options.seed);
    (void)snprintf(seconds, sizeof seconds, "%lld", (long long)options.seconds);
    (void)snprintf(log, sizeof log, "%s/producers.log", rqt_redis_dir());
    for (int i = 0; i < PRODUCERS; i++) {
        int64_t share = options.tasks / PRODUCERS + (i < options.tasks % PRODUCERS);
        (void)snprintf(index, sizeof index, "%d", i);
        (void)snprintf(tasks, sizeof tasks, "%lld", (long long)share);
        const char *argv[] = {RQT_CHAOS_PRODUCER_PATH,
                              rqt_redis_url(),
                              run.history,
                              seed,
                              index,
                              tasks,
                              seconds,
                              NULL};
        rqt_spawn_options spawn = {.argv = argv, .out_path = log, .err_path = log};
        run.producers[i] = rqt_spawn(&spawn);
    }
}

static const char *read_log(void)
{
    char log[160];
    (void)snprintf(log, sizeof log, "%s/producers.log", rqt_redis_dir());
    return rqt_read(log);
}

static bool all_produced(void)
{
    bool all = true;
    for (int i = 0; i < PRODUCERS; i++) {
        int status = run.producers[i] != 0 ? rqt_reap(run.producers[i], 0) : 0;
        all = all && status != -1;
        ck_assert_msg(status == -1 || status == 0, "a producer failed (%d):\n%s", status,
                      read_log());
        run.producers[i] = status == -1 ? run.producers[i] : 0;
    }
    return all;
}

/* --- Living through --------------------------------------------------------------------------- */

/* A task that is not there yet. Its arguments make each handler succeed at once. */
static void submit(refq_client *client, const refq_ref *ref, const char *name, int64_t retries)
{
    char text[REFQ_REF_MAX + 1];
    refq_error err = {0};
    refq_submitted done;
    refq_spec spec = {.struct_size = sizeof spec,
                      .ref = *ref,
                      .task = name,
                      .max_retries = retries == 0 ? REFQ_NO_RETRIES : (int)retries};
    (void)refq_ref_format(ref, text);
    rqt_history_add(run.fd, RQT_SUBMIT, text, 0, NULL, "task=%s retries=%lld", name,
                    (long long)retries);
    ck_assert_msg(refq_client_submit(client, &spec, &done, &err) == REFQ_OK, "%s", err.text);
    ck_assert_str_eq(done.ref.hex, ref->hex);
    ck_assert(!done.existed);
    rqt_history_add(run.fd, RQT_ACCEPTED, text, 0, NULL, "as=%s existed=0", text);
}

/* Tasks that the server accepts, and is about to forget. By a new client, which connects at once:
 * one that lost its connection would wait, and a fault that should end meanwhile would act for too
 * long.
 */
static void submit_doomed(void)
{
    rqt_client_end();
    for (int i = 0; i < DOOMED; i++) {
        refq_ref ref;
        refq_error err = {0};
        ck_assert_int_eq(refq_ref_make(RQT_QUEUE, &ref, &err), REFQ_OK);
        submit(rqt_client(), &ref, "quick", 1);
    }
    run.doomed += DOOMED;
}

static void start_faults(const char *names, int64_t gap_ms)
{
    rqt_faults_options o = {.seed = options.seed,
                            .names = options.faults != NULL ? options.faults : names,
                            .history = run.fd,
                            .lease_ms = LEASE_MS,
                            .clocks = run.clocks,
                            .crew = CREW,
                            .gap_ms = gap_ms,
                            .doom = submit_doomed};
    rqt_faults_start(&o);
}

static bool step(void)
{
    rqt_faults_step();
    return all_produced() && rqt_faults_count("failover") >= run.failovers;
}

static void settle(void)
{
    int64_t since = rqt_now_ms();
    rqt_expect_idle(SETTLE_MS);
    (void)printf("idle %lld ms after the last fault\n", (long long)(rqt_now_ms() - since));
}

/* Faults until all is submitted (and there were enough failovers), then peace until all is done.
 * midway, when there is one, is called once in the middle. */
static void live_through(const char *names, int64_t gap_ms, void (*midway)(void))
{
    start_producers();
    start_faults(names, gap_ms);
    if (midway != NULL) {
        (void)RQT_STAYS(!step(), options.seconds * 500);
        midway();
    }
    bool produced = RQT_UNTIL(step(), (options.seconds + BEHIND_S) * 1000);
    ck_assert_msg(produced, "the producers, or the faults, are not done in time:\n%s", read_log());
    rqt_faults_heal();
    rqt_faults_print();
    settle();
    rqt_audit(RQT_QUEUE);
}

/* --- The end of a run ------------------------------------------------------------------------- */

typedef void (*each_fn)(refq_client *client, const rqt_event *events, size_t n);

/* Calls fn for the events of each task in the history so far. */
static void for_each_task(each_fn fn)
{
    rqt_history h = {0};
    refq_error err = {0};
    ck_assert_msg(rqt_history_read(&h, run.history, &err) == REFQ_OK, "%s", err.text);
    rqt_history_sort(&h);
    for (size_t i = 0, n = 0; i < h.n; i += n) {
        for (n = 1; i + n < h.n && strcmp(h.events[i].ref, h.events[i + n].ref) == 0;) {
            n++;
        }
        if (strcmp(h.events[i].ref, "-") != 0) {
            fn(rqt_client(), &h.events[i], n);
        }
    }
    rqt_history_done(&h);
}

static void look(refq_client *client, const char *text, rqt_event_kind kind)
{
    refq_ref ref;
    refq_error err = {0};
    ck_assert_msg(refq_ref_parse(text, &ref, &err) == REFQ_OK, "%s", err.text);
    ck_assert_msg(rqt_history_observe(run.fd, kind, client, &ref, &err), "%s", err.text);
}

static void look_at_last(refq_client *client, const rqt_event *events, size_t n)
{
    (void)n;
    look(client, events[0].ref, RQT_FINAL);
}

static void judge(void)
{
    rqt_history h = {0};
    rqt_verdict v;
    refq_error err = {0};
    ck_assert_msg(rqt_history_read(&h, run.history, &err) == REFQ_OK, "%s", err.text);
    rqt_history_sort(&h);
    ck_assert_msg(rqt_history_check(&h, NULL, &v, &err) == REFQ_OK, "%s", err.text);
    rqt_verdict_print(stdout, &h, &v, STORIES);
    (void)fflush(stdout);
    size_t broken = rqt_verdict_broken(&v);
    size_t runs = v.runs;
    rqt_verdict_done(&v);
    rqt_history_done(&h);
    ck_assert_uint_gt(runs, (size_t)options.tasks / 2);
    ck_assert_msg(broken == 0, "%zu violations; replay with --seed %llu; the history is %s", broken,
                  (unsigned long long)options.seed, run.history);
}

static void end_run(void)
{
    for_each_task(look_at_last);
    rqt_crew_end();
    rqt_audit(RQT_QUEUE);
    rqt_client_end();
    judge();
    (void)close(run.fd);
    (void)munmap(run.clocks, sizeof *run.clocks);
}

static void close_run(void)
{
    end_run();
    rqt_redis_stop();
}

/* --- Runs ------------------------------------------------------------------------------------- */

static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

START_TEST(nothing_is_lost)
{
    rqt_redis_start(durable);
    open_run(one_version);
    live_through(NULL, 700, NULL);
    close_run();
}
END_TEST

/* Workers and clients of two builds, whose functions have different names, on one queue. */
START_TEST(two_versions_share_a_queue)
{
    static const char *const both[] = {RQT_CHAOS_WORKER_PATH, RQT_CHAOS_OTHER_WORKER_PATH, NULL};
    shorten();
    rqt_redis_start(durable);
    open_run(both);
    live_through("kill,freeze,suspend,term,flush,restart,cut", 700, NULL);
    redisReply *libraries = rqt_redis("FUNCTION LIST LIBRARYNAME refq_*");
    ck_assert_uint_eq(libraries->elements, 2);
    freeReplyObject(libraries);
    close_run();
}
END_TEST

/* --- Runs that forget ------------------------------------------------------------------------- */

static size_t lost;

static bool is_own(const rqt_event *e)
{
    char as[REFQ_REF_MAX + 1] = "";
    return e->kind == RQT_ACCEPTED && rqt_event_text(e, "as", as, sizeof as) &&
           strcmp(as, e->ref) == 0;
}

/* An accepted task that the server has forgotten is "not found", and submitted under the same
 * reference it lives again. */
static void mend_if_lost(refq_client *client, const rqt_event *events, size_t n)
{
    refq_ref ref;
    refq_error err = {0};
    refq_task *task = NULL;
    const rqt_event *first = NULL;
    bool own = false;
    for (size_t i = 0; i < n; i++) {
        first = first == NULL && events[i].kind == RQT_SUBMIT ? &events[i] : first;
        own = own || is_own(&events[i]);
    }
    ck_assert_int_eq(refq_ref_parse(events[0].ref, &ref, &err), REFQ_OK);
    refq_err rc = own ? refq_client_status(client, &ref, &task, &err) : REFQ_OK;
    ck_assert_msg(rc == REFQ_OK || rc == REFQ_ERR_NOTFOUND, "%s", err.text);
    if (rc == REFQ_ERR_NOTFOUND) {
        char name[REFQ_NAME_MAX + 1] = "";
        lost++;
        look(client, events[0].ref, RQT_SEEN);
        (void)rqt_event_text(first, "task", name, sizeof name);
        submit(client, &ref, name, rqt_event_number(first, "retries", 0));
    }
    refq_task_free(task);
}

static void mend_losses(void)
{
    lost = 0;
    for_each_task(mend_if_lost);
    (void)printf("%zu accepted tasks were lost, and submitted again\n", lost);
    ck_assert_uint_ge(lost, run.doomed);
    settle();
    rqt_audit(RQT_QUEUE);
}

static void cut_the_power(void)
{
    int64_t size = rqt_aof_size();
    submit_doomed();
    rqt_history_add(run.fd, RQT_FAULT, NULL, 0, NULL,
                    "id=900001 name=power-cut target=0 reach=loss back=3000");
    rqt_crew_outage(true);
    rqt_redis_kill();
    rqt_aof_cut(size);
    rqt_redis_revive();
    rqt_crew_outage(false);
    rqt_history_add(run.fd, RQT_HEALED, NULL, 0, NULL, "id=900001");
}

START_TEST(a_server_that_forgets_is_survived)
{
    static const char *const forgetful[] = {"--appendonly", "yes", "--appendfsync", "everysec",
                                            NULL};
    shorten();
    rqt_redis_start(forgetful);
    open_run(one_version);
    live_through("truncate,kill,nap", 1500, cut_the_power);
    mend_losses();
    close_run();
}
END_TEST

/* --- Failover --------------------------------------------------------------------------------- */

START_TEST(failovers_by_sentinel_are_survived)
{
    shorten();
    rqt_redis_start(NULL);
    rqt_sentinels_start();
    open_run(one_version);
    run.failovers = options.faults == NULL ? FAILOVERS : 0;
    live_through("failover,kill,nap,cut", 1000, NULL);
    ck_assert_msg(RQT_UNTIL(rqt_sentinels_ready(), RETURN_MS),
                  "the killed primary is no replica after %d ms", RETURN_MS);
    mend_losses();
    end_run();
    rqt_sentinels_stop();
    rqt_redis_stop();
}
END_TEST

/* --- Main ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const TTest *const *test;
} runs[] = {{"always", &nothing_is_lost},
            {"versions", &two_versions_share_a_queue},
            {"loss", &a_server_that_forgets_is_survived},
            {"failover", &failovers_by_sentinel_are_survived}};

static int64_t number_of(const char *text)
{
    int64_t n = 0;
    refq_error err;
    if (rqi_parse_int(text, 1, INT64_MAX, &n, &err) != REFQ_OK) {
        (void)fprintf(stderr, "st_chaos: %s\n", err.text);
        exit(64);
    }
    return n;
}

static int64_t from_env(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? number_of(text) : otherwise;
}

static int usage(void)
{
    (void)fputs(
        "usage: st_chaos [--seed N] [--tasks N] [--seconds N] [--faults a,b,c] [--run NAME]\n"
        "runs:",
        stderr);
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        (void)fprintf(stderr, " %s", runs[i].name);
    }
    (void)fputs("\n", stderr);
    return 64;
}

static bool parse(int argc, char **argv)
{
    static const struct option names[] = {
        {"seed", required_argument, NULL, 's'},    {"tasks", required_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 'l'}, {"faults", required_argument, NULL, 'f'},
        {"run", required_argument, NULL, 'r'},     {0},
    };
    bool good = true;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    options.seed = (uint64_t)from_env("REFQ_CHAOS_SEED", now.tv_nsec / 1000 + 1);
    options.tasks = from_env("REFQ_CHAOS_TASKS", options.tasks);
    options.seconds = from_env("REFQ_CHAOS_SECONDS", options.seconds);
    for (int c = 0; good && (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        options.seed = c == 's' ? (uint64_t)number_of(optarg) : options.seed;
        options.tasks = c == 't' ? number_of(optarg) : options.tasks;
        options.seconds = c == 'l' ? number_of(optarg) : options.seconds;
        options.faults = c == 'f' ? optarg : options.faults;
        options.run = c == 'r' ? optarg : options.run;
        good = c != '?' && (c != 'f' || rqt_faults_known(optarg));
    }
    return good && optind == argc;
}

static TCase *wanted_runs(void)
{
    TCase *c = tcase_create("chaos");
    int n = 0;
    tcase_set_timeout(c, 1200);
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        if (options.run == NULL || strcmp(options.run, runs[i].name) == 0) {
            tcase_add_test(c, *runs[i].test);
            n++;
        }
    }
    return n > 0 ? c : NULL;
}

int main(int argc, char **argv)
{
    TCase *c = parse(argc, argv) ? wanted_runs() : NULL;
    if (c == NULL) {
        return usage();
    }
    Suite *s = suite_create("st_chaos");
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
