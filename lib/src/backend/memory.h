/* SPDX-License-Identifier: MIT */
/*
 * What the files of the memory backend share.
 *
 * DESIGN. One thread, the loop's, owns everything here, so nothing is locked;
 * handlers run on the executor's threads and are heard of through it. A task is
 * in exactly one place, a list, and `where` says in which. Operations change the
 * state at once and leave their answer to the next turn of the loop, where also
 * waiting callers are told and attempts are started: so callbacks never come
 * from inside a call, and nothing here is entered twice.
 *
 *   submit --> DELAYED --(due)--> READY --(slot)--> RUNNING --> FINISHED --> gone
 *                 ^                 |  ^               |
 *                 |                 v  |               |
 *                 |                HELD                |
 *                 +------(failed, tried again)---------+
 */
#ifndef RQI_BACKEND_MEMORY_H
#define RQI_BACKEND_MEMORY_H

#include "backend/memory_index.h"
#include "run/executor.h"
#include "task/submit.h"

#include <refq/memory.h>

#include <sys/queue.h>

#define RQI_MEM_QUEUES   64
#define RQI_MEM_LIVE     1000000 /* tasks of a queue that are not over */
#define RQI_MEM_FINISHED 100000  /* and that are */
#define RQI_MEM_HISTORY  10
#define RQI_MEM_STEP     128 /* tasks dealt with in one turn of the loop */
#define RQI_MEM_LANES    3

typedef struct rqi_mem rqi_mem;
typedef struct rqi_mem_queue rqi_mem_queue;
typedef struct rqi_mem_task rqi_mem_task;

/* In the order of a list. */
typedef enum rqi_mem_place {
    RQI_MEM_RUNNING = 0,
    RQI_MEM_READY, /* in a lane */
    RQI_MEM_HELD,  /* its task's concurrency is used up */
    RQI_MEM_DELAYED,
    RQI_MEM_OVER,
    RQI_MEM_PLACES,
    RQI_MEM_NOWHERE = RQI_MEM_PLACES
} rqi_mem_place;

TAILQ_HEAD(rqi_mem_tasks, rqi_mem_task);

/* One handler of a queue. */
typedef struct rqi_mem_kind {
    const rqi_handler *handler; /* borrowed from the queue's registry */
    unsigned running;
    unsigned held; /* tasks that wait because its concurrency is used up */
} rqi_mem_kind;

/* One run; it may outlive its task. */
typedef struct rqi_mem_attempt {
    rqi_run run; /* first: the executor hands it back */
    TAILQ_ENTRY(rqi_mem_attempt) link;
    rqi_mem_queue *queue;
    rqi_mem_kind *kind;
    rqi_mem_task *task;          /* NULL: the task has moved on, what this says is not heard */
    struct rqi_resolver *inputs; /* owned; NULL = its arguments hold no references */
    int64_t inputs_now;          /* for the thread that works on them */
    refq_err inputs_rc;          /* and from it: whether they could be put to use */
    refq_error inputs_why;
} rqi_mem_attempt;

TAILQ_HEAD(rqi_mem_attempts, rqi_mem_attempt);

/* One caller that waits for a task. */
typedef struct rqi_mem_wait {
    TAILQ_ENTRY(rqi_mem_wait) link; /* of the task */
    TAILQ_ENTRY(rqi_mem_wait) tell; /* of those to be told */
    rqi_mem_task *task;
    refq_watch_cb watch; /* may be NULL */
    refq_task_cb cb;
    void *arg;
    struct event *deadline; /* owned; NULL = for ever */
    bool telling;           /* it is in the list of those to be told */
} rqi_mem_wait;

TAILQ_HEAD(rqi_mem_waits, rqi_mem_wait);

