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
    REFQ_CAP_DURABLE = 1,    /* tasks survive this process */
    REFQ_CAP_PROGRESS = 2,   /* progress is visible while a task runs */
    REFQ_CAP_LIST = 4,       /* list() is offered */
    REFQ_CAP_PUSH = 8,       /* wait() is woken by push, not by polling */
    REFQ_CAP_RETRY = 16,     /* retry() is offered */
    REFQ_CAP_OPERATE = 32,   /* cleanup(), stats(), control() and queues() are offered */
    REFQ_CAP_HISTORY = 64,   /* history() and args() are offered */
    REFQ_CAP_ASK = 128,      /* running tasks may ask a person: answer() is offered */
    REFQ_CAP_EVENTS = 256,   /* events() is offered */
    REFQ_CAP_FLEET = 512,    /* workers() is offered: tasks run in processes of their own */
    REFQ_CAP_CATALOG = 1024, /* catalog() is offered */
    REFQ_CAP_CALL = 2048 /* what calls need: a spec's scope, reuse and after are heeded, detach()
                            and hand_out() offered */
};

#define REFQ_AFTER_MAX 64

/* One task to submit. Zero means default. Copied by submit(). */
typedef struct refq_spec {
    size_t struct_size; /* sizeof(refq_spec) */
    refq_ref ref; /* required: made by the caller (refq_ref_make), so that a repeat is harmless */
    const char *task; /* required: the handler's name */
    const char *args; /* JSON text of an object; NULL = {} */
    refq_lane lane;
    int64_t delay_ms;        /* earliest start from now; 0 = at once */
    int64_t timeout_ms;      /* wall time of one attempt; 0 = what the task's definition says */
    int64_t start_within_ms; /* not begun so long after it was submitted (or after its delay):
                                failed, reason `expired`; 0 = it waits for ever */
    int max_retries;         /* 0 = what the definition says; REFQ_NO_RETRIES = none */
    const char *key;    /* idempotency key: a live or finished task with it is returned instead */
    int64_t key_ttl_ms; /* how long the key is remembered; 0 = 24 h */
    const char *traceparent; /* W3C trace context to hand on; NULL = none */
    const refq_scope *scope; /* whose it is; NULL = a public task of nobody */
    refq_reuse reuse;
    const refq_ref *after; /* n_after tasks, of any queue, that have to be over (however they ended)
                              before this one starts; one that does not exist is over */
    size_t n_after;        /* at most REFQ_AFTER_MAX */
    const char *call;      /* with reuse: what makes calls identical, a digest of 32 lower-case hex
                              digits (of the task, its owner, its arguments ...) */
} refq_spec;

