/* SPDX-License-Identifier: MIT */
#include "stats_view.h"

#include "base/parse.h"

#include <stddef.h>
#include <stdio.h>

typedef struct stats_row stats_row;

struct stats_row {
    const char *name; /* in JSON, and the label but for the two below */
    size_t offset;
    const char *label; /* NULL = the name */
    cli_tone tone;     /* of a number that is not 0 */
    bool since;        /* it only grows, so it has a rate */
};

#define NUMBER(name) #name, offsetof(refq_stats, name)

/* clang-format off */
static const stats_row rows[] = {
    {NUMBER(pending), NULL, CLI_YELLOW, false},
    {NUMBER(ready), "  ready", CLI_PLAIN, false},
    {NUMBER(delayed), "  delayed", CLI_PLAIN, false},
    {NUMBER(held), "  held", CLI_PLAIN, false},
    {NUMBER(processing), NULL, CLI_CYAN, false},
    {NUMBER(dead), NULL, CLI_RED, false},
    {NUMBER(workers), NULL, CLI_PLAIN, false},
    {NUMBER(idle), "  idle", CLI_PLAIN, false},
    {NUMBER(submitted), NULL, CLI_PLAIN, true},
    {NUMBER(complete), NULL, CLI_GREEN, true},
    {NUMBER(failed), NULL, CLI_RED, true},
    {NUMBER(cancelled), NULL, CLI_MAGENTA, true},
    {NUMBER(retries), NULL, CLI_PLAIN, true},
    {NUMBER(deaths), NULL, CLI_RED, true},
    {NUMBER(releases), NULL, CLI_PLAIN, true},
};
/* clang-format on */

#define N_ROWS (sizeof rows / sizeof rows[0])

static int64_t number_of(const refq_stats *stats, const stats_row *row)
{
    return *(const int64_t *)(const void *)((const char *)stats + row->offset);
}

json_t *cli_stats_json(const refq_stats *stats)
{
    json_t *json = json_object();
    int failed = json_object_set_new(json, "queue", json_string(stats->queue));
    failed |= json_object_set_new(json, "paused", json_boolean(stats->paused));
    for (size_t i = 0; i < N_ROWS; i++) {
        json_t *number = json_integer((json_int_t)number_of(stats, &rows[i]));
        failed |= json_object_set_new(json, rows[i].name, number);
    }
    failed |= json_object_set_new(json, "oldest_ms", json_integer((json_int_t)stats->oldest_ms));
    failed |=
        json_object_set_new(json, "max_pending", json_integer((json_int_t)stats->max_pending));
    failed |= json_object_set_new(json, "now_ms", json_integer((json_int_t)stats->now_ms));
    if (failed) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* The number, and how fast it grows. */
static void add_number(cli_table *table, const stats_row *row, int64_t now,
                       const refq_stats *before, int64_t span_ms)
{
    int64_t grown = before != NULL ? now - number_of(before, row) : 0;
    cli_tone tone = now != 0 ? row->tone : CLI_PLAIN;
    if (!row->since || grown <= 0 || span_ms <= 0) {
        cli_table_add(table, tone, "%lld", (long long)now);
        return;
    }
    cli_table_add(table, tone, "%lld (%.1f/s)", (long long)now,
                  (double)grown * 1000.0 / (double)span_ms);
}

static void add_text(cli_table *table, const char *label, cli_tone tone, const char *text)
{
    cli_table_add(table, CLI_BOLD, "%s", label);
    cli_table_add(table, tone, "%s", text);
}

void cli_stats_rows(cli_table *table, const refq_stats *stats, const refq_stats *before,
                    int64_t span_ms)
{
    char text[32];
    add_text(table, "queue", CLI_PLAIN, stats->queue);
    add_text(table, "state", stats->paused ? CLI_YELLOW : CLI_PLAIN,
             stats->paused ? "paused" : "open");
    for (size_t i = 0; i < N_ROWS; i++) {
        int64_t now = number_of(stats, &rows[i]);
        cli_table_add(table, CLI_BOLD, "%s", rows[i].label != NULL ? rows[i].label : rows[i].name);
        add_number(table, &rows[i], now, before, span_ms);
    }
    if (stats->oldest_ms > 0) {
        add_text(table, "oldest ready", CLI_PLAIN,
                 rqi_format_duration(text, sizeof text, stats->oldest_ms));
    }
    if (stats->max_pending > 0) {
        (void)snprintf(text, sizeof text, "%lld", (long long)stats->max_pending);
        add_text(table, "max pending", CLI_PLAIN, text);
    }
}