/* What identical calls have to do with a task. */
typedef struct rqi_mem_call {
    char digest[RQI_CALL_LEN + 1]; /* "" = nothing */
    refq_reuse reuse;
    rqi_mem_link by_digest;            /* linked while such calls find the task */
    char (*callers)[REFQ_HEX_LEN + 1]; /* owned; NULL = only the first: the task's own reference */
    size_t callers_n;
    bool handed; /* somebody has the reference: detaching does not cancel */
} rqi_mem_call;

/* That a task waits for one. */
typedef struct rqi_mem_tie {
    refq_ref ref;
    rqi_mem_task *follower;
    LIST_ENTRY(rqi_mem_tie) link; /* of that one's followers */
    bool linked;                  /* it is known to be live */
} rqi_mem_tie;

LIST_HEAD(rqi_mem_ties, rqi_mem_tie);

/* The fields of a record; PROTOCOL.md tells what they mean. Times are Unix ms, 0 = not set. */
struct rqi_mem_task {
    refq_ref ref;
    rqi_mem_queue *queue;
    rqi_mem_link by_ref;
    rqi_mem_link by_key; /* linked while the key leads here */
    TAILQ_ENTRY(rqi_mem_task) link;
    rqi_mem_place where;
    uint64_t position; /* rises within a place */
    struct rqi_mem_waits waits;
    rqi_mem_kind *kind;       /* NULL: nobody knows this task */
    rqi_mem_attempt *running; /* NULL unless RUNNING */
    size_t heap_at;           /* 1 + its place in the heap; 0 = not there */
    int64_t wake_at;

    char name[REFQ_NAME_MAX + 1];
    refq_status status;
    refq_lane lane;
    unsigned attempt;
    unsigned failures;
    unsigned releases;
    unsigned crashes;
    int64_t created_at;
    int64_t due_at;
    int64_t start_within;
    int64_t start_by;
    int64_t ready_at;
    int64_t started_at;
    int64_t completed_at;
    int64_t expires_at;  /* of the value */
    int64_t gone_at;     /* of the record */
    int64_t timeout_ms;  /* 0 = what the definition says */
    int64_t deadline_at; /* of a run that its executor does not end */
    int max_retries;     /* 0 = what the definition says */
    char fence[RQI_FENCE_MAX + 1];
    bool has_progress;
    int64_t current;
    int64_t total;
    char message[65];
    char error[RQI_ERROR_SHORT + 1];
    const char *reason; /* static */
    char replaced_by[REFQ_HEX_LEN + 1];
    char replaces[REFQ_HEX_LEN + 1];
    char preview[RQI_ARGS_IN_HASH + 1];
    char traceparent[65];
    rqi_scope scope;
    char *key; /* owned; NULL = none */
    int64_t key_until;
    rqi_mem_call call;
    rqi_mem_tie *after; /* owned; those it waits for, or waited for when it ended */
    size_t after_n;
    struct rqi_mem_ties followers;  /* those that wait for it */
    rqi_buf args;                   /* as stored: codec byte, msgpack */
    rqi_buf value;                  /* the cache entry */
    char *question;                 /* owned; NULL = it does not ask */
    char *history[RQI_MEM_HISTORY]; /* owned, newest first */
    unsigned history_n;
};

/* The ring of events. */
typedef struct rqi_mem_event {
    uint64_t number; /* from 1 */
    int64_t at_ms;
    char hex[REFQ_HEX_LEN + 1];
    refq_status status;
} rqi_mem_event;

typedef struct rqi_mem_log {
    rqi_mem_event *items; /* owned; NULL until the first event */
    size_t cap;           /* 0 = no log */
    size_t n;
    size_t first;
    uint64_t last; /* number of the newest ever */
} rqi_mem_log;

