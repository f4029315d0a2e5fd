/* SPDX-License-Identifier: MIT */
/* What is wrong with a queue that a person would want to know. */
#include "doctor.h"

#include "exit.h"
#include "offer_check.h"
#include "pages.h"

#include "base/buf.h"
#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG_MS   (INT64_C(10) * 60 * 1000)
#define FULL_PERCENT 90
#define LOOKED_MAX   1000 /* waiting tasks whose names are looked at */
#define NAMES_MAX    64

/* --- Who works -------------------------------------------------------------------------------- */

struct fleet {
    const refq_worker_info *workers;
    size_t n;
};

static bool is_offered(const struct fleet *fleet, const char *task)
{
    for (size_t i = 0; i < fleet->n; i++) {
        if (fleet->workers[i].lease_left_ms > 0 && cli_offers(&fleet->workers[i], task)) {
            return true;
        }
    }
    return false;
}

static int count_lost(const struct fleet *fleet)
{
    int n = 0;
    for (size_t i = 0; i < fleet->n; i++) {
        n += fleet->workers[i].lease_left_ms <= 0;
    }
    return n;
}

static void check_workers(const refq_stats *s, const struct fleet *fleet, const char *check,
                          cli_findings *f)
{
    int lost = count_lost(fleet);
    if (s->workers == 0 && s->pending > 0) {
        cli_findings_add(f, CLI_FAIL, check, "nobody runs them",
                         "start a refq-worker for the queue", "%lld task%s and no worker is alive",
                         (long long)s->pending, s->pending == 1 ? " waits" : "s wait");
    } else if (s->workers == 0) {
        cli_findings_add(f, CLI_WARN, check, "tasks that come will wait",
                         "start a refq-worker for the queue", "no worker is alive");
    }
    if (lost > 0) {
        cli_findings_add(f, CLI_WARN, check, "it crashed, hangs, or cannot reach the server",
                         "look at its log; another worker takes its tasks over",
                         "the lease of %d worker%s has run out", lost, lost == 1 ? "" : "s");
    }
}

/* --- What waits ------------------------------------------------------------------------------- */

static void check_flow(const refq_stats *s, const char *check, cli_findings *f)
{
    char span[32];
    char fix[REFQ_QUEUE_MAX + 96];
    if (s->paused) {
        (void)snprintf(fix, sizeof fix, "refq resume --queue %s", s->queue);
        cli_findings_add(f, CLI_WARN, check, "nothing of it is handed out", fix,
                         "the queue is paused");
    } else if (s->oldest_ms > BACKLOG_MS && s->workers > 0) {
        cli_findings_add(f, CLI_WARN, check, "the fleet does not keep up",
                         "more workers or slots, or fewer tasks (refq limit --max-pending)",
                         "the oldest of %lld ready tasks has waited %s", (long long)s->ready,
                         rqi_format_duration(span, sizeof span, s->oldest_ms));
    }
    if (s->max_pending > 0 && s->pending * 100 >= s->max_pending * FULL_PERCENT) {
        cli_findings_add(f, CLI_WARN, check, "beyond the limit submits are refused",
                         "more workers, or a higher limit (refq limit)",
                         "%lld of at most %lld tasks wait", (long long)s->pending,
                         (long long)s->max_pending);
    }
    if (s->dead > 0) {
        (void)snprintf(fix, sizeof fix, "refq dead list --queue %s, then refq dead replay or purge",
                       s->queue);
        cli_findings_add(f, CLI_WARN, check, "they failed for good and go after 7 days", fix,
                         "%lld dead letter%s", (long long)s->dead, s->dead == 1 ? "" : "s");
    }
}

/* Names of waiting tasks that nobody offers, each once. */
struct orphans {
    const struct fleet *fleet;
    char names[NAMES_MAX][REFQ_NAME_MAX + 1];
    size_t n;
    int64_t tasks;
};

static bool is_known(const struct orphans *o, const char *name)
{
    for (size_t i = 0; i < o->n; i++) {
        if (strcmp(o->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int look_at(void *arg, const refq_task *task)
{
    struct orphans *o = arg;
    const char *name = refq_task_field(task, "task");
    if (name == NULL || is_offered(o->fleet, name)) {
        return EX_OK;
    }
    o->tasks++;
    if (!is_known(o, name) && o->n < NAMES_MAX) {
        (void)snprintf(o->names[o->n++], sizeof o->names[0], "%.*s", REFQ_NAME_MAX, name);
    }
    return EX_OK;
}

static void check_orphans(refq_client *client, const refq_stats *s, const struct fleet *fleet,
                          const char *check, cli_findings *f)
{
    struct orphans o = {.fleet = fleet};
    cli_pages pages = {
        .query = {.struct_size = sizeof pages.query, .queue = s->queue, .status = REFQ_PENDING},
        .limit = LOOKED_MAX};
    rqi_buf names = {0};
    if (s->workers == 0 || s->pending == 0) {
        return; /* said already, or nothing to say */
    }
    if (cli_pages_each(client, &pages, look_at, &o) == EX_OK && o.tasks > 0) {
        for (size_t i = 0; i < o.n; i++) {
            rqi_buf_addf(&names, "%s%s", i > 0 ? ", " : "", o.names[i]);
        }
        cli_findings_add(f, CLI_FAIL, check, "they wait until a worker offers them",
                         "start a worker with these tasks, or cancel them",
                         "%lld waiting tasks are of a kind no live worker offers: %s",
                         (long long)o.tasks, rqi_buf_str(&names));
    }
    rqi_buf_done(&names);
    cli_pages_done(&pages);
}

/* --- The queue -------------------------------------------------------------------------------- */

static void check_one(refq_client *client, const refq_stats *s, const struct fleet *fleet,
                      cli_findings *f)
{
    char check[REFQ_QUEUE_MAX + 8];
    int before = f->n[CLI_WARN] + f->n[CLI_FAIL];
    (void)snprintf(check, sizeof check, "queue %s", s->queue);
    check_workers(s, fleet, check, f);
    check_flow(s, check, f);
    check_orphans(client, s, fleet, check, f);
    if (f->n[CLI_WARN] + f->n[CLI_FAIL] == before) {
        cli_findings_add(f, CLI_FINE, check, NULL, NULL,
                         "%lld waiting, %lld running, %lld worker%s", (long long)s->pending,
                         (long long)s->processing, (long long)s->workers,
                         s->workers == 1 ? "" : "s");
    }
}

void cli_doctor_queue(refq_client *client, const char *queue, cli_findings *f)
{
    refq_stats stats = {.struct_size = sizeof stats};
    refq_worker_info *workers = NULL;
    size_t n = 0;
    refq_error err = {0};
    if (refq_client_stats(client, queue, &stats, &err) != REFQ_OK ||
        refq_client_workers(client, queue, &workers, &n, &err) != REFQ_OK) {
        cli_findings_add(f, CLI_FAIL, "queue", "it cannot be used", "the message says what to do",
                         "%s: %s", queue, err.text);
        return;
    }
    struct fleet fleet = {workers, n};
    check_one(client, &stats, &fleet, f);
    refq_workers_free(workers, n);
}
