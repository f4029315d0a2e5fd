/* SPDX-License-Identifier: MIT */
#include "preview/cut.h"

#include "json/pytext.h"

#include <string.h>

size_t rqi_cut_write(rqi_str *s, size_t n, const char *dots, rqi_buf *out)
{
    uint32_t c;
    size_t written = 0;
    rqi_buf_addc(out, '"');
    while (written < n && rqi_str_next(s, &c)) {
        rqi_str_add_py(out, c);
        written++;
    }
    rqi_buf_adds(out, dots);
    rqi_buf_addc(out, '"');
    return written;
}

static size_t fit_plain(const rqi_job *job, rqi_str s, size_t n, const char *dots)
{
    size_t chars = 2 + strlen(dots);
    uint32_t c;
    size_t fits = 0;
    while (fits < n && rqi_str_next(&s, &c)) {
        chars += rqi_str_py_width(c);
        if (chars > job->room) {
            break;
        }
        fits++;
    }
    return fits;
}

static bool fits(rqi_job *job, rqi_str s, size_t n, const char *dots)
{
    rqi_buf_clear(&job->trial);
    (void)rqi_cut_write(&s, n, dots, &job->trial);
    return rqi_job_size_of_text(job, &job->trial) <= job->budget;
}

size_t rqi_cut_fit(rqi_job *job, rqi_str s, size_t n, const char *dots)
{
    if (job->plain) {
        return fit_plain(job, s, n, dots);
    }
    size_t low = 0;
    size_t past = n + 1; /* candidates are from low up to here, without it */
    size_t best = 0;
    while (low < past && job->rc == REFQ_OK) {
        size_t mid = low + (past - 1 - low) / 2;
        if (fits(job, s, mid, dots)) {
            best = mid;
            low = mid + 1;
        } else {
            past = mid;
        }
    }
    return best;
}

void rqi_cut_to_budget(rqi_job *job, refq_bytes string, int64_t original, bool always)
{
    size_t len = rqi_str_len(string);
    rqi_str s = rqi_str_open(string);
    bool whole = original <= job->budget;
    size_t n = whole ? len : rqi_cut_fit(job, s, len, RQI_CUT_DOTS);
    bool dots = !whole && (always || n < len);
    (void)rqi_cut_write(&s, dots ? n : len, dots ? RQI_CUT_DOTS : "", &job->json);
    job->out.strategy = REFQ_PREVIEW_TRUNCATE;
    job->out.preview_size = whole ? original : rqi_job_size_of_text(job, &job->json);
    job->out.total_items = (int64_t)len;
    job->out.sampled_items = (int64_t)n;
    job->out.complete = !dots && job->doc.kind == RQI_SCAN_STRING;
}

void rqi_cut_quote_value(rqi_job *job, rqi_buf *out)
{
    rqi_buf_clear(&job->trial);
    rqi_render_value(&job->doc, 0, &rqi_pytext, &job->trial);
    rqi_buf_addc(out, '"');
    for (size_t i = 0; i < job->trial.len; i++) {
        rqi_str_add_py(out, (unsigned char)job->trial.ptr[i]);
    }
    rqi_buf_addc(out, '"');
    if (job->trial.err != REFQ_OK && out->err == REFQ_OK) {
        out->err = job->trial.err;
    }
}
