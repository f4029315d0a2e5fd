/* SPDX-License-Identifier: MIT */
/*
 * refq dev: a server and a worker to try things with, gone when it ends.
 *
 * DESIGN. One loop: what the worker logs, what happens on the queues, whether
 * both still run, whether somebody wants it to end. The queues are those that
 * Redis knows: the task file is the worker's to read.
 */
#include "cli.h"

#include "dev_fleet.h"
#include "event_line.h"
#include "exit.h"
#include "out.h"
#include "text.h"

#include "base/clock.h"
#include "base/parse.h"
#include "client/raw.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUES_MAX 16
#define LOOK_MS    300
#define START_MS   15000
#define LINE_BYTES 4096

struct dev_options {
    const char *config;
    cli_number concurrency;
};

static refq_err read_slots(const char *text, void *target, refq_error *err)
{
    cli_number *slots = target;
    slots->given = true;
    return rqi_parse_int(text, 1, 4096, &slots->value, err);
}

static const cli_option options[] = {
    {"config", 'c', CLI_VALUE, "FILE", offsetof(struct dev_options, config), cli_read_text,
     "the task file (required)"},
    {"concurrency", 0, CLI_VALUE, "N", offsetof(struct dev_options, concurrency), read_slots,
     "tasks that run at a time (default: the number of CPUs)"},
};

/* Where the reading of one queue's events has got to. */
struct place {
    char queue[REFQ_QUEUE_MAX + 1];
    char *after; /* owned; NULL = from the start */
};

struct dev {
    bool json;
    cli_dev_fleet fleet;
    refq_client *client;
    struct place places[QUEUES_MAX];
    size_t n;
    rqi_buf log; /* the beginning of a line of the worker's */
};

static volatile sig_atomic_t stops; /* how often we were asked to */

static void on_stop(int number)
{
    (void)number;
    stops++;
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_stop};
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaction(numbers[i], &action, NULL);
    }
}

/* --- The worker's log ------------------------------------------------------------------------- */

static void show_log_line(const struct dev *d, const char *text, size_t len)
{
    rqi_buf line = {0};
    if (d->json) {
        rqi_buf valid = {0};
        cli_text_utf8(&valid, text, len);
        (void)cli_out_json(json_pack("{s:s}", "log", rqi_buf_str(&valid)));
        rqi_buf_done(&valid);
        return;
    }
    cli_paint(&line, cli_colour_wanted(1), CLI_CYAN, "worker");
    rqi_buf_adds(&line, "  ");
    cli_text_clean(&line, text, len);
    (void)cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
}

/* A line without an end is shown in pieces. */
static void show_lines(struct dev *d)
{
    size_t at = 0;
    for (;;) {
        const char *rest = rqi_buf_str(&d->log) + at;
        size_t left = d->log.len - at;
        const char *end = memchr(rest, '\n', left);
        if (end == NULL && left < LINE_BYTES) {
            break;
        }
        size_t len = end != NULL ? (size_t)(end - rest) : left;
        show_log_line(d, rest, len);
        at += len + (end != NULL);
    }
    rqi_buf_consume(&d->log, at);
}

static void read_log(struct dev *d)
{
    char chunk[LINE_BYTES];
    ssize_t n = 0;
    while (d->fleet.log_fd >= 0 && (n = read(d->fleet.log_fd, chunk, sizeof chunk)) > 0) {
        rqi_buf_add(&d->log, chunk, (size_t)n);
        show_lines(d);
    }
    if (n == 0 && d->fleet.log_fd >= 0) {
        (void)close(d->fleet.log_fd);
        d->fleet.log_fd = -1;
    }
}

/* Until the worker says something, or it is time to look at the queues. */
static void wait_for_log(struct dev *d)
{
    struct pollfd ready = {.fd = d->fleet.log_fd, .events = POLLIN};
    (void)poll(&ready, 1, LOOK_MS); /* a negative descriptor is passed over */
    read_log(d);
}

/* --- Events ----------------------------------------------------------------------------------- */

static struct place *place_of(struct dev *d, const char *queue)
{
    for (size_t i = 0; i < d->n; i++) {
        if (strcmp(d->places[i].queue, queue) == 0) {
            return &d->places[i];
        }
    }
    if (d->n == QUEUES_MAX) {
        return NULL;
    }
    struct place *p = &d->places[d->n++];
    (void)snprintf(p->queue, sizeof p->queue, "%.*s", REFQ_QUEUE_MAX, queue);
    return p;
}

static void read_events(struct dev *d, struct place *p)
{
    refq_events page = {0};
    refq_error err = {0};
    refq_events_query query = {.struct_size = sizeof query, .queue = p->queue, .after = p->after};
    if (refq_client_events(d->client, &query, &page, &err) != REFQ_OK) {
        return; /* the next look tells whether the server has ended */
    }
    for (size_t i = 0; i < page.n; i++) {
        (void)cli_event_show(&page.items[i], d->json);
    }
    free(p->after);
    p->after = page.next;
    page.next = NULL;
    refq_events_free(&page);
}

