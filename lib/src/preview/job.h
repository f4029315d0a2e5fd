/* SPDX-License-Identifier: MIT */
/*
 * One preview in the making: the value, the budget, and what has come out.
 *
 * DESIGN. Without a tokenizer a size follows from a number of characters, and
 * those of the items are known from the first pass: then candidates are sums,
 * and no text is written but the result ("plain"). With a tokenizer every
 * candidate is written and counted; the searches are those of mcp-refcache,
 * whose first candidates are the large ones, halving from there. A failure is
 * sticky: sizes are then too large for any budget, so that searches end.
 */
#ifndef RQI_PREVIEW_JOB_H
#define RQI_PREVIEW_JOB_H

#include "base/buf.h"
#include "json/pydoc.h"

#include <refq/preview.h>

typedef struct rqi_job {
    rqi_pydoc doc;
    refq_measure measure;
    bool plain;        /* no tokenizer: sizes follow from numbers of characters */
    int64_t budget;    /* in the measure's unit */
    size_t room;       /* plain: so many characters fit */
    int64_t page;      /* from 1; 0 = none asked for */
    int64_t page_size; /* from 1; 0 = none asked for */
    rqi_buf trial;     /* a candidate's text */
    rqi_buf json;      /* the result as Python writes it */
    refq_preview out;
    refq_error *err;
    refq_err rc; /* the first failure */
} rqi_job;

/* How many characters are the size of at most so much. */
size_t rqi_job_room(const refq_measure *measure, int64_t budget);

/* The size of so many characters, without a tokenizer. */
int64_t rqi_job_size_of_chars(const refq_measure *measure, size_t chars);

/* The size of a text; INT64_MAX after a failure, which is noted. */
int64_t rqi_job_size_of_text(rqi_job *job, const rqi_buf *text);

/* The size of the whole value. */
int64_t rqi_job_size_of_value(rqi_job *job);

bool rqi_job_is_container(const rqi_job *job);

/* Writes n items from the i-th on, as an array or object of their own. */
void rqi_job_write_items(const rqi_job *job, size_t i, size_t n, rqi_buf *out);

/* What the three strategies do; the result is in job->json and job->out. */
void rqi_job_sample(rqi_job *job);
void rqi_job_paginate(rqi_job *job);
void rqi_job_truncate(rqi_job *job);

#endif
