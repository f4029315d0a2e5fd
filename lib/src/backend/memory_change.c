/* SPDX-License-Identifier: MIT */
/* Cancelling a task, and answering its question. */
#include "backend/memory.h"

#include "base/error.h"
#include "codec/json.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX   ((size_t)64 * 1024)
#define ANSWER_DEPTH 64

/* Terminal at once; what runs is told to stop and keeps its slot until it has. */
void rqi_mem_cancel_now(rqi_mem_task *t)
{
    rqi_mem_detach(t, RQI_STOP_CANCELLED);
    rqi_mem_end(t, REFQ_CANCELLED, NULL, NULL);
}

void rqi_mem_cancel(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_task(m, cb, arg);
    rqi_mem_task *t = a != NULL ? rqi_mem_find(m, ref, &a->err) : NULL;
    if (t == NULL) {
        return;
    }
    if (!rqi_mem_is_over(t)) {
        rqi_mem_cancel_now(t);
    }
    rqi_mem_answer_with(a, t);
}

static refq_err check_answer(const char *json, refq_error *err)
{
    json_t *value = NULL;
    refq_err rc = rqi_json_load_any(json, strlen(json), ANSWER_MAX, ANSWER_DEPTH, &value, err);
    json_decref(value);
    return rc == REFQ_OK ? rc : rqi_fail_in(err, rc, "the answer");
}

void rqi_mem_give_answer(refq_backend *b, const refq_ref *ref, const char *json, refq_task_cb cb,
                         void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    char text[REFQ_REF_MAX + 1];
    rqi_mem_answer *a = rqi_mem_answer_task(m, cb, arg);
    if (a == NULL || check_answer(json, &a->err) != REFQ_OK) {
        return;
    }
    rqi_mem_task *t = rqi_mem_find(m, ref, &a->err);
    if (t == NULL) {
        return;
    }
    if (t->question == NULL || !rqi_run_answer(&t->running->run, json, strlen(json))) {
        (void)rqi_fail(&a->err, REFQ_ERR_CONFLICT, "task %s asks nothing (it is %s)",
                       refq_ref_format(ref, text), refq_status_name(t->status));
        return;
    }
    free(t->question);
    t->question = NULL;
    if (t->deadline_at != 0) {
        t->deadline_at = rqi_mem_now(m) + t->deadline_at - t->started_at; /* its time begins anew */
    }
    rqi_mem_schedule(t);
    rqi_mem_changed(t);
    rqi_mem_answer_with(a, t);
}
