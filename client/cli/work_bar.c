/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. Unlike the screen of `watch` it needs no thread: the command that
 * works draws while it works. It goes to stderr, so that what the command
 * prints may go to a file while a person sees how far it is.
 */
#include "work_bar.h"

#include "render.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_MS 100
#define CLEAR     "\r\x1b[K"

static bool wanted(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

static size_t window_width(void)
{
    struct winsize size = {0};
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return known ? size.ws_col : 80;
}

cli_work_bar cli_work_bar_start(const char *doing, int64_t total)
{
    return (cli_work_bar){
        .doing = doing, .total = total, .began_ms = rqi_mono_ms(), .on = wanted()};
}

static void draw(const cli_work_bar *w, int64_t done, int64_t now)
{
    rqi_buf line = {0};
    cli_bar bar = {.status = w->doing,
                   .message = "",
                   .current = done,
                   .total = w->total,
                   .rate = cli_meter_rate(&w->meter),
                   .eta_ms = cli_meter_eta(&w->meter, now),
                   .elapsed_ms = now - w->began_ms};
    rqi_buf_addc(&line, '\r');
    cli_bar_format(&line, &bar, window_width() - 1);
    rqi_buf_adds(&line, "\x1b[K");
    (void)!write(STDERR_FILENO, rqi_buf_str(&line), line.len);
    rqi_buf_done(&line);
}

void cli_work_bar_step(cli_work_bar *w, int64_t done)
{
    int64_t now = rqi_mono_ms();
    if (!w->on) {
        return;
    }
    cli_meter_update(&w->meter, 1, done, w->total, now - w->began_ms, now);
    if (now - w->drawn_ms >= REDRAW_MS) {
        w->drawn_ms = now;
        w->shown = true;
        draw(w, done, now);
    }
}

void cli_work_bar_clear(cli_work_bar *w)
{
    if (w->shown) {
        (void)!write(STDERR_FILENO, CLEAR, sizeof CLEAR - 1);
    }
    w->shown = false;
}