/* What became of a submitted task. */
typedef struct refq_submitted {
    refq_ref ref; /* the task to follow: another one when an idempotency key matched */
    bool existed; /* true when nothing new was queued */
    bool joined;  /* of them: an identical call's task is shared (detach() when it is not wanted) */
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
/* Called for each change seen while waiting; false stops waiting. task is borrowed. */
typedef bool (*refq_watch_cb)(void *arg, const refq_task *task);
typedef void (*refq_count_cb)(void *arg, const refq_error *err, int64_t n);
/* n texts, each terminated too. */
typedef void (*refq_texts_cb)(void *arg, const refq_error *err, const refq_bytes *texts, size_t n);

/* --- Listing ---------------------------------------------------------------------------------- */

typedef struct refq_list_query {
    size_t struct_size;
    const char *queue;  /* required */
    int status;         /* -1 = any, else a refq_status */
    bool dead;          /* only dead letters: tasks that failed, newest first */
    const char *task;   /* only tasks of this name; NULL = any */
    const char *cursor; /* `next` of the page before; NULL or "" = from the start */
    unsigned limit;     /* tasks on a page; 0 = 50; at most 1000 */
} refq_list_query;

/* A page of a list. A task that changes between two pages may appear on both or on none. */
typedef struct refq_page {
    refq_task **tasks;
    size_t n;         /* may be less than the limit although there is more: see next */
    const char *next; /* cursor of the next page; "" when there is none */
} refq_page;

/* The callback owns the tasks, not the array. */
typedef void (*refq_list_cb)(void *arg, const refq_error *err, const refq_page *page);

/* --- Operating a queue ------------------------------------------------------------------------ */

/* Which finished tasks to remove, with their arguments, history and results. */
typedef struct refq_cleanup_query {
    size_t struct_size;
    const char *queue;     /* required */
    int64_t older_than_ms; /* ended at least so long ago; 0 = whenever */
    int status;            /* -1 = any, else complete, failed or cancelled */
    bool dead;             /* only dead letters */
    const char *task;      /* only tasks of this name; NULL = any */
    const refq_ref *only;  /* just this one, NULL = all that match */
    unsigned limit;        /* stop after so many; 0 = no limit */
} refq_cleanup_query;

/* Numbers of one queue. Counts "since" never fall; they start with the queue's first task. */
typedef struct refq_stats {
    size_t struct_size;
    char queue[REFQ_QUEUE_MAX + 1];
    int64_t pending;     /* now: ready, delayed and held together */
    int64_t ready;       /* in the lanes */
    int64_t delayed;     /* waiting for a time */
    int64_t held;        /* waiting because their task's concurrency is used up */
    int64_t processing;  /* now */
    int64_t dead;        /* dead letters now */
    int64_t submitted;   /* since */
    int64_t complete;    /* since */
    int64_t failed;      /* since */
    int64_t cancelled;   /* since */
    int64_t retries;     /* since: attempts that failed and were followed by another */
    int64_t deaths;      /* since: attempts whose worker vanished */
    int64_t releases;    /* since: attempts given back */
    int64_t workers;     /* alive now */
    int64_t idle;        /* of them, waiting for work */
    int64_t oldest_ms;   /* how long the oldest ready task has been ready; 0 = none is */
    int64_t max_pending; /* 0 = no limit */
    int64_t now_ms;      /* the server's clock, Unix ms */
    bool paused;
} refq_stats;

typedef void (*refq_stats_cb)(void *arg, const refq_error *err, const refq_stats *stats);

typedef enum refq_control_action {
    REFQ_PAUSE,         /* nothing more of the queue is handed out; what runs goes on */
    REFQ_RESUME,        /* undoes it */
    REFQ_MAX_PENDING,   /* value: submits beyond so many pending tasks are refused; 0 = no limit */
    REFQ_EVENTS_MAX,    /* value: entries kept in the event log, about; 0 = no log */
    REFQ_WORKER_QUIET,  /* the worker claims nothing more and goes on with what it runs */
    REFQ_WORKER_RESUME, /* undoes it */
    REFQ_WORKER_DRAIN   /* the worker finishes what it runs and ends, as with SIGTERM */
} refq_control_action;

typedef struct refq_control {
    size_t struct_size;
    const char *queue; /* required */
    refq_control_action action;
    int64_t value;
    const char *worker; /* REFQ_WORKER_*: its id or the start of it; NULL = all of the queue */
} refq_control;

/* --- Events ----------------------------------------------------------------------------------- */

/* A task has got a status. */
typedef struct refq_event {
    const char *id; /* of the log entry; one entry may tell of several tasks */
    int64_t at_ms;  /* Unix ms */
    refq_ref ref;
    refq_status status;
} refq_event;

typedef struct refq_events_query {
    size_t struct_size;
    const char *queue; /* required */
    const char
        *after;     /* events behind this id; NULL = from the oldest kept; "$" = the present end */
    unsigned limit; /* log entries; 0 = 100; at most 1000 */
} refq_events_query;

/* next: pass it as `after` to go on; never empty. */
typedef void (*refq_events_cb)(void *arg, const refq_error *err, const refq_event *events, size_t n,
                               const char *next);

/* --- The fleet -------------------------------------------------------------------------------- */

/* One worker process of a queue. */
typedef struct refq_worker_info {
    char queue[REFQ_QUEUE_MAX + 1];
    char id[REFQ_HEX_LEN + 1];
    char host[65];
    char version[33];
    char state[17]; /* "running", "quiet", "draining", "lost" (its lease has run out) */
    int64_t pid;
    int64_t slots;         /* attempts it can run at a time */
    int64_t running;       /* attempts it holds now */
    int64_t rss_kb;        /* resident memory, KiB */
    int64_t started_at;    /* Unix ms */
    int64_t lease_left_ms; /* negative: ran out so long ago */
    char *offers;          /* task names, separated by blanks; owned by the array */
} refq_worker_info;

typedef void (*refq_workers_cb)(void *arg, const refq_error *err, const refq_worker_info *workers,
                                size_t n);

/* --- The table -------------------------------------------------------------------------------- */

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
    /* A caller of a task does not wait for it any more; `caller` is the reference in the spec it
     * submitted (a joined one's is not the task's). The last one cancels the task with that, unless
     * hand_out() was called for it. May be repeated. The task handed to the callback shows the
     * status that stands. */
    void (*detach)(refq_backend *b, const refq_ref *ref, const refq_ref *caller, refq_task_cb cb,
                   void *arg);
    /* Somebody was given the task's reference: from now on detaching does not cancel it. May be
     * repeated. */
    void (*hand_out)(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
    /* Runs a failed or cancelled task again, as a new task whose reference the caller has made: a
     * repeat is harmless. The old one gets `replaced_by`. The callback's task is the new one; when
     * the old one was replaced before, the one that replaced it. REFQ_ERR_CONFLICT when the task is
     * not failed or cancelled, or its arguments are gone. */
    void (*retry)(refq_backend *b, const refq_ref *ref, const refq_ref *as, refq_task_cb cb,
                  void *arg);
    void (*list)(refq_backend *b, const refq_list_query *query, refq_list_cb cb, void *arg);
    /* Answers how many tasks were removed. */
    void (*cleanup)(refq_backend *b, const refq_cleanup_query *query, refq_count_cb cb, void *arg);
    void (*stats)(refq_backend *b, const char *queue, refq_stats_cb cb, void *arg);
    /* Answers how many workers were told, or 1. REFQ_ERR_NOTFOUND when no worker is meant. */
    void (*control)(refq_backend *b, const refq_control *control, refq_count_cb cb, void *arg);
    /* The names of all queues, sorted. */
    void (*queues)(refq_backend *b, refq_texts_cb cb, void *arg);
    /* One JSON object for each attempt that is over, newest first: attempt, at, class, worker,
     * error, stderr. */
    void (*history)(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg);
    /* One text: the arguments as JSON. REFQ_ERR_NOTFOUND when they are gone: a complete task's are
     * not kept. */
    void (*args)(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg);
    /* Answers the question of a running task (field `waiting` is "input", `question` holds it) with
     * JSON text. REFQ_ERR_CONFLICT when it does not ask. */
    void (*answer)(refq_backend *b, const refq_ref *ref, const char *json, refq_task_cb cb,
                   void *arg);
    void (*events)(refq_backend *b, const refq_events_query *query, refq_events_cb cb, void *arg);
    /* What the queue's workers offer: the definition of one task, or of all when `task` is NULL, as
     * JSON objects in the order of their names. REFQ_ERR_NOTFOUND when nobody offers that one. */
    void (*catalog)(refq_backend *b, const char *queue, const char *task, refq_texts_cb cb,
                    void *arg);
    /* The workers of `queue`, or of all queues when it is NULL. */
    void (*workers)(refq_backend *b, const char *queue, refq_workers_cb cb, void *arg);
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