struct rqi_mem_queue {
    rqi_mem *mem;
    char name[REFQ_QUEUE_MAX + 1];
    refq_handlers *handlers; /* a reference */
    rqi_mem_kind *kinds;     /* owned */
    size_t kinds_n;
    unsigned slots;
    unsigned running; /* slots taken, also by attempts whose task has moved on */
    unsigned turn;    /* in the order of lanes */
    bool paused;
    int64_t record_ttl_ms;
    refq_access access;
    unsigned max_pending; /* 0 = no limit */
    struct rqi_mem_tasks places[RQI_MEM_PLACES];
    struct rqi_mem_tasks lanes[RQI_MEM_LANES]; /* instead of places[RQI_MEM_READY] */
    unsigned counts[RQI_MEM_PLACES];
    int64_t ever[REFQ_CANCELLED + 1]; /* tasks that got this status, for the first time */
    int64_t retries;
    int64_t releases;
    int64_t deaths;
    rqi_mem_log log;
};

struct rqi_mem_answer;
TAILQ_HEAD(rqi_mem_answers, rqi_mem_answer);

struct rqi_mem {
    refq_backend pub; /* first: callers hold a pointer to it */
    struct event_base *base;
    refq_logger log;
    rqi_executor *executor;
    char id[REFQ_HEX_LEN + 1]; /* what records name as the worker */
    rqi_mem_queue *queues;     /* owned, sorted by name */
    size_t queues_n;
    rqi_mem_index refs;
    rqi_mem_index keys;
    rqi_mem_index calls;
    rqi_mem_task **heap; /* tasks by the time something happens to them; the earliest first */
    size_t heap_n;
    size_t heap_cap;
    struct event *timer;
    struct event *turn;
    struct rqi_mem_answers answers;
    struct rqi_mem_attempts attempts;
    struct rqi_mem_waits to_tell;
    rqi_mem_wait *telling; /* whose watch runs */
    uint64_t positions;
    uint64_t fences;
    int64_t wall_less_mono_ms; /* so that its clock never goes back */
    bool closing;
    bool programs_broken;
};

/* --- memory.c --------------------------------------------------------------------------------- */

int64_t rqi_mem_now(const rqi_mem *m);

/* Has the loop come back soon: for answers, for those who wait, for starts. */
void rqi_mem_kick(rqi_mem *m);

/* NULL, and err, when this backend does not serve it. */
rqi_mem_queue *rqi_mem_queue_find(rqi_mem *m, const char *name, refq_error *err);
rqi_mem_task *rqi_mem_find(rqi_mem *m, const refq_ref *ref, refq_error *err);

/* --- memory_task.c ---------------------------------------------------------------------------- */

/* A pending task that is nowhere yet, found by its reference. NULL when there is no memory. */
rqi_mem_task *rqi_mem_task_new(rqi_mem_queue *q, const refq_ref *ref, const char *name);

/* Forgets the task altogether. */
void rqi_mem_task_free(rqi_mem_task *t);

/* Puts it at the end of a place, out of where it was. */
void rqi_mem_move(rqi_mem_task *t, rqi_mem_place where);

/* Queues it: at once, or after a delay. */
void rqi_mem_enqueue(rqi_mem_task *t, int64_t delay_ms);

/* Ends it. reason and error: of a failure. */
void rqi_mem_end(rqi_mem_task *t, refq_status status, const char *reason, const char *error);

/* Something visible has changed: tells those who wait. */
void rqi_mem_changed(rqi_mem_task *t);

/* Its attempt is none of its business any more; the run goes on until it ends. */
void rqi_mem_detach(rqi_mem_task *t, rqi_stop_reason why);

/* The record as it is now; owned by the caller; NULL when there is no memory. */
refq_task *rqi_mem_snapshot(const rqi_mem_task *t);

bool rqi_mem_is_over(const rqi_mem_task *t);
int rqi_mem_allowed_retries(const rqi_mem_task *t);
void rqi_mem_drop_key(rqi_mem_task *t);
void rqi_mem_bind_key(rqi_mem_task *t);
rqi_mem_task *rqi_mem_find_key(rqi_mem_queue *q, const char *key);

/* --- memory_call.c ---------------------------------------------------------------------------- */

