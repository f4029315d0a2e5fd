/* SPDX-License-Identifier: MIT */
/*
 * Evenly spaced items.
 *
 * DESIGN. The numbers are those of mcp-refcache's sampler, to the item: a
 * binary search over how many, the answer beginning at one item even when that
 * is too large, and the i-th of m among n at i * (n-1)/(m-1), a double, rounded
 * half to even.
 */
#include "json/pytext.h"
#include "preview/cut.h"
#include "preview/job.h"

#include <math.h>

static size_t place(size_t i, size_t count, size_t n)
{
    if (count >= n || count == 1) {
        return i;
    }
    double step = (double)(n - 1) / (double)(count - 1);
    return (size_t)rint((double)i * step);
}

static void write_sample(const rqi_job *job, size_t count, rqi_buf *out)
{
    bool object = job->doc.kind == RQI_SCAN_OBJECT;
    rqi_buf_addc(out, object ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        rqi_buf_adds(out, i != 0 ? rqi_pytext.comma : "");
        rqi_render_items(&job->doc, place(i, count, job->doc.n_items), 1, &rqi_pytext, out);
    }
    rqi_buf_addc(out, object ? '}' : ']');
}

static bool fits_plain(const rqi_job *job, size_t count)
{
    size_t chars = 2 * count; /* both brackets, and two characters between items */
    for (size_t i = 0; i < count && chars <= job->room; i++) {
        chars += job->doc.items[place(i, count, job->doc.n_items)].chars;
    }
    return chars <= job->room;
}

static bool fits(rqi_job *job, size_t count)
{
    if (job->plain) {
        return fits_plain(job, count);
    }
    rqi_buf_clear(&job->trial);
    write_sample(job, count, &job->trial);
    return rqi_job_size_of_text(job, &job->trial) <= job->budget;
}

static size_t search(rqi_job *job)
{
    size_t low = 1;
    size_t high = job->doc.n_items;
    size_t best = 1;
    while (low <= high && job->rc == REFQ_OK) {
        size_t mid = low + (high - low) / 2;
        if (fits(job, mid)) {
            best = mid;
            low = mid + 1;
        } else {
            high = mid - 1;
        }
    }
    return best;
}

static void sample_items(rqi_job *job)
{
    size_t n = job->doc.n_items;
    size_t count = n == 0 || job->out.original_size <= job->budget ? n : search(job);
    write_sample(job, count, &job->json);
    job->out.strategy = REFQ_PREVIEW_SAMPLE;
    job->out.preview_size = rqi_job_size_of_text(job, &job->json);
    job->out.total_items = (int64_t)n;
    job->out.sampled_items = (int64_t)count;
    job->out.complete = count == n;
}

static void sample_scalar(rqi_job *job)
{
    if (job->out.original_size > job->budget) {
        rqi_buf quoted = {0};
        rqi_cut_quote_value(job, &quoted);
        if (rqi_job_size_of_text(job, &quoted) != INT64_MAX) {
            rqi_cut_to_budget(job, rqi_buf_bytes(&quoted), job->out.original_size, false);
        }
        rqi_buf_done(&quoted);
        return;
    }
    rqi_render_value(&job->doc, 0, &rqi_pytext, &job->json);
    job->out.strategy = REFQ_PREVIEW_SAMPLE;
    job->out.preview_size = job->out.original_size;
    job->out.total_items = -1;
    job->out.sampled_items = -1;
    job->out.complete = 1;
}

void rqi_job_sample(rqi_job *job)
{
    job->out.original_size = rqi_job_size_of_value(job);
    if (rqi_job_is_container(job)) {
        sample_items(job);
    } else if (job->doc.kind == RQI_SCAN_STRING) {
        rqi_cut_to_budget(job, job->doc.text, job->out.original_size, false);
    } else {
        sample_scalar(job);
    }
}
