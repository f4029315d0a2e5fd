/* SPDX-License-Identifier: MIT */
/*
 * How fast the hot path is, as ratios against a floor measured in the same run.
 *
 * The floor is what any system with durable, readable state has to send for one
 * task, pipelined by a minimal loop at the same batch: HSET (record), XADD,
 * XREADGROUP, HSET (running), SET (result), HSET (complete), XACK. The loop does
 * nothing else: no fence, no retry, no counters, no listing, no time to live.
 */
#include "support/redis_fixture.h"
#include "support/wait.h"

#include <refq/refq.h>

#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUEUE "bench"
#define BATCH 64
#define CHUNK 128

static long tasks_n = 50000;
static int rounds = 3;
static atomic_long runs;
static _Atomic int64_t started_us;

static int64_t now_us(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- What Redis spent ------------------------------------------------------------------------- */

static double info_number(const char *section, const char *name)
{
    const char *at = strstr(rqt_redis_str("INFO %s", section), name);
    return at != NULL ? strtod(at + strlen(name), NULL) : 0;
}

static double redis_cpu_s(void)
{
    return info_number("cpu", "used_cpu_user_main_thread:") +
           info_number("cpu", "used_cpu_sys_main_thread:");
}

/* --- One measurement -------------------------------------------------------------------------- */

typedef struct sample {
    double rate;     /* tasks a second */
    double redis_us; /* CPU time of Redis' thread for one task */
} sample;

typedef struct stopwatch {
    int64_t us;
    double cpu;
} stopwatch;

static stopwatch begin(void)
{
    double cpu = redis_cpu_s();
    return (stopwatch){now_us(), cpu};
}

static sample end(stopwatch w, long n)
{
    double seconds = (double)(now_us() - w.us) / 1e6;
    double cpu = redis_cpu_s() - w.cpu;
    return (sample){(double)n / seconds, cpu * 1e6 / (double)n};
}

/* --- The floor -------------------------------------------------------------------------------- */

static redisContext *floor_conn;
static char floor_ids[BATCH][64];

static void floor_replies(int n)
{
    for (int i = 0; i < n; i++) {
        void *reply = NULL;
        if (redisGetReply(floor_conn, &reply) != REDIS_OK) {
            abort();
        }
        freeReplyObject(reply);
    }
}

static void floor_submit(long from)
{
    for (int i = 0; i < BATCH; i++) {
        (void)redisAppendCommand(
            floor_conn,
            "HSET f:task:%032ld status pending task noop lane normal attempt 0 "
            "created_at 1700000000000 v 1 args m",
            from + i);
        (void)redisAppendCommand(floor_conn, "XADD f:lane * id %032ld", from + i);
    }
    floor_replies(2 * BATCH);
}

static int floor_claim(void)
{
    redisReply *r =
        redisCommand(floor_conn, "XREADGROUP GROUP workers w COUNT %d STREAMS f:lane >", BATCH);
    int n = 0;
    if (r != NULL && r->type == REDIS_REPLY_ARRAY) {
        redisReply *entries = r->element[0]->element[1];
        for (; n < (int)entries->elements; n++) {
            (void)snprintf(floor_ids[n], sizeof floor_ids[n], "%s",
                           entries->element[n]->element[0]->str);
        }
    }
    freeReplyObject(r);
    return n;
}

static void floor_run(long from, int n)
{
    for (int i = 0; i < n; i++) {
        (void)redisAppendCommand(floor_conn,
                                 "HSET f:task:%032ld status processing worker w attempt 1 "
                                 "started_at 1700000000000",
                                 from + i);
    }
    for (int i = 0; i < n; i++) {
        (void)redisAppendCommand(floor_conn, "SET f:entry:%032ld null", from + i);
        (void)redisAppendCommand(
            floor_conn, "HSET f:task:%032ld status complete completed_at 1700000000000", from + i);
        (void)redisAppendCommand(floor_conn, "XACK f:lane workers %s", floor_ids[i]);
    }
    floor_replies(4 * n);
}

static void floor_prepare(void)
{
    rqt_redis_clean();
    rqt_redis_do("XGROUP CREATE f:lane workers 0 MKSTREAM");
}

static sample floor_submit_rate(void)
{
    floor_prepare();
    stopwatch w = begin();
    for (long at = 0; at < tasks_n; at += BATCH) {
        floor_submit(at);
    }
    return end(w, tasks_n);
}

static sample floor_drain_rate(void)
{
    stopwatch w = begin();
    for (long at = 0; at < tasks_n; at += BATCH) {
        floor_run(at, floor_claim());
    }
    return end(w, tasks_n);
}

static sample floor_sustained_rate(void)
{
    floor_prepare();
    stopwatch w = begin();
    for (long at = 0; at < tasks_n; at += BATCH) {
        floor_submit(at);
        floor_run(at, floor_claim());
    }
    return end(w, tasks_n);
}

/* --- refq ------------------------------------------------------------------------------------- */

static refq_err noop(refq_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    atomic_store(&started_us, now_us());
    atomic_fetch_add(&runs, 1);
    return REFQ_OK;
}

static refq_worker *worker;
static pthread_t worker_thread;

static void *run_worker(void *arg)
{
    refq_error err;
    if (refq_worker_run(arg, &err) != REFQ_OK) {
        (void)fprintf(stderr, "worker: %s\n", err.text);
        exit(1);
    }
    return NULL;
}

static void start_worker(unsigned concurrency)
{
    refq_error err;
    refq_task_def def = {.struct_size = sizeof def, .name = "noop"};
    refq_handlers *set = NULL;
    refq_worker_options o = {
        .struct_size = sizeof o, .redis = rqt_redis_url(), .concurrency = concurrency};
    if (refq_worker_new(&o, &worker, &err) != REFQ_OK || refq_handlers_new(&set, &err) != REFQ_OK ||
        refq_handlers_add_function(set, &def, REFQ_RUN_INLINE, noop, NULL, &err) != REFQ_OK ||
        refq_worker_serve(worker, QUEUE, set, &err) != REFQ_OK ||
        pthread_create(&worker_thread, NULL, run_worker, worker) != 0) {
        (void)fprintf(stderr, "worker: %s\n", err.text);
        exit(1);
    }
    refq_handlers_unref(set);
}

static void stop_worker(void)
{
    refq_worker_stop(worker);
    (void)pthread_join(worker_thread, NULL);
    refq_worker_free(worker);
}

static void submit_all(long n)
{
    static refq_spec specs[CHUNK * 4];
    static refq_submitted done[CHUNK * 4];
    refq_error err;
    refq_client *client = NULL;
    refq_redis_options o = {.struct_size = sizeof o, .url = rqt_redis_url()};
    if (refq_client_open(&o, &client, &err) != REFQ_OK) {
        exit(1);
    }
    for (long at = 0; at < n; at += CHUNK * 4) {
        size_t k = (size_t)(n - at < CHUNK * 4 ? n - at : CHUNK * 4);
        for (size_t i = 0; i < k; i++) {
            specs[i] = (refq_spec){.struct_size = sizeof specs[i], .task = "noop"};
            (void)!refq_ref_make(QUEUE, &specs[i].ref, &err);
        }
        if (refq_client_submit_many(client, specs, k, done, &err) != REFQ_OK) {
            (void)fprintf(stderr, "submit: %s\n", err.text);
            exit(1);
        }
    }
    refq_client_close(client);
}

static void *submit_thread(void *arg)
{
    submit_all(*(long *)arg);
    return NULL;
}

static void wait_committed(long n)
{
    int64_t give_up = rqt_now_ms() + 120000;
    while (rqt_redis_int("HGET refq:{" QUEUE "}:meta complete") < n) {
        struct timespec nap = {.tv_nsec = 2000000};
        (void)nanosleep(&nap, NULL);
        if (rqt_now_ms() > give_up) {
            (void)fprintf(stderr, "not drained in 120 s\n");
            exit(1);
        }
    }
}

static sample refq_submit_rate(double *ret_bytes, double *ret_core_bytes)
{
    rqt_redis_clean();
    submit_all(1); /* connections, library */
    double before = info_number("memory", "used_memory:");
    stopwatch w = begin();
    submit_all(tasks_n);
    sample s = end(w, tasks_n);
    *ret_bytes = (info_number("memory", "used_memory:") - before) / (double)tasks_n;
    redisReply *r = rqt_redis("XRANGE refq:{" QUEUE "}:lane:normal - + COUNT 1");
    double hash = (double)rqt_redis_int("MEMORY USAGE refq:{" QUEUE "}:task:%s",
                                        r->element[0]->element[1]->element[1]->str);
    freeReplyObject(r);
    double stream = (double)rqt_redis_int("MEMORY USAGE refq:{" QUEUE "}:lane:normal SAMPLES 0");
    *ret_core_bytes = hash + stream / (double)tasks_n;
    return s;
}

static sample refq_drain_rate(unsigned concurrency)
{
    long n = rqt_redis_int("HGET refq:{" QUEUE "}:meta pending");
    long before = rqt_redis_int("HGET refq:{" QUEUE "}:meta complete");
    stopwatch w = begin();
    start_worker(concurrency);
    wait_committed(before + n);
    sample s = end(w, n);
    stop_worker();
    return s;
}

static sample refq_sustained_rate(unsigned concurrency)
{
    pthread_t submitter;
    rqt_redis_clean();
    start_worker(concurrency);
    stopwatch w = begin();
    if (pthread_create(&submitter, NULL, submit_thread, &tasks_n) != 0) {
        exit(1);
    }
    wait_committed(tasks_n);
    sample s = end(w, tasks_n);
    (void)pthread_join(submitter, NULL);
    stop_worker();
    return s;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* From the call of submit to the first line of the handler, on an idle fleet, and the submit alone.
 */
static void latency(double *ret_start_us, double *ret_submit_us)
{
    enum { N = 500 };
    static int64_t start[N];
    static int64_t submit[N];
    refq_error err;
    refq_client *client = NULL;
    refq_submitted done;
    refq_redis_options o = {.struct_size = sizeof o, .url = rqt_redis_url()};
    rqt_redis_clean();
    if (refq_client_open(&o, &client, &err) != REFQ_OK) {
        exit(1);
    }
    start_worker(4);
    for (int i = 0; i < N + 20; i++) {
        refq_spec spec = {.struct_size = sizeof spec, .task = "noop"};
        long seen = atomic_load(&runs);
        (void)!refq_ref_make(QUEUE, &spec.ref, &err);
        int64_t t = now_us();
        if (refq_client_submit(client, &spec, &done, &err) != REFQ_OK) {
            exit(1);
        }
        int64_t answered = now_us();
        if (!RQT_UNTIL(atomic_load(&runs) > seen, 5000)) {
            exit(1);
        }
        if (i >= 20) {
            submit[i - 20] = answered - t;
            start[i - 20] = atomic_load(&started_us) - t;
        }
    }
    stop_worker();
    refq_client_close(client);
    qsort(start, N, sizeof start[0], by_value);
    qsort(submit, N, sizeof submit[0], by_value);
    *ret_start_us = (double)start[N / 2];
    *ret_submit_us = (double)submit[N / 2];
}

/* --- Calls ------------------------------------------------------------------------------------ */

struct server {
    refq_client *client;
    refq_store *store;
    refq_cache *cache;
    refq_calls *calls;
};

static void open_server(struct server *s)
{
    refq_error err;
    refq_redis_options ro = {.struct_size = sizeof ro, .url = rqt_redis_url()};
    refq_store_options so = {.struct_size = sizeof so, .url = rqt_redis_url()};
    if (refq_client_open(&ro, &s->client, &err) != REFQ_OK ||
        refq_store_open(&so, &s->store, &err) != REFQ_OK) {
        exit(1);
    }
    refq_cache_options co = {.struct_size = sizeof co, .client = s->client};
    if (refq_cache_open(s->store, &co, &s->cache, &err) != REFQ_OK) {
        exit(1);
    }
    refq_calls_options o = {.struct_size = sizeof o, .client = s->client, .cache = s->cache};
    if (refq_calls_new(&o, &s->calls, &err) != REFQ_OK) {
        exit(1);
    }
}

static void close_server(struct server *s)
{
    refq_calls_free(s->calls);
    refq_cache_close(s->cache);
    refq_store_close(s->store);
    refq_client_close(s->client);
}

static int64_t call_once(struct server *s)
{
    refq_error err;
    refq_response response = {0};
    refq_call_spec spec = {.struct_size = sizeof spec,
                           .queue = QUEUE,
                           .task = "noop",
                           .has_async_timeout = 1,
                           .async_timeout_ms = 10000};
    if (refq_call(s->calls, &spec, &response, &err) != REFQ_OK || !response.is_complete) {
        (void)fprintf(stderr, "bench_core: %s\n", err.text);
        exit(1);
    }
    refq_response_free(&response);
    return now_us();
}

static bool is_offered(struct server *s)
{
    refq_texts texts = {0};
    bool there = refq_client_catalog(s->client, QUEUE, "noop", &texts, NULL) == REFQ_OK;
    refq_texts_free(&texts);
    return there;
}

/* On an idle fleet: from a call to its answer with the value, and the part of it that lies between
 * the handler and the answer: the commit, the push, and reading the value. */
static void call_latency(double *ret_whole_us, double *ret_answer_us)
{
    enum { N = 500 };
    static int64_t whole[N];
    static int64_t answer[N];
    struct server s = {0};
    rqt_redis_clean();
    start_worker(4);
    open_server(&s);
    if (!RQT_UNTIL(is_offered(&s), 5000)) {
        exit(1);
    }
    for (int i = 0; i < N + 20; i++) {
        int64_t t = now_us();
        int64_t end = call_once(&s);
        if (i >= 20) {
            whole[i - 20] = end - t;
            answer[i - 20] = end - atomic_load(&started_us);
        }
    }
    close_server(&s);
    stop_worker();
    qsort(whole, N, sizeof whole[0], by_value);
    qsort(answer, N, sizeof answer[0], by_value);
    *ret_whole_us = (double)whole[N / 2];
    *ret_answer_us = (double)answer[N / 2];
}

/* --- The table -------------------------------------------------------------------------------- */

static void row(const char *name, sample refq, sample least)
{
    (void)printf("%-16s %10.0f %10.0f %6.0f %% %15.1f %15.1f\n", name, refq.rate, least.rate,
                 100 * refq.rate / least.rate, refq.redis_us, least.redis_us);
}

/* Each pair is measured in turns and the best of each side counts: what else runs on the machine
 * only ever slows things down. */
static sample best(sample a, sample b)
{
    return (sample){a.rate > b.rate ? a.rate : b.rate,
                    a.redis_us > 0 && a.redis_us < b.redis_us ? a.redis_us : b.redis_us};
}

struct table {
    sample floor_submit, floor_drain, floor_both, submit, drain, both, single;
    double bytes, core_bytes, start_us, submit_us, call_us, answer_us;
};

/* 0 = not measured yet. */
static double least(double a, double b)
{
    return a == 0 || b < a ? b : a;
}

static void measure_latencies(struct table *t)
{
    double first = 0;
    double second = 0;
    latency(&first, &second);
    t->start_us = least(t->start_us, first);
    t->submit_us = least(t->submit_us, second);
    call_latency(&first, &second);
    t->call_us = least(t->call_us, first);
    t->answer_us = least(t->answer_us, second);
}

static void measure_once(struct table *t)
{
    t->floor_submit = best(t->floor_submit, floor_submit_rate());
    t->floor_drain = best(t->floor_drain, floor_drain_rate());
    t->submit = best(t->submit, refq_submit_rate(&t->bytes, &t->core_bytes));
    t->drain = best(t->drain, refq_drain_rate(2 * BATCH));
    t->floor_both = best(t->floor_both, floor_sustained_rate());
    t->both = best(t->both, refq_sustained_rate(2 * BATCH));
    rqt_redis_clean();
    submit_all(tasks_n / 10);
    t->single = best(t->single, refq_drain_rate(1));
    measure_latencies(t);
}

static void print(const struct table *t)
{
    (void)printf(
        "%ld no-op tasks, batches of %d, one redis-server on a unix socket, best of %d\n\n",
        tasks_n, BATCH, rounds);
    (void)printf("%-16s %10s %10s %8s %15s %15s\n", "", "refq/s", "floor/s", "ratio",
                 "Redis us/task", "floor us/task");
    row("submit", t->submit, t->floor_submit);
    row("drain", t->drain, t->floor_drain);
    row("submit and run", t->both, t->floor_both);
    (void)printf("%-16s %10.0f %10s %8s %15.1f\n", "drain, 1 slot", t->single.rate, "-", "-",
                 t->single.redis_us);
    (void)printf("\nbytes of a queued task: %.0f in all keys, %.0f in its record and its entry\n",
                 t->bytes, t->core_bytes);
    (void)printf("idle fleet, median: submit %.0f us, submit to start of the handler %.0f us\n",
                 t->submit_us, t->start_us);
    (void)printf("  call to its answer %.0f us, of that handler to answer %.0f us\n", t->call_us,
                 t->answer_us);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"tasks", required_argument, NULL, 'n'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c = 0;
    while ((c = getopt_long(argc, argv, "n:r:h", options, NULL)) != -1) {
        if (c == 'n') {
            tasks_n = strtol(optarg, NULL, 10);
        } else if (c == 'r') {
            rounds = (int)strtol(optarg, NULL, 10);
        } else {
            (void)printf("Usage: bench_core [--tasks N] [--rounds N]   (default 50000, 3)\n");
            return c == 'h' ? 0 : 64;
        }
    }
    tasks_n = tasks_n / BATCH * BATCH;
    if (tasks_n < 10 * BATCH || rounds < 1) {
        (void)fprintf(stderr, "bench_core: at least %d tasks and 1 round\n", 10 * BATCH);
        return 64;
    }
    struct table table = {0};
    rqt_redis_start(NULL);
    floor_conn = redisConnectUnix(rqt_redis_url() + strlen("unix://"));
    for (int i = 0; i < rounds; i++) {
        measure_once(&table);
    }
    print(&table);
    redisFree(floor_conn);
    rqt_redis_stop();
    return 0;
}