/* The task of an identical call that this one shares; NULL when there is none. */
rqi_mem_task *rqi_mem_call_join(rqi_mem_queue *q, const refq_spec *spec, const char *digest);
/* From now on identical calls find it. */
void rqi_mem_call_bind(rqi_mem_task *t, const char *digest, refq_reuse reuse);
/* The same for one that runs an old one again, unless another one is found by now. */
void rqi_mem_call_bind_again(rqi_mem_task *t, const rqi_mem_task *old);
/* It is over: it is found for its result only. */
void rqi_mem_call_end(rqi_mem_task *t);
/* It is found no more; frees what it owns. */
void rqi_mem_call_done(rqi_mem_task *t);

void rqi_mem_detach_caller(refq_backend *b, const refq_ref *ref, const refq_ref *caller,
                           refq_task_cb cb, void *arg);
void rqi_mem_hand_out(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);

/* --- memory_after.c --------------------------------------------------------------------------- */

#define RQI_MEM_RECHECK_MS 60000 /* a task that waits for others is due so late */

/* What the task has to wait for; a copy. */
refq_err rqi_mem_after_set(rqi_mem_task *t, const refq_ref *refs, size_t n);
refq_err rqi_mem_after_copy(rqi_mem_task *t, const rqi_mem_task *from);

/* Queues it as rqi_mem_enqueue() does, but not before those are over. */
void rqi_mem_after_enqueue(rqi_mem_task *t, int64_t delay_ms);

/* It waits no more, and knows no more for what it did. */
void rqi_mem_after_done(rqi_mem_task *t);

/* It is over: those that wait for it look whether they have to wait on. */
void rqi_mem_after_end(rqi_mem_task *t);

/* --- memory_inputs.c -------------------------------------------------------------------------- */

/* Puts values in the place of references, then starts the run; however that ends, on_done follows.
 */
void rqi_mem_inputs_start(rqi_mem_attempt *a);

/* Queues a task again whose attempt found inputs that are still being made; false when it did not.
 */
bool rqi_mem_inputs_park(rqi_mem_task *t, const rqi_mem_attempt *a);

/* --- memory_time.c ---------------------------------------------------------------------------- */

/* Works out when something will happen to the task by itself, and sees to it. Call it after each
 * change of a time or place. Room in the heap is made when a task is. */
void rqi_mem_schedule(rqi_mem_task *t);
refq_err rqi_mem_time_reserve(rqi_mem *m);
void rqi_mem_on_timer(int fd, short what, void *arg);

/* --- memory_run.c ----------------------------------------------------------------------------- */

/* Starts what can be started; true when there is more to start. */
bool rqi_mem_start_some(rqi_mem_queue *q);

/* The run goes on although its time is over: the attempt counts as failed. */
void rqi_mem_overdue(rqi_mem_task *t);

/* --- memory_answer.c -------------------------------------------------------------------------- */

/* The outcome of an operation until the next turn of the loop: an error, or what its kind needs. */
typedef struct rqi_mem_answer {
    TAILQ_ENTRY(rqi_mem_answer) link;
    void (*deliver)(struct rqi_mem_answer *a, const refq_error *err);
    refq_error err; /* code REFQ_OK = none */
    union {
        refq_submit_cb submit;
        refq_task_cb task;
        refq_result_cb result;
        refq_list_cb list;
        refq_count_cb count;
        refq_stats_cb stats;
        refq_texts_cb texts;
        refq_events_cb events;
    } cb;
    void *arg;
    refq_task *task;      /* owned until delivered */
    refq_task **tasks;    /* owned; each until delivered */
    rqi_buf text;         /* entry, or what texts and ids point into */
    refq_submitted *done; /* owned */
    refq_bytes *texts;    /* owned */
    refq_event *events;   /* owned */
    refq_stats stats;
    size_t n;
    int64_t count;
    char next[48];
} rqi_mem_answer;

/* Lets the n texts of `a` lead into its buffer, where they lie one behind the other, terminated. */
void rqi_mem_answer_point(rqi_mem_answer *a);

/* An answer for the next turn; the caller fills it in. NULL when there is no memory: the callback
 * has been told then. */
