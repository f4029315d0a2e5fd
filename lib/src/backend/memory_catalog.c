/* SPDX-License-Identifier: MIT */
/* What a queue of this process offers: the definitions of its handlers. */
#include "backend/memory.h"

#include "base/error.h"
#include "run/definition.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    const rqi_handler *const *x = a;
    const rqi_handler *const *y = b;
    return strcmp((*x)->def.name, (*y)->def.name);
}

/* The handlers asked for, sorted; returns how many. `out` has room for all. */
static size_t choose(const refq_handlers *set, const char *task, const rqi_handler **out)
{
    size_t n = 0;
    for (size_t i = 0; i < rqi_handlers_count(set); i++) {
        const rqi_handler *h = rqi_handlers_at(set, i);
        if (task == NULL || strcmp(h->def.name, task) == 0) {
            out[n++] = h;
        }
    }
    qsort((void *)out, n, sizeof *out, by_name);
    return n;
}

static void add_definitions(rqi_mem_answer *a, const rqi_handler *const *handlers, size_t n)
{
    for (; a->n < n; a->n++) {
        rqi_definition_json(&handlers[a->n]->def, &a->text);
        rqi_buf_addc(&a->text, '\0');
    }
    rqi_mem_answer_point(a);
}

void rqi_mem_catalog(refq_backend *b, const char *queue, const char *task, refq_texts_cb cb,
                     void *arg)
{
    rqi_mem *m = (rqi_mem *)b;
    rqi_mem_answer *a = rqi_mem_answer_texts(m, cb, arg);
    rqi_mem_queue *q = a != NULL ? rqi_mem_queue_find(m, queue, &a->err) : NULL;
    if (q == NULL || (task != NULL && refq_name_check(task, &a->err) != REFQ_OK)) {
        return;
    }
    const rqi_handler **handlers =
        (const rqi_handler **)calloc(rqi_handlers_count(q->handlers) + 1, sizeof *handlers);
    if (handlers == NULL) {
        (void)rqi_fail(&a->err, REFQ_ERR_NOMEM, "out of memory");
        return;
    }
    size_t n = choose(q->handlers, task, handlers);
    if (n == 0 && task != NULL) {
        (void)rqi_fail(&a->err, REFQ_ERR_NOTFOUND, "no worker of queue %s offers the task '%s'",
                       queue, task);
    } else {
        add_definitions(a, handlers, n);
    }
    free((void *)handlers);
}
