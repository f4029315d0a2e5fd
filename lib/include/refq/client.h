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

/* *ret_tasks: an array of *ret_n tasks; free each with refq_task_free and the array with free(). */
REFQ_API REFQ_MUST_USE refq_err refq_client_list(refq_client *client, const refq_list_query *query,
                                                 refq_task ***ret_tasks, size_t *ret_n,
                                                 refq_error *err);

/* --- The fleet -------------------------------------------------------------------------------- */

/* One live worker process of a queue. */
typedef struct refq_worker_info {
    char queue[REFQ_QUEUE_MAX + 1];
    char id[REFQ_HEX_LEN + 1];
    char host[65];
    char version[33];
    char state[17]; /* "running", "draining", "lost" (its lease has run out) */
    int64_t pid;
    int64_t slots;         /* attempts it can run at a time */
    int64_t running;       /* attempts it holds now */
    int64_t rss_kb;        /* resident memory, KiB */
    int64_t started_at;    /* Unix ms */
    int64_t lease_left_ms; /* negative: ran out so long ago */
    char *offers;          /* task names, separated by blanks; owned by the array */
} refq_worker_info;

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
