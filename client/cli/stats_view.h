/* SPDX-License-Identifier: MIT */
/* The numbers of a queue in the forms the commands show them. */
#ifndef CLI_STATS_VIEW_H
#define CLI_STATS_VIEW_H

#include "render.h"

#include <refq/client.h>

#include <jansson.h>

/* The object programs get: every number under its own name. NULL when out of memory. */
json_t *cli_stats_json(const refq_stats *stats);

/* Fills a table of two columns: what, and how many, with how fast it grew since `before` (may be
 * NULL: not known), which was taken span_ms earlier. */
void cli_stats_rows(cli_table *table, const refq_stats *stats, const refq_stats *before,
                    int64_t span_ms);

#endif