static void look_at_queues(struct dev *d)
{
    refq_texts names = {0};
    refq_error err = {0};
    if (refq_client_queues(d->client, &names, &err) != REFQ_OK) {
        return;
    }
    for (size_t i = 0; i < names.n; i++) {
        struct place *p = place_of(d, names.items[i]);
        if (p != NULL) {
            read_events(d, p);
        }
    }
    refq_texts_free(&names);
}

/* --- The run ---------------------------------------------------------------------------------- */

static bool answers(struct dev *d)
{
    static const char *const ping[] = {"PING"};
    refq_texts pong = {0};
    refq_error err = {0};
    bool good = rqi_client_raw(d->client, ping, 1, &pong, &err) == REFQ_OK;
    refq_texts_free(&pong);
    return good;
}

static int wait_for_server(struct dev *d)
{
    int64_t end = rqi_mono_ms() + START_MS;
    while (!answers(d)) {
        int code = cli_dev_fleet_check(&d->fleet);
        if (code != EX_OK || stops > 0) {
            return code;
        }
        if (rqi_mono_ms() > end) {
            return cli_fail_as(EX_UNAVAILABLE,
                               "redis-server does not answer; its log is %s/redis.log",
                               d->fleet.dir);
        }
        (void)poll(NULL, 0, 20);
    }
    return EX_OK;
}

static int show_url(const struct dev *d)
{
    rqi_buf line = {0};
    if (d->json) {
        return cli_out_json(json_pack("{s:s}", "redis", d->fleet.url));
    }
    rqi_buf_addf(&line, "export REFQ_REDIS=%s", d->fleet.url);
    (void)cli_out_line(rqi_buf_str(&line));
    rqi_buf_done(&line);
    return EX_OK;
}

static int follow(struct dev *d)
{
    int code = EX_OK;
    while (code == EX_OK && stops == 0 && !cli_out_broken()) {
        wait_for_log(d);
        look_at_queues(d);
        code = cli_dev_fleet_check(&d->fleet);
    }
    return code;
}

/* The first request lets what runs finish, the second cancels it, the third ends it at once. */
static void stop_worker(struct dev *d)
{
    int told = 0;
    while (cli_dev_fleet_works(&d->fleet)) {
        int wanted = stops > 1 ? (int)stops : 1;
        if (told < wanted) {
            told++;
            cli_dev_fleet_stop_worker(&d->fleet, told < 3 ? SIGTERM : SIGKILL);
        }
        wait_for_log(d);
        look_at_queues(d);
    }
    read_log(d);
}

static int run_dev(struct dev *d, const struct dev_options *opt)
{
    refq_redis_options redis = {.struct_size = sizeof redis, .url = d->fleet.url};
    refq_error err = {0};
    if (refq_client_open(&redis, &d->client, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    int code = wait_for_server(d);
    if (code == EX_OK && stops == 0) {
        code = cli_dev_fleet_work(&d->fleet, opt->config, (int)opt->concurrency.value);
    }
    code = code == EX_OK && stops == 0 ? show_url(d) : code;
    code = code == EX_OK ? follow(d) : code;
    read_log(d);
    stop_worker(d);
    return code;
}

static void free_dev(struct dev *d)
{
    refq_client_close(d->client);
    cli_dev_fleet_end(&d->fleet);
    for (size_t i = 0; i < d->n; i++) {
        free(d->places[i].after);
    }
    rqi_buf_done(&d->log);
}

/* The server asks for none, and one that is sent nevertheless is an error. */
static void forget_passwords(void)
{
    static const char *const names[] = {"REFQ_REDIS_USER", "REFQ_REDIS_PASSWORD",
                                        "REFQ_REDIS_PASSWORD_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct dev_options *opt = given;
    struct dev d = {.json = common->json};
    if (opt->config == NULL) {
        return cli_fail_as(EX_USAGE, "dev: --config FILE is missing (refq help dev)");
    }
    if (common->redis != NULL || common->prefix != NULL) {
        return cli_fail_as(EX_USAGE, "dev: it starts a server of its own; leave --redis and "
                                     "--prefix out");
    }
    if (access(opt->config, R_OK) != 0) {
        return cli_fail_as(EX_NOINPUT, "cannot read the task file %s", opt->config);
    }
    forget_passwords();
    catch_signals();
    int code = cli_dev_fleet_start(&d.fleet);
    code = code == EX_OK ? run_dev(&d, opt) : code;
    free_dev(&d);
    return code;
}

const cli_command cli_dev = {
    .name = "dev",
    .operands = "",
    .summary = "a server and a worker to try a task file with",
    .about =
        "Starts a private redis-server in a temporary folder and a worker with the task file,\n"
        "prints the line that makes other terminals use them, then the worker's log and what\n"
        "happens on the queues, until Ctrl-C. Everything is gone afterwards. A second Ctrl-C\n"
        "cancels what runs, a third ends at once.\n"
        "Exit status: 0 ended by Ctrl-C, 69 a program is not installed, else why the server or\n"
        "the worker has ended (78: a mistake in the task file).\n",
    .example = "refq dev --config tasks.yaml",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct dev_options),
    .max_operands = 0,
    .run = run,
};
