/* SPDX-License-Identifier: MIT */
/* The public calls of refq/preview.h: options checked, the strategy run, the result handed out. */
#include "base/error.h"
#include "json/portable.h"
#include "preview/job.h"

#include <stdlib.h>

static const struct strategy {
    const char *name;
    void (*run)(rqi_job *job);
} strategies[] = {[REFQ_PREVIEW_SAMPLE] = {"sample", rqi_job_sample},
                  [REFQ_PREVIEW_PAGINATE] = {"paginate", rqi_job_paginate},
                  [REFQ_PREVIEW_TRUNCATE] = {"truncate", rqi_job_truncate}};

#define N_STRATEGIES (sizeof strategies / sizeof strategies[0])

const char *refq_preview_strategy_name(refq_preview_strategy strategy)
{
    return (size_t)strategy < N_STRATEGIES ? strategies[strategy].name : "unknown";
}

/* --- Options ---------------------------------------------------------------------------------- */

static refq_err check_measure(const refq_measure *m, refq_error *err)
{
    if (m->unit != REFQ_UNIT_TOKENS && m->unit != REFQ_UNIT_CHARACTERS) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "unit %d is unknown; use REFQ_UNIT_TOKENS or REFQ_UNIT_CHARACTERS",
                        (int)m->unit);
    }
    return REFQ_OK;
}

static refq_err check_options(const refq_preview_options *o, refq_error *err)
{
    if (o->struct_size != sizeof *o) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "struct_size of the preview's options is %zu, not %zu", o->struct_size,
                        sizeof *o);
    }
    if ((size_t)o->strategy >= N_STRATEGIES) {
        return rqi_fail(err, REFQ_ERR_INVALID,
                        "preview strategy %d is unknown; use sample, paginate or truncate",
                        (int)o->strategy);
    }
    if (o->has_max_size && o->max_size < 0) {
        return rqi_fail(err, REFQ_ERR_INVALID, "max_size is %lld; it must be 0 or more",
                        (long long)o->max_size);
    }
    if (o->has_page && o->page < 1) {
        return rqi_fail(err, REFQ_ERR_INVALID, "page is %lld; pages are numbered from 1",
                        (long long)o->page);
    }
    if (o->has_page_size && o->page_size < 1) {
        return rqi_fail(err, REFQ_ERR_INVALID, "page_size is %lld; it must be 1 or more",
                        (long long)o->page_size);
    }
    return check_measure(&o->measure, err);
}

static refq_preview_strategy choose(const refq_preview_options *o)
{
    bool to_pages = o->has_page && o->strategy == REFQ_PREVIEW_SAMPLE;
    return to_pages ? REFQ_PREVIEW_PAGINATE : o->strategy;
}

/* --- Jobs ------------------------------------------------------------------------------------- */

static refq_err begin(rqi_job *job, refq_bytes value, const refq_measure *measure, bool want_items,
                      refq_error *err)
{
    *job = (rqi_job){.measure = *measure, .err = err};
    job->plain = measure->unit == REFQ_UNIT_CHARACTERS || measure->tokenizer == NULL;
    return rqi_pydoc_open(value, want_items, &job->doc, err);
}

static void set_limits(rqi_job *job, const refq_preview_options *o)
{
    job->budget = o->has_max_size ? o->max_size : REFQ_PREVIEW_MAX_SIZE;
    job->room = rqi_job_room(&job->measure, job->budget);
    job->page = o->has_page ? o->page : 0;
    job->page_size = o->has_page_size ? o->page_size : 0;
}

static void done(rqi_job *job)
{
    rqi_pydoc_done(&job->doc);
    rqi_buf_done(&job->trial);
    rqi_buf_done(&job->json);
}

/* The result in a form for strict parsers. */
static refq_err hand_out(rqi_job *job, refq_preview **ret)
{
    rqi_buf json = {0};
    refq_err rc = job->rc != REFQ_OK
                      ? job->rc
                      : rqi_portable_write(rqi_buf_bytes(&job->json), &json, job->err);
    if (rc != REFQ_OK) {
        rqi_buf_done(&json);
        return rc;
    }
    refq_preview *p = malloc(sizeof *p);
    if (p == NULL) {
        rqi_buf_done(&json);
        return rqi_fail(job->err, REFQ_ERR_NOMEM, "no memory for a preview");
    }
    *p = job->out;
    p->json = rqi_buf_take(&json, &p->len);
    *ret = p;
    return REFQ_OK;
}

refq_err refq_preview_make(refq_bytes value, const refq_preview_options *options,
                           refq_preview **ret, refq_error *err)
{
    static const refq_preview_options usual = {.struct_size = sizeof usual};
    const refq_preview_options *o = options != NULL ? options : &usual;
    refq_err rc = check_options(o, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_job job;
    rc = begin(&job, value, &o->measure, true, err);
    if (rc == REFQ_OK) {
        set_limits(&job, o);
        strategies[choose(o)].run(&job);
        rc = hand_out(&job, ret);
    }
    done(&job);
    return rc;
}

void refq_preview_free(refq_preview *preview)
{
    if (preview != NULL) {
        free(preview->json);
        free(preview);
    }
}

refq_err refq_preview_measure(refq_bytes value, const refq_measure *measure, int64_t *ret_size,
                              refq_error *err)
{
    static const refq_measure usual = {REFQ_UNIT_TOKENS, NULL, NULL};
    const refq_measure *m = measure != NULL ? measure : &usual;
    refq_err rc = check_measure(m, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    rqi_job job;
    rc = begin(&job, value, m, false, err);
    if (rc == REFQ_OK) {
        int64_t size = rqi_job_size_of_value(&job);
        rc = job.rc;
        *ret_size = rc == REFQ_OK ? size : *ret_size;
    }
    done(&job);
    return rc;
}
