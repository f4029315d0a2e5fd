/* SPDX-License-Identifier: MIT */
/*
 * The task interface: what every execution backend offers.
 *
 * A backend is a table of functions over an event loop (libevent). Each
 * operation takes a completion callback that is called exactly once, from the
 * loop, never from inside the call that started it (but for one case: when there
 * is no memory to remember the call, it fails at once). Everything handed to a
 * callback is borrowed for its duration; everything handed to an operation is
 * copied before it returns. All calls to one backend come from its loop's
 * thread; refq_client (client.h) is the thread-safe, blocking face of it.
 *
 * An operation that a backend lacks is a NULL pointer and a missing capability
 * bit, so that callers can degrade honestly instead of guessing by name.
 */
#ifndef REFQ_BACKEND_H
#define REFQ_BACKEND_H

#include <refq/error.h>
#include <refq/export.h>
#include <refq/log.h>
#include <refq/task.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

enum {
    REFQ_CAP_DURABLE = 1,  /* tasks survive this process */
    REFQ_CAP_PROGRESS = 2, /* progress is visible while a task runs */
    REFQ_CAP_LIST = 4,     /* list() is offered */
    REFQ_CAP_PUSH = 8,     /* wait() is woken by push, not by polling */
    REFQ_CAP_RETRY = 16    /* retry() is offered */
};

/* One task to submit. Zero means default. Copied by submit(). */
typedef struct refq_spec {
    size_t struct_size; /* sizeof(refq_spec) */
    refq_ref ref; /* required: made by the caller (refq_ref_make), so that a repeat is harmless */
    const char *task; /* required: the handler's name */
    const char *args; /* JSON text of an object; NULL = {} */
    refq_lane lane;
    int64_t delay_ms;   /* earliest start from now; 0 = at once */
    int64_t timeout_ms; /* wall time of one attempt; 0 = what the task's definition says */
    int max_retries;    /* 0 = what the definition says; REFQ_NO_RETRIES = none */
    const char *key;    /* idempotency key: a live or finished task with it is returned instead */
    int64_t key_ttl_ms; /* how long the key is remembered; 0 = 24 h */
    const char *traceparent; /* W3C trace context to hand on; NULL = none */
} refq_spec;

/* What became of a submitted task. */
typedef struct refq_submitted {
    refq_ref ref; /* the task to follow: another one when an idempotency key matched */
    bool existed; /* true when nothing new was queued */
    refq_status status;
} refq_submitted;

typedef struct refq_backend refq_backend;

/* err is NULL on success; then the other arguments are valid. */
typedef void (*refq_submit_cb)(void *arg, const refq_error *err, const refq_submitted *done,
                               size_t n);
/* The callback owns task (refq_task_free). */
typedef void (*refq_task_cb)(void *arg, const refq_error *err, refq_task *task);
/* `entry` is the stored cache entry, JSON text. */
typedef void (*refq_result_cb)(void *arg, const refq_error *err, refq_task *task, refq_bytes entry);
/* The callback owns the tasks, not the array. */
typedef void (*refq_list_cb)(void *arg, const refq_error *err, refq_task **tasks, size_t n);
/* Called for each change seen while waiting; false stops waiting. task is borrowed. */
typedef bool (*refq_watch_cb)(void *arg, const refq_task *task);

typedef struct refq_list_query {
    size_t struct_size;
    const char *queue; /* required */
    int status;        /* -1 = any, else a refq_status */
    unsigned limit;    /* 0 = 50; at most 1000 */
} refq_list_query;

typedef struct refq_backend_ops {
    size_t struct_size;
    const char *name;
    unsigned capabilities; /* REFQ_CAP_* */

    /* Queues n tasks of one queue in one step each; all or none of a task, never a half. */
    void (*submit)(refq_backend *b, const refq_spec *specs, size_t n, refq_submit_cb cb, void *arg);
    /* REFQ_ERR_NOTFOUND when there is no such task (anymore). */
    void (*get_status)(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
    /* The record and, when complete, the entry. REFQ_ERR_CONFLICT when it is not complete,
     * REFQ_ERR_NOTFOUND when the task or its value has expired. */
    void (*get_result)(refq_backend *b, const refq_ref *ref, refq_result_cb cb, void *arg);
    /* Terminal at once for every reader. The task handed to the callback shows the status that
     * stands: `cancelled`, or what it had already become. */
    void (*cancel)(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
    void (*is_cancelled)(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
    /* Calls cb when the task is terminal, or at the deadline with the state it then has. watch may
     * be NULL. timeout_ms < 0 = for ever. */
    void (*wait)(refq_backend *b, const refq_ref *ref, int64_t timeout_ms, refq_watch_cb watch,
                 refq_task_cb cb, void *arg);
    void (*retry)(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
    void (*list)(refq_backend *b, const refq_list_query *query, refq_list_cb cb, void *arg);
    void (*cleanup)(refq_backend *b, const char *queue, int64_t older_than_ms, refq_list_cb cb,
                    void *arg);
    void (*stats)(refq_backend *b, const char *queue, refq_task_cb cb, void *arg);
    /* Fails what is outstanding with REFQ_ERR_CLOSED, then frees the backend. */
    void (*shutdown)(refq_backend *b);
} refq_backend_ops;

/* Every implementation starts with this. */
struct refq_backend {
    const refq_backend_ops *ops;
};

typedef struct refq_redis_options {
    size_t struct_size;
    const char *url;    /* NULL = REFQ_REDIS or redis://127.0.0.1:6379 */
    const char *prefix; /* NULL = "refq" */
    int64_t timeout_ms; /* of one command; 0 = 5 s */
    refq_logger log;
} refq_redis_options;

/* The redis backend on a loop. Connects in the background; nothing blocks. The caller frees it with
 * ops->shutdown(). `base` is borrowed and must outlive it. The program should ignore SIGPIPE
 * (signal(SIGPIPE, SIG_IGN)): the loop is its own, and writing to a server that has just gone away
 * raises it. */
REFQ_API REFQ_MUST_USE refq_err refq_backend_redis_new(struct event_base *base,
                                                       const refq_redis_options *options,
                                                       refq_backend **ret_backend, refq_error *err);

#ifdef __cplusplus
}
#endif
#endif
