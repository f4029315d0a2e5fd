/* SPDX-License-Identifier: MIT */
/* The value's text as a string, cut to the budget. What is no string is cut as the JSON text that
 * it is, and measured as the string that shows this text. */
#include "preview/cut.h"
#include "preview/job.h"

static void truncate_other(rqi_job *job)
{
    rqi_buf quoted = {0};
    rqi_cut_quote_value(job, &quoted);
    job->out.original_size = rqi_job_size_of_text(job, &quoted);
    if (job->rc == REFQ_OK) {
        rqi_cut_to_budget(job, rqi_buf_bytes(&quoted), job->out.original_size, true);
    }
    bool cut = job->out.original_size > job->budget;
    bool items = rqi_job_is_container(job);
    job->out.total_items = items ? (int64_t)job->doc.n_items : -1;
    job->out.sampled_items = cut ? job->out.sampled_items : job->out.total_items;
    rqi_buf_done(&quoted);
}

void rqi_job_truncate(rqi_job *job)
{
    if (job->doc.kind != RQI_SCAN_STRING) {
        truncate_other(job);
        return;
    }
    job->out.original_size = rqi_job_size_of_value(job);
    rqi_cut_to_budget(job, job->doc.text, job->out.original_size, true);
}
