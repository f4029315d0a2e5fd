/* SPDX-License-Identifier: MIT */
/* refq workers: the fleet as it is now. */
#include "cli.h"

#include "exit.h"
#include "out.h"
#include "task_view.h"
#include "text.h"

#include "base/clock.h"
#include "base/parse.h"

#include <string.h>

#define ID_SHOWN 8 /* hex digits: enough to tell a fleet's workers apart */

struct workers_options {
    const char *queue;
};

static const cli_option options[] = {
    {"queue", 'q', CLI_VALUE, "Q", offsetof(struct workers_options, queue), cli_read_text,
     "only the workers of this queue (default: of all queues)"},
};

/* --- For people ------------------------------------------------------------------------------- */

static const cli_column columns[] = {
    {"QUEUE", false}, {"ID", false},   {"HOST", false},   {"PID", true},
    {"STATE", false}, {"SLOTS", true}, {"RUNNING", true}, {"RSS", true},
    {"UPTIME", true}, {"LEASE", true}, {"OFFERS", false},
};

static cli_tone state_tone(const char *state)
{
    static const struct {
        const char *state;
        cli_tone tone;
    } tones[] = {{"running", CLI_GREEN}, {"draining", CLI_YELLOW}, {"lost", CLI_RED}};
    for (size_t i = 0; i < sizeof tones / sizeof tones[0]; i++) {
        if (strcmp(tones[i].state, state) == 0) {
            return tones[i].tone;
        }
    }
    return CLI_PLAIN;
}

static void add_uptime(cli_table *table, int64_t started_at)
{
    char span[CLI_TIME_MAX];
    int64_t up = rqi_wall_ms() - started_at;
    cli_table_add(table, CLI_PLAIN, "%s", rqi_format_duration(span, sizeof span, up > 0 ? up : 0));
}

static void add_lease(cli_table *table, int64_t left_ms)
{
    char span[CLI_TIME_MAX];
    bool over = left_ms < 0;
    cli_table_add(table, over ? CLI_RED : CLI_PLAIN, "%s%s", over ? "-" : "",
                  rqi_format_duration(span, sizeof span, over ? -left_ms : left_ms));
}

static void add_worker(cli_table *table, const refq_worker_info *w)
{
    char size[CLI_TIME_MAX];
    cli_table_add(table, CLI_PLAIN, "%s", w->queue);
    cli_table_add(table, CLI_PLAIN, "%.*s", ID_SHOWN, w->id);
    cli_table_add(table, CLI_PLAIN, "%s", w->host);
    cli_table_add(table, CLI_PLAIN, "%lld", (long long)w->pid);
    cli_table_add(table, state_tone(w->state), "%s", w->state);
    cli_table_add(table, CLI_PLAIN, "%lld", (long long)w->slots);
    cli_table_add(table, CLI_PLAIN, "%lld", (long long)w->running);
    cli_table_add(table, CLI_PLAIN, "%s", cli_text_size(size, w->rss_kb));
    add_uptime(table, w->started_at);
    add_lease(table, w->lease_left_ms);
    cli_table_add(table, CLI_PLAIN, "%s", w->offers != NULL ? w->offers : "");
}

static int show_table(const refq_worker_info *workers, size_t n, const char *queue)
{
    if (n == 0) {
        cli_note("no worker is known%s%s", queue != NULL ? " on queue " : "",
                 queue != NULL ? queue : "");
        return EX_OK;
    }
    cli_table table = cli_table_make(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < n; i++) {
        add_worker(&table, &workers[i]);
    }
    return cli_out_table(&table);
}

/* --- For programs ----------------------------------------------------------------------------- */

static json_t *offers_json(const char *offers)
{
    json_t *list = json_array();
    const char *at = offers != NULL ? offers : "";
    for (at += strspn(at, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        (void)json_array_append_new(list, json_stringn(at, len));
        at += len;
    }
    return list;
}

static json_t *worker_json(const refq_worker_info *w)
{
    return json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "queue",
                     w->queue, "id", w->id, "host", cli_text_json(w->host), "pid",
                     (json_int_t)w->pid, "version", cli_text_json(w->version), "state",
                     cli_text_json(w->state), "slots", (json_int_t)w->slots, "running",
                     (json_int_t)w->running, "rss_kb", (json_int_t)w->rss_kb, "started_at",
                     (json_int_t)w->started_at, "lease_left_ms", (json_int_t)w->lease_left_ms,
                     "offers", offers_json(w->offers));
}

static int show_json(const refq_worker_info *workers, size_t n)
{
    json_t *list = json_array();
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        failed |= json_array_append_new(list, worker_json(&workers[i]));
    }
    if (failed) {
        json_decref(list);
        list = NULL;
    }
    return cli_out_json(list);
}

/* --- The command ------------------------------------------------------------------------------ */

static int list(const cli_common *common, const char *queue)
{
    refq_client *client = NULL;
    refq_worker_info *workers = NULL;
    size_t n = 0;
    refq_error err = {0};
    int code = cli_connect(common, &client);
    if (code != EX_OK) {
        return code;
    }
    if (refq_client_workers(client, queue, &workers, &n, &err) != REFQ_OK) {
        code = cli_fail(&err);
    } else {
        code = common->json ? show_json(workers, n) : show_table(workers, n, queue);
    }
    refq_workers_free(workers, n);
    refq_client_close(client);
    return code;
}

static int run(const cli_common *common, const void *given, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct workers_options *opt = given;
    refq_error err = {0};
    if (opt->queue != NULL && refq_queue_check(opt->queue, &err) != REFQ_OK) {
        return cli_fail_as(EX_USAGE, "%s", err.text);
    }
    return list(common, opt->queue);
}

const cli_command cli_workers = {
    .name = "workers",
    .operands = "",
    .summary = "list the worker processes",
    .about = "Lists the workers, what they run now, and the tasks they offer. LEASE is how long a\n"
             "worker is still trusted to be alive; a negative one belongs to a lost worker.\n",
    .example = "refq workers --queue docs",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .options_size = sizeof(struct workers_options),
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
