/* SPDX-License-Identifier: MIT */
/*
 * refq_client: the blocking, thread-safe face of a backend.
 *
 * A client owns one thread with an event loop and the backend on it. Any number
 * of threads may call it at the same time: their commands are pipelined on the
 * same connection. Each call blocks its own thread only.
 */
#ifndef REFQ_CLIENT_H
#define REFQ_CLIENT_H

#include <refq/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct refq_client refq_client;

/* Starts the client's thread. Does not wait for the server: the first call does. */
REFQ_API REFQ_MUST_USE refq_err refq_client_open(const refq_redis_options *options,
                                                 refq_client **ret_client, refq_error *err);

/* Makes a backend on a loop; see refq_client_open_with(). */
typedef refq_err (*refq_backend_factory)(struct event_base *base, void *arg,
                                         refq_backend **ret_backend, refq_error *err);

/* The same over any backend. The factory is called once, on the calling thread, before the client's
 * thread exists; the client owns the backend. */
REFQ_API REFQ_MUST_USE refq_err refq_client_open_with(refq_backend_factory factory, void *arg,
                                                      refq_client **ret_client, refq_error *err);

/* What the backend offers: REFQ_CAP_* bits. A call it lacks ends with REFQ_ERR_UNSUPPORTED. */
REFQ_API unsigned refq_client_capabilities(const refq_client *client);

/* Fails calls in progress with REFQ_ERR_CLOSED, stops the thread, frees. NULL is fine. No other
 * thread may start a call once this has begun. */
REFQ_API void refq_client_close(refq_client *client);

/* Queues one task. On a lost connection it repeats by itself: the reference makes that harmless. */
REFQ_API REFQ_MUST_USE refq_err refq_client_submit(refq_client *client, const refq_spec *spec,
                                                   refq_submitted *ret, refq_error *err);

/* Queues n tasks of one queue in one call; ret has room for n. */
REFQ_API REFQ_MUST_USE refq_err refq_client_submit_many(refq_client *client, const refq_spec *specs,
                                                        size_t n, refq_submitted *ret,
                                                        refq_error *err);

/* The caller owns *ret_task in all of these (refq_task_free). */
REFQ_API REFQ_MUST_USE refq_err refq_client_status(refq_client *client, const refq_ref *ref,
                                                   refq_task **ret_task, refq_error *err);

/* ret_entry: the stored cache entry as JSON text, terminated; free() it. When the task is not
 * complete the error is REFQ_ERR_CONFLICT and *ret_task is set nevertheless. */
REFQ_API REFQ_MUST_USE refq_err refq_client_result(refq_client *client, const refq_ref *ref,
                                                   refq_task **ret_task, char **ret_entry,
                                                   size_t *ret_len, refq_error *err);

/* See refq_backend_ops.wait. `watch` is called on the client's thread. */
REFQ_API REFQ_MUST_USE refq_err refq_client_wait(refq_client *client, const refq_ref *ref,
                                                 int64_t timeout_ms, refq_watch_cb watch, void *arg,
                                                 refq_task **ret_task, refq_error *err);

REFQ_API REFQ_MUST_USE refq_err refq_client_cancel(refq_client *client, const refq_ref *ref,
                                                   refq_task **ret_task, refq_error *err);

/* See refq_backend_ops.detach and .hand_out. */
REFQ_API REFQ_MUST_USE refq_err refq_client_detach(refq_client *client, const refq_ref *ref,
                                                   const refq_ref *caller, refq_task **ret_task,
                                                   refq_error *err);
REFQ_API REFQ_MUST_USE refq_err refq_client_hand_out(refq_client *client, const refq_ref *ref,
                                                     refq_task **ret_task, refq_error *err);

/* Runs a failed or cancelled task again; see refq_backend_ops.retry. `as` (may be NULL: made here)
 * is the new task's reference: pass one of yours when you want to repeat the call safely. */
REFQ_API REFQ_MUST_USE refq_err refq_client_retry(refq_client *client, const refq_ref *ref,
                                                  const refq_ref *as, refq_task **ret_task,
                                                  refq_error *err);