rqi_mem_answer *rqi_mem_answer_submit(rqi_mem *m, refq_submit_cb cb, void *arg);
rqi_mem_answer *rqi_mem_answer_task(rqi_mem *m, refq_task_cb cb, void *arg);
rqi_mem_answer *rqi_mem_answer_result(rqi_mem *m, refq_result_cb cb, void *arg);
rqi_mem_answer *rqi_mem_answer_list(rqi_mem *m, refq_list_cb cb, void *arg);
rqi_mem_answer *rqi_mem_answer_count(rqi_mem *m, refq_count_cb cb, void *arg);
rqi_mem_answer *rqi_mem_answer_stats(rqi_mem *m, refq_stats_cb cb, void *arg);
rqi_mem_answer *rqi_mem_answer_texts(rqi_mem *m, refq_texts_cb cb, void *arg);
rqi_mem_answer *rqi_mem_answer_events(rqi_mem *m, refq_events_cb cb, void *arg);

/* Answers with the record as it is now; an error when there is no memory for that. */
void rqi_mem_answer_with(rqi_mem_answer *a, const rqi_mem_task *t);

/* Calls back with all answers there are now; with `err` instead of them when it is not NULL. */
void rqi_mem_deliver(rqi_mem *m, const refq_error *err);

/* --- memory_wait.c ---------------------------------------------------------------------------- */

void rqi_mem_wait_for(refq_backend *b, const refq_ref *ref, int64_t timeout_ms, refq_watch_cb watch,
                      refq_task_cb cb, void *arg);
/* The task is over, or (err) the backend is: all who wait for it get their answer. */
void rqi_mem_end_waits(rqi_mem_task *t, const refq_error *err);
void rqi_mem_tell(rqi_mem *m);

/* --- memory_events.c -------------------------------------------------------------------------- */

void rqi_mem_log_event(const rqi_mem_task *t);
refq_err rqi_mem_log_resize(rqi_mem_queue *q, size_t max, refq_error *err);
void rqi_mem_events(refq_backend *b, const refq_events_query *query, refq_events_cb cb, void *arg);

/* --- Operations ------------------------------------------------------------------------------- */

/* memory_submit.c */
void rqi_mem_submit(refq_backend *b, const refq_spec *specs, size_t n, refq_submit_cb cb,
                    void *arg);
void rqi_mem_retry(refq_backend *b, const refq_ref *ref, const refq_ref *as, refq_task_cb cb,
                   void *arg);
/* memory_read.c */
void rqi_mem_get_status(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
void rqi_mem_get_result(refq_backend *b, const refq_ref *ref, refq_result_cb cb, void *arg);
void rqi_mem_history(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg);
void rqi_mem_args(refq_backend *b, const refq_ref *ref, refq_texts_cb cb, void *arg);
/* memory_catalog.c */
void rqi_mem_catalog(refq_backend *b, const char *queue, const char *task, refq_texts_cb cb,
                     void *arg);
/* memory_list.c */
void rqi_mem_list(refq_backend *b, const refq_list_query *query, refq_list_cb cb, void *arg);
/* memory_change.c */
void rqi_mem_cancel_now(rqi_mem_task *t); /* it must not be over */
void rqi_mem_cancel(refq_backend *b, const refq_ref *ref, refq_task_cb cb, void *arg);
void rqi_mem_give_answer(refq_backend *b, const refq_ref *ref, const char *json, refq_task_cb cb,
                         void *arg);
/* memory_operate.c */
void rqi_mem_cleanup(refq_backend *b, const refq_cleanup_query *query, refq_count_cb cb, void *arg);
void rqi_mem_stats(refq_backend *b, const char *queue, refq_stats_cb cb, void *arg);
void rqi_mem_control(refq_backend *b, const refq_control *control, refq_count_cb cb, void *arg);
void rqi_mem_queues(refq_backend *b, refq_texts_cb cb, void *arg);

#endif
