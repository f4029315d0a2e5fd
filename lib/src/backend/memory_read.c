/* SPDX-License-Identifier: MIT */
/* Reading one task: its record, result, history and arguments. */
#include "backend/memory.h"

#include "base/error.h"
#include "codec/args.h"

#include <stdlib.h>
#include <string.h>

void rqi_mem_get_status(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_task(m, cb, arg);
    rqi_mem_task *t = a != NULL ? rqi_mem_find(m, ref, &a->err) : NULL;
    if (t != NULL) {
        rqi_mem_answer_with(a, t);
    }
}

/* --- The result ------------------------------------------------------------------------------- */

static refq_err check_result(const rqi_mem_task *t, refq_error *err)
{
    char ref[REFQ_REF_MAX + 1];
    if (t->status != REFQ_COMPLETE) {
        return rqi_fail(err, REFQ_ERR_CONFLICT, "task %s has no result: it is %s",
                        refq_ref_format(&t->ref, ref), refq_status_name(t->status));
    }
    if (t->value.len == 0) {
        return rqi_fail(err, REFQ_ERR_NOTFOUND, "task %s is complete, but its value has expired",
                        refq_ref_format(&t->ref, ref));
    }
    return REFQ_OK;
}

/* The value is copied: it may be gone before the answer is delivered. */
void rqi_mem_get_result(refq_backend *b, const refq_ref *ref, refq_result_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_result(m, cb, arg);
    rqi_mem_task *t = a != NULL ? rqi_mem_find(m, ref, &a->err) : NULL;
    if (t == NULL) {
        return;
    }
    rqi_mem_answer_with(a, t);
    if (a->task == NULL || check_result(t, &a->err) != REFQ_OK) {
        return;
    }
    rqi_buf_add(&a->text, t->value.ptr, t->value.len);
    if (a->text.err != REFQ_OK) {
        (void)rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory for a value of %zu bytes",
                       t->value.len);
    }
}

/* --- Texts ------------------------------------------------------------------------------------ */

void rqi_mem_history(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_texts(m, cb, arg);
    rqi_mem_task *t = a != NULL ? rqi_mem_find(m, ref, &a->err) : NULL;
    if (t == NULL) {
        return;
    }
    for (; a->n < t->history_n; a->n++) {
        rqi_buf_add(&a->text, t->history[a->n], strlen(t->history[a->n]) + 1);
    }
    rqi_mem_answer_point(a);
}

void rqi_mem_args(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_texts(m, cb, arg);
    rqi_mem_task *t = a != NULL ? rqi_mem_find(m, ref, &a->err) : NULL;
    if (t == NULL) {
        return;
    }
    if (t->args.len == 0) {
        (void)rqi_fail(
            &a->err, REFQ_ERR_NOTFOUND,
            "the arguments are gone: they are kept while the task may still run, or run again");
        return;
    }
    refq_bytes packed = {.ptr = t->args.ptr + 1, .len = t->args.len - 1};
    if (rqi_args_decode(packed, &a->text, &a->err) == REFQ_OK) {
        a->n = 1;
        rqi_mem_answer_point(a);
    }
}
