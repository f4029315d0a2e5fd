/* SPDX-License-Identifier: MIT */
/* A progress bar for the long work of a command itself: on stderr, on a terminal only. */
#ifndef CLI_WORK_BAR_H
#define CLI_WORK_BAR_H

#include "progress_bar.h"

typedef struct cli_work_bar {
    const char *doing; /* borrowed: "removing" */
    int64_t total;     /* 0 = unknown */
    int64_t began_ms;
    int64_t drawn_ms; /* when last drawn */
    cli_meter meter;
    bool on;    /* there is a terminal */
    bool shown; /* the line is on the screen */
} cli_work_bar;

cli_work_bar cli_work_bar_start(const char *doing, int64_t total);

/* Shows that `done` units are done; draws at most ten times a second. */
void cli_work_bar_step(cli_work_bar *bar, int64_t done);

/* Clears the line, so that other lines may follow. */
void cli_work_bar_clear(cli_work_bar *bar);

#endif
