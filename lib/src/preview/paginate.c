/* SPDX-License-Identifier: MIT */
/*
 * One page after the other.
 *
 * DESIGN. mcp-refcache cuts a page that exceeds the budget and never shows the
 * items it cut. Here a page ends where the budget does and the next begins
 * there; a part that alone is too large has a page of its own. So where a page
 * begins depends on all before it: the whole value is walked for every page
 * asked for, adding up known sizes, which costs little next to reading it.
 * With a tokenizer the number of parts is searched from the one of the page
 * before, doubling the distance, so that no page is measured against the rest
 * of the value. Strings are walked by characters in the same way; other
 * scalars are one page.
 */
#include "json/pytext.h"
#include "preview/cut.h"
#include "preview/job.h"

/* Items of a container, or characters of a string. */
struct walk {
    rqi_job *job;
    size_t at;    /* parts before this page */
    size_t n;     /* parts of the value */
    size_t most;  /* parts of a page */
    size_t guess; /* parts of the page before */
    rqi_str text; /* a string's characters from here on */
    size_t (*fit_plain)(struct walk *w, size_t most);
    void (*write)(struct walk *w, size_t count, rqi_buf *out);
    void (*advance)(struct walk *w, size_t count);
};

/* --- Items ------------------------------------------------------------------------------------ */

static size_t fit_items(struct walk *w, size_t most)
{
    const rqi_pyitem *items = w->job->doc.items + w->at;
    size_t chars = 0; /* two for each item: the brackets, and what is between */
    size_t count = 0;
    while (count < most && (chars += 2 + items[count].chars) <= w->job->room) {
        count++;
    }
    return count;
}

static void write_items(struct walk *w, size_t count, rqi_buf *out)
{
    rqi_job_write_items(w->job, w->at, count, out);
}

static void advance_items(struct walk *w, size_t count)
{
    w->at += count;
}

/* --- Characters ------------------------------------------------------------------------------- */

static size_t fit_chars(struct walk *w, size_t most)
{
    return rqi_cut_fit(w->job, w->text, most, "");
}

static void write_chars(struct walk *w, size_t count, rqi_buf *out)
{
    rqi_str s = w->text;
    (void)rqi_cut_write(&s, count, "", out);
}

static void advance_chars(struct walk *w, size_t count)
{
    uint32_t c;
    w->at += count;
    for (size_t i = 0; i < count; i++) {
        (void)rqi_str_next(&w->text, &c);
    }
}

/* --- Pages ------------------------------------------------------------------------------------ */

static bool fits(struct walk *w, size_t count)
{
    rqi_job *job = w->job;
    rqi_buf_clear(&job->trial);
    w->write(w, count, &job->trial);
    return rqi_job_size_of_text(job, &job->trial) <= job->budget;
}

/* The most that fits, at least 1, sought outwards from the guess and then between. */
static size_t search(struct walk *w, size_t most)
{
    size_t step = 1;
    size_t low = 1; /* fits, or is one */
    size_t high = w->guess < most ? w->guess : most;
    while (high > low && !fits(w, high)) {
        most = high - 1;
        high = high > step + 1 ? high - step : 1;
        step *= 2;
    }
    low = high;
    for (step = 1; low < most && w->job->rc == REFQ_OK; step *= 2) {
        size_t next = most - low > step ? low + step : most;
        if (!fits(w, next)) {
            most = next - 1;
            break;
        }
        low = next;
    }
    while (low < most && w->job->rc == REFQ_OK) {
        size_t mid = low + (most - low + 1) / 2;
        bool ok = fits(w, mid);
        low = ok ? mid : low;
        most = ok ? most : mid - 1;
    }
    return low;
}

/* Parts of the page that begins here. */
static size_t page_len(struct walk *w)
{
    size_t left = w->n - w->at;
    size_t most = left < w->most ? left : w->most;
    size_t count = w->job->plain ? w->fit_plain(w, most) : search(w, most);
    w->guess = count > 1 ? count : 1;
    return w->guess;
}

static void put_page(struct walk *w, size_t count)
{
    rqi_job *job = w->job;
    w->write(w, count, &job->json);
    job->out.preview_size = rqi_job_size_of_text(job, &job->json);
    job->out.sampled_items = (int64_t)count;
}

static void walk_pages(struct walk *w)
{
    rqi_job *job = w->job;
    int64_t pages = 0;
    bool found = false;
    while (w->at < w->n && job->rc == REFQ_OK) {
        size_t count = page_len(w);
        pages++;
        if (pages == job->page) {
            put_page(w, count);
            found = true;
        }
        w->advance(w, count);
    }
    if (!found) {
        put_page(w, 0);
    }
    job->out.total_pages = pages;
    job->out.complete = found ? pages == 1 : pages == 0;
}

static size_t page_size(const rqi_job *job, size_t otherwise)
{
    if (job->page_size == 0) {
        return otherwise;
    }
    return (uint64_t)job->page_size > SIZE_MAX ? SIZE_MAX : (size_t)job->page_size;
}

static void paginate_items(rqi_job *job)
{
    struct walk w = {.job = job,
                     .n = job->doc.n_items,
                     .most = page_size(job, REFQ_PREVIEW_PAGE_SIZE),
                     .guess = REFQ_PREVIEW_PAGE_SIZE,
                     .fit_plain = fit_items,
                     .write = write_items,
                     .advance = advance_items};
    job->out.total_items = (int64_t)w.n;
    walk_pages(&w);
}

/* An empty string is one page: it is a value like others. */
static void paginate_string(rqi_job *job)
{
    struct walk w = {.job = job,
                     .n = rqi_str_len(job->doc.text),
                     .most = page_size(job, SIZE_MAX),
                     .guess = rqi_job_room(&(refq_measure){0}, job->budget),
                     .text = rqi_str_open(job->doc.text),
                     .fit_plain = fit_chars,
                     .write = write_chars,
                     .advance = advance_chars};
    job->out.total_items = (int64_t)w.n;
    w.guess = w.guess > 0 ? w.guess : 1;
    walk_pages(&w);
    job->out.total_pages += w.n == 0;
}

static void paginate_scalar(rqi_job *job)
{
    rqi_render_value(&job->doc, 0, &rqi_pytext, &job->json);
    job->out.preview_size = job->out.original_size;
    job->out.total_items = 1;
    job->out.sampled_items = 1;
    job->out.total_pages = 1;
    job->out.complete = 1;
    job->page = 1;
}

void rqi_job_paginate(rqi_job *job)
{
    job->page = job->page != 0 ? job->page : 1;
    job->out.original_size = rqi_job_size_of_value(job);
    if (rqi_job_is_container(job)) {
        paginate_items(job);
    } else if (job->doc.kind == RQI_SCAN_STRING) {
        paginate_string(job);
    } else {
        paginate_scalar(job);
    }
    job->out.strategy = REFQ_PREVIEW_PAGINATE;
    job->out.page = job->page;
}
