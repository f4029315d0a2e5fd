/* SPDX-License-Identifier: MIT */
/*
 * Tool calls that outlive their caller.
 *
 *     refq_calls_options o = {.struct_size = sizeof o, .client = client, .cache = cache};
 *     refq_calls_new(&o, &calls, &err);
 *     refq_call_spec call = {.struct_size = sizeof call, .queue = "docs", .task = "ocr",
 *                            .args = "{\"path\": \"a.pdf\"}", .identity = &who};
 *     refq_call(calls, &call, &response, &err);
 *
 * A call is checked against the task's input schema, submitted, and waited for: as long as the
 * task's definition or the caller says (async_timeout). A task that is over by then is answered
 * with its value, or a preview of it when it is large; one that is not is answered with its
 * reference and status, and goes on. Whoever has the reference polls it with refq_cache_get(), from
 * any process. docs/CALL.md tells the responses.
 *
 * All functions may be called from any thread at any time, and block their own thread only.
 */
#ifndef REFQ_CALL_H
#define REFQ_CALL_H

#include <refq/cache.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct refq_calls refq_calls;

typedef struct refq_calls_options {
    size_t struct_size;        /* sizeof(refq_calls_options) */
    refq_client *client;       /* required; borrowed */
    refq_cache *cache;         /* required; borrowed: over the store that the workers write to */
    const char *const *caches; /* names of caches, besides the queues, whose references are input
                                  references also when they lead nowhere; NULL-terminated; NULL =
                                  only the name of `cache`; copied */
    refq_logger log;
} refq_calls_options;

REFQ_API REFQ_MUST_USE refq_err refq_calls_new(const refq_calls_options *options,
                                               refq_calls **ret_calls, refq_error *err);

/* Waits until calls that were started have been answered, but not for abandoned ones. No other
 * thread may use it any more. NULL is fine. */
REFQ_API void refq_calls_free(refq_calls *calls);

/* Zero means: what the task's definition says. Borrowed for the call. */
typedef struct refq_call_spec {
    size_t struct_size; /* sizeof(refq_call_spec) */
    const char *queue;  /* required */
    const char *task;   /* required */
    const char *args;   /* JSON text of an object; NULL = {}. A member _async_response_format is
                           taken out: it names the format of the response */
    const refq_identity *identity; /* who calls, as the server found out; NULL = nobody */
    const refq_caller_rule *rule;  /* whose the result will be, instead of all that the task's
                                      definition says of that; NULL = as it says */
    int has_async_timeout;
    int64_t async_timeout_ms; /* how long to wait for the value; 0 = answer at once */
    int has_format;
    refq_format format;
    int has_max_size;
    int64_t max_size; /* a value up to this size is answered whole, in the cache's unit */
    int has_reuse;
    refq_reuse reuse; /* whether an identical call joins a task that runs, or takes its result */
    refq_lane lane;
    int64_t timeout_ms; /* wall time of one attempt */
    int max_retries;
    const char *key; /* idempotency key; NULL = none */
    const char *traceparent;

    /* Told of the reference as soon as the task is queued or joined, before the wait, on the thread
     * that calls. For logs, and for who must not lose it: the caller is not given it yet, so the
     * task may still be taken along by the last of those who wait. NULL = nobody is told. */
    void (*on_submitted)(void *arg, const char *ref_id);
    void *on_submitted_arg;
} refq_call_spec;

/* Calls a task. Free *ret with refq_response_free(). Its status is that of the task: REFQ_COMPLETE
 * with the value, a preview, or (when the caller may not read it) the reference only; REFQ_PENDING
 * and REFQ_PROCESSING with the reference; REFQ_FAILED and REFQ_CANCELLED with the reason.
 *
 * REFQ_ERR_NOTFOUND: no worker offers the task, or an argument is a reference that leads nowhere or
 * that this caller may not use. REFQ_ERR_INVALID: the arguments do not fit the task's input schema;
 * the error names the place. REFQ_ERR_DENIED: the result is to be bound to the caller's session,
 * and there is none. REFQ_ERR_CONFLICT: the key leads to a task of another name, or to one that
 * this caller may neither READ nor EXECUTE. Nothing is queued then. Otherwise as
 * refq_client_submit(). */
REFQ_API REFQ_MUST_USE refq_err refq_call(refq_calls *calls, const refq_call_spec *spec,
                                          refq_response *ret, refq_error *err);

/* --- Without blocking ------------------------------------------------------------------------- */

/* A call that was started. Never 0. */
typedef uint64_t refq_call_id;

/* Called once, on a thread of the library, which it should leave soon. err is NULL on success; the
 * response is then the callback's to free. */
typedef void (*refq_call_cb)(void *arg, const refq_error *err, refq_response *response);

/* Starts a call: returns when it is submitted, and calls back with the answer. No thread waits
 * meanwhile, so thousands may be under way. spec is borrowed until this returns; *ret_id (may be
 * NULL) is set before the callback can come. Errors of refq_call() that come before the wait are
 * returned, and there is no callback then. */
REFQ_API REFQ_MUST_USE refq_err refq_call_start(refq_calls *calls, const refq_call_spec *spec,
                                                refq_call_cb cb, void *arg, refq_call_id *ret_id,
                                                refq_error *err);

/* Who called has gone away: there will be no callback. The task is cancelled if nobody else waits
 * for it and nobody was given its reference. REFQ_ERR_NOTFOUND when the callback has been called,
 * or is about to be. With any other error there is no callback either, but the task may go on. */
REFQ_API REFQ_MUST_USE refq_err refq_call_abandon(refq_calls *calls, refq_call_id id,
                                                  refq_error *err);

/* --- Cancelling ------------------------------------------------------------------------------- */

/* Cancels a task, for an actor with EXECUTE on what it makes; others are told that there is no such
 * reference. The response shows what it has become. */
REFQ_API REFQ_MUST_USE refq_err refq_call_cancel(refq_calls *calls, const char *ref_id,
                                                 const refq_actor *actor, refq_response *ret,
                                                 refq_error *err);

#ifdef __cplusplus
}
#endif
#endif
