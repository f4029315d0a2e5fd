/* SPDX-License-Identifier: MIT */
/* The text of a progress bar, and the rate and remaining time behind it. */
#ifndef CLI_PROGRESS_BAR_H
#define CLI_PROGRESS_BAR_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How fast one attempt goes. Zero-initialise. Times are monotonic milliseconds. */
typedef struct cli_meter {
    bool known;           /* there was progress */
    int64_t attempt;      /* the measured one */
    int64_t base_current; /* where measuring began ... */
    int64_t base_ms;      /* ... and when */
    int64_t current;
    int64_t total;      /* 0 = unknown */
    int64_t changed_ms; /* when current last changed */
} cli_meter;

/* Takes in progress seen at now_ms; running_ms is how long the attempt runs, -1 when not known. */
void cli_meter_update(cli_meter *meter, int64_t attempt, int64_t current, int64_t total,
                      int64_t running_ms, int64_t now_ms);

/* Units per second; 0 when not known yet. */
double cli_meter_rate(const cli_meter *meter);

/* Milliseconds until done at this rate; -1 when not known. */
int64_t cli_meter_eta(const cli_meter *meter, int64_t now_ms);

typedef struct cli_bar {
    const char *status;
    const char *message; /* clean text; "" = none */
    int64_t current;     /* -1 = no progress reported */
    int64_t total;       /* 0 = unknown */
    double rate;         /* units per second; 0 = unknown */
    int64_t eta_ms;      /* -1 = unknown */
    int64_t elapsed_ms;  /* since the task was queued, or since the attempt began; -1 = unknown */
} cli_bar;

/* Appends the bar as one line of at most `width` columns, without a line end:
 * processing   3/12   25%  [#######---------------------]  0.8/s  ETA 11s    page 3 */
void cli_bar_format(rqi_buf *out, const cli_bar *bar, size_t width);

#endif
