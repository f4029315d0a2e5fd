/* SPDX-License-Identifier: MIT */
/* The blocking calls: each hands its inputs to the backend on the I/O thread and copies what comes
 * back. */
#include "client/client.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static refq_backend *backend_of(const rqi_call *call)
{
    return rqi_client_backend(call->client);
}

/* --- Submit ----------------------------------------------------------------------------------- */

struct submit {
    const refq_spec *specs;
    size_t n;
    refq_submitted *ret;
};

static void on_submit(void *arg, const refq_error *err, const refq_submitted *done, size_t n)
{
    rqi_call *call = arg;
    struct submit *s = call->arg;
    if (err == NULL) {
        memcpy(s->ret, done, n * sizeof *done);
    }
    rqi_call_done(call, err);
}

static void start_submit(rqi_call *call)
{
    struct submit *s = call->arg;
    refq_backend *b = backend_of(call);
    b->ops->submit(b, s->specs, s->n, on_submit, call);
}

refq_err refq_client_submit_many(refq_client *client, const refq_spec *specs, size_t n,
                                 refq_submitted *ret, refq_error *err)
{
    struct submit s = {specs, n, ret};
    return rqi_call_run(client, start_submit, &s, err);
}

refq_err refq_client_submit(refq_client *client, const refq_spec *spec, refq_submitted *ret,
                            refq_error *err)
{
    return refq_client_submit_many(client, spec, 1, ret, err);
}

/* --- Status, cancel, wait --------------------------------------------------------------------- */

struct query {
    const refq_ref *ref;
    int64_t timeout_ms;
    refq_watch_cb watch;
    void *watch_arg;
    refq_task **ret;
};

static void on_task(void *arg, const refq_error *err, refq_task *task)
{
    rqi_call *call = arg;
    struct query *q = call->arg;
    if (err == NULL) {
        *q->ret = task;
    }
    rqi_call_done(call, err);
}

static bool on_watch(void *arg, const refq_task *task)
{
    const struct query *q = ((rqi_call *)arg)->arg;
    return q->watch(q->watch_arg, task);
}

static void start_status(rqi_call *call)
{
    struct query *q = call->arg;
    refq_backend *b = backend_of(call);
    b->ops->get_status(b, q->ref, on_task, call);
}

static void start_cancel(rqi_call *call)
{
    struct query *q = call->arg;
    refq_backend *b = backend_of(call);
    b->ops->cancel(b, q->ref, on_task, call);
}

static void start_wait(rqi_call *call)
{
    struct query *q = call->arg;
    refq_backend *b = backend_of(call);
    b->ops->wait(b, q->ref, q->timeout_ms, q->watch != NULL ? on_watch : NULL, on_task, call);
}

refq_err refq_client_status(refq_client *client, const refq_ref *ref, refq_task **ret_task,
                            refq_error *err)
{
    struct query q = {.ref = ref, .ret = ret_task};
    return rqi_call_run(client, start_status, &q, err);
}

refq_err refq_client_cancel(refq_client *client, const refq_ref *ref, refq_task **ret_task,
                            refq_error *err)
{
    struct query q = {.ref = ref, .ret = ret_task};
    return rqi_call_run(client, start_cancel, &q, err);
}

refq_err refq_client_wait(refq_client *client, const refq_ref *ref, int64_t timeout_ms,
                          refq_watch_cb watch, void *arg, refq_task **ret_task, refq_error *err)
{
    struct query q = {ref, timeout_ms, watch, arg, ret_task};
    return rqi_call_run(client, start_wait, &q, err);
}

/* --- Result ----------------------------------------------------------------------------------- */

struct result {
    const refq_ref *ref;
    refq_task **ret_task;
    char **ret_entry;
    size_t *ret_len;
};

static void on_result(void *arg, const refq_error *err, refq_task *task, refq_bytes entry)
{
    rqi_call *call = arg;
    struct result *r = call->arg;
    refq_error nomem;
    *r->ret_task = task;
    if (err == NULL) {
        char *copy = malloc(entry.len + 1);
        if (copy == NULL) {
            (void)rqi_fail(&nomem, REFQ_ERR_NOMEM, "out of memory for %zu bytes", entry.len);
            rqi_call_done(call, &nomem);
            return;
        }
        memcpy(copy, entry.ptr, entry.len);
        copy[entry.len] = '\0';
        *r->ret_entry = copy;
        *r->ret_len = entry.len;
    }
    rqi_call_done(call, err);
}

static void start_result(rqi_call *call)
{
    struct result *r = call->arg;
    refq_backend *b = backend_of(call);
    b->ops->get_result(b, r->ref, on_result, call);
}

refq_err refq_client_result(refq_client *client, const refq_ref *ref, refq_task **ret_task,
                            char **ret_entry, size_t *ret_len, refq_error *err)
{
    struct result r = {ref, ret_task, ret_entry, ret_len};
    *ret_task = NULL;
    *ret_entry = NULL;
    *ret_len = 0;
    return rqi_call_run(client, start_result, &r, err);
}

/* --- List ------------------------------------------------------------------------------------- */

struct list {
    const refq_list_query *query;
    refq_task ***ret_tasks;
    size_t *ret_n;
};

static void on_list(void *arg, const refq_error *err, refq_task **tasks, size_t n)
{
    rqi_call *call = arg;
    struct list *l = call->arg;
    refq_error nomem;
    if (err != NULL) {
        rqi_call_done(call, err);
        return;
    }
    refq_task **copy = calloc(n + 1, sizeof *copy);
    if (copy == NULL) {
        for (size_t i = 0; i < n; i++) {
            refq_task_free(tasks[i]);
        }
        (void)rqi_fail(&nomem, REFQ_ERR_NOMEM, "out of memory");
        rqi_call_done(call, &nomem);
        return;
    }
    if (n > 0) {
        memcpy((void *)copy, (void *)tasks, n * sizeof *copy);
    }
    *l->ret_tasks = copy;
    *l->ret_n = n;
    rqi_call_done(call, NULL);
}

static void start_list(rqi_call *call)
{
    struct list *l = call->arg;
    refq_backend *b = backend_of(call);
    b->ops->list(b, l->query, on_list, call);
}

refq_err refq_client_list(refq_client *client, const refq_list_query *query, refq_task ***ret_tasks,
                          size_t *ret_n, refq_error *err)
{
    struct list l = {query, ret_tasks, ret_n};
    return rqi_call_run(client, start_list, &l, err);
}
