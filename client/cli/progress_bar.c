/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. The rate is the mean since the attempt began: steps of real tasks
 * (pages, rows) vary, and a mean settles where a momentary rate would jump. It
 * is measured up to the last change, so that the remaining time counts down
 * while a step takes long instead of growing. Plain ASCII: it looks the same on
 * every terminal and in every font. When the line gets narrow the message is
 * cut first, then the bar goes, and the numbers stay longest.
 */
#include "progress_bar.h"

#include "text.h"

#include "base/parse.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BAR_MAX 30 /* columns between the brackets */
#define BAR_MIN 8  /* fewer say nothing */
#define MESSAGE_MIN \
    24                /* columns the bar leaves to the message when there are not enough for both */
#define PACE_MIN   18 /* columns of rate and time, so that the message does not dance */
#define ETA_MAX_MS (100.0 * 24 * 3600 * 1000)

/* --- Rate ------------------------------------------------------------------------------------- */

static void restart(cli_meter *m, int64_t attempt, int64_t current, int64_t running_ms,
                    int64_t now_ms)
{
    bool from_start = running_ms >= 0;
    *m = (cli_meter){.known = true,
                     .attempt = attempt,
                     .base_current = from_start ? 0 : current,
                     .base_ms = from_start ? now_ms - running_ms : now_ms,
                     .current = current,
                     .changed_ms = now_ms};
}

void cli_meter_update(cli_meter *m, int64_t attempt, int64_t current, int64_t total,
                      int64_t running_ms, int64_t now_ms)
{
    if (!m->known || attempt != m->attempt || current < m->current) {
        restart(m, attempt, current, running_ms, now_ms);
    } else if (current != m->current) {
        m->current = current;
        m->changed_ms = now_ms;
    }
    m->total = total;
}

double cli_meter_rate(const cli_meter *m)
{
    int64_t span_ms = m->changed_ms - m->base_ms;
    int64_t done = m->current - m->base_current;
    return m->known && span_ms > 0 && done > 0 ? (double)done * 1000.0 / (double)span_ms : 0;
}

int64_t cli_meter_eta(const cli_meter *m, int64_t now_ms)
{
    double rate = cli_meter_rate(m);
    if (rate <= 0 || m->total <= 0) {
        return -1;
    }
    double left = (double)(m->total > m->current ? m->total - m->current : 0);
    double eta = left * 1000.0 / rate - (double)(now_ms - m->changed_ms);
    return eta > ETA_MAX_MS ? -1 : eta < 0 ? 0 : (int64_t)eta;
}

/* --- Text ------------------------------------------------------------------------------------- */

static void add_count(rqi_buf *out, const cli_bar *bar)
{
    if (bar->current < 0) {
        return;
    }
    if (bar->total <= 0) {
        rqi_buf_addf(out, "  %lld", (long long)bar->current);
        return;
    }
    int digits = snprintf(NULL, 0, "%lld", (long long)bar->total);
    double part = (double)bar->current / (double)bar->total;
    int percent = part >= 1 ? 100 : (int)(part * 100);
    rqi_buf_addf(out, "  %*lld/%lld  %3d%%", digits, (long long)bar->current, (long long)bar->total,
                 percent);
}

/* Whole seconds from one second on: tenths that change with each redraw only distract. */
static void add_span(rqi_buf *out, const char *label, int64_t ms)
{
    char text[CLI_TIME_MAX];
    if (ms < 60000) {
        rqi_buf_addf(out, "  %s%llds", label, (long long)(ms / 1000));
    } else {
        rqi_buf_addf(out, "  %s%s", label, rqi_format_duration(text, sizeof text, ms));
    }
}

static void add_rate(rqi_buf *out, double rate)
{
    if (rate >= 0.1) {
        rqi_buf_addf(out, rate < 100 ? "  %.1f/s" : "  %.0f/s", rate);
    } else {
        rqi_buf_addf(out, "  %.1f/min", rate * 60);
    }
}

static void add_pace(rqi_buf *out, const cli_bar *bar)
{
    if (bar->rate > 0) {
        add_rate(out, bar->rate);
    }
    if (bar->eta_ms >= 0) {
        add_span(out, "ETA ", bar->eta_ms);
    } else if (bar->elapsed_ms >= 0) {
        add_span(out, "", bar->elapsed_ms);
    }
    while (bar->current >= 0 && bar->message[0] != '\0' && out->len < PACE_MIN) {
        rqi_buf_addc(out, ' ');
    }
}

/* Columns between the brackets, 0 when there is no room; `room` is what numbers leave free. */
static size_t bar_columns(const cli_bar *bar, size_t room)
{
    size_t message = strlen(bar->message) > 0 ? MESSAGE_MIN : 0;
    size_t around = strlen("  []") + message;
    if (bar->total <= 0 || bar->current < 0 || room < around + BAR_MIN) {
        return 0;
    }
    return room - around < BAR_MAX ? room - around : BAR_MAX;
}

static void add_bar(rqi_buf *out, const cli_bar *bar, size_t columns)
{
    if (columns == 0) {
        return;
    }
    double part = fmin(1, (double)bar->current / (double)bar->total);
    size_t filled = (size_t)(part * (double)columns);
    rqi_buf_adds(out, "  [");
    for (size_t i = 0; i < columns; i++) {
        rqi_buf_addc(out, i < filled ? '#' : '-');
    }
    rqi_buf_addc(out, ']');
}

void cli_bar_format(rqi_buf *out, const cli_bar *bar, size_t width)
{
    rqi_buf line = {0};
    rqi_buf pace = {0};
    rqi_buf_adds(&line, bar->status);
    add_count(&line, bar);
    add_pace(&pace, bar);
    size_t numbers = line.len + pace.len;
    add_bar(&line, bar, bar_columns(bar, width > numbers ? width - numbers : 0));
    rqi_buf_add(&line, rqi_buf_str(&pace), pace.len);
    if (bar->message[0] != '\0' && line.len + 2 < width) {
        rqi_buf_adds(&line, "  ");
        rqi_buf_adds(&line, bar->message);
    }
    cli_text_fit(out, rqi_buf_str(&line), width);
    rqi_buf_done(&pace);
    rqi_buf_done(&line);
}
