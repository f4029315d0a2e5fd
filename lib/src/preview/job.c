/* SPDX-License-Identifier: MIT */
#include "preview/job.h"

#include "base/error.h"
#include "json/pytext.h"

#define CHARS_PER_TOKEN 4

size_t rqi_job_room(const refq_measure *measure, int64_t budget)
{
    size_t most = (size_t)budget;
    if (measure->unit == REFQ_UNIT_CHARACTERS) {
        return most;
    }
    return most > SIZE_MAX / CHARS_PER_TOKEN ? SIZE_MAX : most * CHARS_PER_TOKEN;
}

int64_t rqi_job_size_of_chars(const refq_measure *measure, size_t chars)
{
    return (int64_t)(measure->unit == REFQ_UNIT_CHARACTERS
                         ? chars
                         : (chars + CHARS_PER_TOKEN - 1) / CHARS_PER_TOKEN);
}

static int64_t fail(rqi_job *job, refq_err rc, const char *why)
{
    if (job->rc == REFQ_OK) {
        job->rc = rqi_fail(job->err, rc, "%s", why);
    }
    return INT64_MAX;
}

int64_t rqi_job_size_of_text(rqi_job *job, const rqi_buf *text)
{
    if (text->err != REFQ_OK) {
        return fail(job, text->err, "no room for the text of a preview");
    }
    if (job->plain) {
        return rqi_job_size_of_chars(&job->measure, text->len);
    }
    size_t tokens = job->measure.tokenizer(job->measure.arg, rqi_buf_str(text), text->len);
    if (tokens >= INT64_MAX) {
        return fail(job, REFQ_ERR_UNSUPPORTED, "the tokenizer cannot count the value's tokens");
    }
    return (int64_t)tokens;
}

int64_t rqi_job_size_of_value(rqi_job *job)
{
    if (job->plain) {
        return rqi_job_size_of_chars(&job->measure, job->doc.chars);
    }
    rqi_buf_clear(&job->trial);
    rqi_render_value(&job->doc, 0, &rqi_pytext, &job->trial);
    return rqi_job_size_of_text(job, &job->trial);
}

bool rqi_job_is_container(const rqi_job *job)
{
    return job->doc.kind == RQI_SCAN_ARRAY || job->doc.kind == RQI_SCAN_OBJECT;
}

void rqi_job_write_items(const rqi_job *job, size_t i, size_t n, rqi_buf *out)
{
    bool object = job->doc.kind == RQI_SCAN_OBJECT;
    rqi_buf_addc(out, object ? '{' : '[');
    rqi_render_items(&job->doc, i, n, &rqi_pytext, out);
    rqi_buf_addc(out, object ? '}' : ']');
}