/* Answers a running task's question; json is one JSON value. */
REFQ_API REFQ_MUST_USE refq_err refq_client_answer(refq_client *client, const refq_ref *ref,
                                                   const char *json, refq_task **ret_task,
                                                   refq_error *err);

/* --- Looking ---------------------------------------------------------------------------------- */

/* One page of a list, owned: free with refq_list_free(). */
typedef struct refq_list {
    refq_task **tasks;
    size_t n;
    char *next; /* cursor of the next page; "" when there is none */
} refq_list;

REFQ_API REFQ_MUST_USE refq_err refq_client_list(refq_client *client, const refq_list_query *query,
                                                 refq_list *ret, refq_error *err);
REFQ_API void refq_list_free(refq_list *list);

/* Some texts, owned: free with refq_texts_free(). */
typedef struct refq_texts {
    char **items; /* terminated */
    size_t n;
} refq_texts;

REFQ_API void refq_texts_free(refq_texts *texts);

/* A task's attempts as JSON objects, newest first; its arguments as one JSON text; the names of all
 * queues. See refq_backend_ops. */
REFQ_API REFQ_MUST_USE refq_err refq_client_history(refq_client *client, const refq_ref *ref,
                                                    refq_texts *ret, refq_error *err);
REFQ_API REFQ_MUST_USE refq_err refq_client_args(refq_client *client, const refq_ref *ref,
                                                 refq_texts *ret, refq_error *err);
REFQ_API REFQ_MUST_USE refq_err refq_client_queues(refq_client *client, refq_texts *ret,
                                                   refq_error *err);

/* The definitions of what a queue's workers offer (task NULL = all), as JSON objects: name,
 * description, input_schema, output_schema, async_timeout_ms and what else docs/PROTOCOL.md tells.
 * REFQ_ERR_NOTFOUND when nobody offers that task. */
REFQ_API REFQ_MUST_USE refq_err refq_client_catalog(refq_client *client, const char *queue,
                                                    const char *task, refq_texts *ret,
                                                    refq_error *err);

/* Events, owned: free with refq_events_free(). */
typedef struct refq_events {
    refq_event *items; /* their ids are owned by this struct */
    size_t n;
    char *next; /* pass it as `after` to go on */
} refq_events;

REFQ_API REFQ_MUST_USE refq_err refq_client_events(refq_client *client,
                                                   const refq_events_query *query, refq_events *ret,
                                                   refq_error *err);
REFQ_API void refq_events_free(refq_events *events);

/* --- Operating -------------------------------------------------------------------------------- */

/* *ret_n: how many tasks were removed. */
REFQ_API REFQ_MUST_USE refq_err refq_client_cleanup(refq_client *client,
                                                    const refq_cleanup_query *query, int64_t *ret_n,
                                                    refq_error *err);
REFQ_API REFQ_MUST_USE refq_err refq_client_stats(refq_client *client, const char *queue,
                                                  refq_stats *ret, refq_error *err);
/* *ret_n (may be NULL): how many workers were told. */
REFQ_API REFQ_MUST_USE refq_err refq_client_control(refq_client *client,
                                                    const refq_control *control, int64_t *ret_n,
                                                    refq_error *err);

/* --- The fleet -------------------------------------------------------------------------------- */

/* The workers of `queue`, or of all queues when it is NULL. Free with refq_workers_free(). */
REFQ_API REFQ_MUST_USE refq_err refq_client_workers(refq_client *client, const char *queue,
                                                    refq_worker_info **ret_workers, size_t *ret_n,
                                                    refq_error *err);
REFQ_API void refq_workers_free(refq_worker_info *workers, size_t n);

/* Whether the fleet offers a task. */
typedef enum refq_offer {
    REFQ_OFFERED = 0, /* a live worker offers it */
    REFQ_NOT_OFFERED, /* workers are alive, none offers it */
    REFQ_NO_WORKERS   /* no worker of this queue is alive */
} refq_offer;

/* nearest (may be NULL): the offered name most like `task`, or "". */
REFQ_API REFQ_MUST_USE refq_err refq_client_offer(refq_client *client, const char *queue,
                                                  const char *task, refq_offer *ret,
                                                  char nearest[REFQ_NAME_MAX + 1], refq_error *err);

#ifdef __cplusplus
}
#endif
#endif
