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

/* --- Status, cancel, detach, hand_out, retry, answer, wait ------------------------------------ */

struct query {
    const refq_ref *ref;
    const refq_ref *as; /* retry: the new task's; detach: the caller's */
    const char *json;
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

static void start_detach(rqi_call *call)
{
    struct query *q = call->arg;
    refq_backend *b = backend_of(call);
    if (b->ops->detach == NULL) {
        rqi_call_unsupported(call, "detach");
        return;
    }
    b->ops->detach(b, q->ref, q->as, on_task, call);
}

static void start_hand_out(rqi_call *call)
{
    struct query *q = call->arg;
    refq_backend *b = backend_of(call);
    if (b->ops->hand_out == NULL) {
        rqi_call_unsupported(call, "hand_out");
        return;
    }
    b->ops->hand_out(b, q->ref, on_task, call);
}

static void start_retry(rqi_call *call)
{
    struct query *q = call->arg;
    refq_backend *b = backend_of(call);
    if (b->ops->retry == NULL) {
        rqi_call_unsupported(call, "retry");
        return;
    }
    b->ops->retry(b, q->ref, q->as, on_task, call);
}

static void start_answer(rqi_call *call)
{
    struct query *q = call->arg;
    refq_backend *b = backend_of(call);
    if (b->ops->answer == NULL) {
        rqi_call_unsupported(call, "answer");
        return;
    }
    b->ops->answer(b, q->ref, q->json, on_task, call);
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

refq_err refq_client_detach(refq_client *client, const refq_ref *ref, const refq_ref *caller,
                            refq_task **ret_task, refq_error *err)
{
    struct query q = {.ref = ref, .as = caller, .ret = ret_task};
    return rqi_call_run(client, start_detach, &q, err);
}

refq_err refq_client_hand_out(refq_client *client, const refq_ref *ref, refq_task **ret_task,
                              refq_error *err)
{
    struct query q = {.ref = ref, .ret = ret_task};
    return rqi_call_run(client, start_hand_out, &q, err);
}

refq_err refq_client_retry(refq_client *client, const refq_ref *ref, const refq_ref *as,
                           refq_task **ret_task, refq_error *err)
{
    refq_ref made;
    refq_err rc = as == NULL ? refq_ref_make(ref->queue, &made, err) : REFQ_OK;
    if (rc != REFQ_OK) {
        return rc;
    }
    struct query q = {.ref = ref, .as = as != NULL ? as : &made, .ret = ret_task};
    return rqi_call_run(client, start_retry, &q, err);
}

refq_err refq_client_answer(refq_client *client, const refq_ref *ref, const char *json,
                            refq_task **ret_task, refq_error *err)
{
    struct query q = {.ref = ref, .json = json, .ret = ret_task};
    return rqi_call_run(client, start_answer, &q, err);
}

refq_err refq_client_wait(refq_client *client, const refq_ref *ref, int64_t timeout_ms,
                          refq_watch_cb watch, void *arg, refq_task **ret_task, refq_error *err)
{
    struct query q = {
        .ref = ref, .timeout_ms = timeout_ms, .watch = watch, .watch_arg = arg, .ret = ret_task};
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
        char *copy = rqi_client_copy(entry);
        if (copy == NULL) {
            (void)rqi_fail(&nomem, REFQ_ERR_NOMEM, "out of memory for %zu bytes", entry.len);
            rqi_call_done(call, &nomem);
            return;
        }
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
