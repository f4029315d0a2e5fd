/* SPDX-License-Identifier: MIT */
/*
 * Running tasks: definitions, handlers, and the worker that claims and runs them.
 *
 *     static refq_err hello(refq_ctx *ctx, void *arg)
 *     {
 *         return refq_ctx_return_json(ctx, "\"hello\"");
 *     }
 *     ...
 *     refq_worker_options opt = {.struct_size = sizeof opt, .redis = "redis://127.0.0.1",
 *                                .queue = "docs"};
 *     refq_task_def def = {.struct_size = sizeof def, .name = "hello"};
 *     refq_worker_new(&opt, &worker, &err);
 *     refq_worker_add_function(worker, &def, REFQ_RUN_THREAD, hello, NULL, &err);
 *     refq_worker_run(worker, &err);
 */
#ifndef REFQ_WORK_H
#define REFQ_WORK_H

#include <refq/bytes.h>
#include <refq/error.h>
#include <refq/export.h>
#include <refq/log.h>
#include <refq/task.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Delay before retry n (from 0): min(cap, base * factor^n), then a random part of it (full jitter).
 * All zero means the default: 1 s, 2, 60 s, jittered. */
typedef struct refq_backoff {
    int64_t base_ms; /* milliseconds */
    double factor;   /* >= 1 */
    int64_t cap_ms;  /* milliseconds */
    bool no_jitter;  /* true: exactly the bound, for tests and strict schedules */
} refq_backoff;

/* What the fleet is told about a task. Strings are copied by the functions that take it. */
typedef struct refq_task_def {
    size_t struct_size;        /* sizeof(refq_task_def) */
    const char *name;          /* required; [A-Za-z0-9_-]+ */
    const char *description;   /* for people and agents; NULL = none */
    const char *input_schema;  /* JSON Schema as JSON text; NULL = any object */
    const char *output_schema; /* JSON Schema as JSON text; NULL = not stated */
    int64_t
        async_timeout_ms; /* how long a caller should wait before it takes the reference; 0 = 5 s */
    int64_t timeout_ms;   /* wall time of one attempt; 0 = no limit */
    int64_t result_ttl_ms; /* how long the result stays readable; 0 = 24 h */
    int max_retries;       /* handler failures before `failed`; 0 = 3, REFQ_NO_RETRIES = none */
    refq_backoff backoff;
} refq_task_def;

/* --- C handlers ------------------------------------------------------------------------------- */

/* One running attempt, as its handler sees it. Valid until the handler returns. */
typedef struct refq_ctx refq_ctx;

/* Returns REFQ_OK after setting a result (none set = null). Any other code fails the attempt:
 * REFQ_ERR_INVALID and REFQ_ERR_LIMIT for good, everything else may be retried. */
typedef refq_err (*refq_handler)(refq_ctx *ctx, void *arg);

typedef enum refq_run_mode {
    REFQ_RUN_THREAD = 0, /* on a thread of the worker's pool; may block */
    REFQ_RUN_INLINE      /* on the worker's event loop; must return at once */
} refq_run_mode;

/* The arguments, as JSON text (an object) and as the msgpack bytes that were stored. Borrowed. */
REFQ_API const char *refq_ctx_args_json(refq_ctx *ctx);
REFQ_API refq_bytes refq_ctx_args_msgpack(const refq_ctx *ctx);

REFQ_API const refq_ref *refq_ctx_ref(const refq_ctx *ctx);
REFQ_API unsigned refq_ctx_attempt(const refq_ctx *ctx); /* from 1 */

/* The fencing token of this attempt. Pass it to every system that can refuse stale writers: it
 * rises with each attempt of a task. Borrowed. */
REFQ_API const char *refq_ctx_fence(const refq_ctx *ctx);

/* Sets the result: valid JSON text, stored as it is. Copied. */
REFQ_API REFQ_MUST_USE refq_err refq_ctx_return_json(refq_ctx *ctx, const char *json);

/* Says why the attempt fails; returns code, to be returned by the handler. */
REFQ_API refq_err refq_ctx_fail(refq_ctx *ctx, refq_err code, const char *fmt, ...)
    REFQ_PRINTF(3, 4);

/* Asks for this delay before the next attempt instead of the backoff. */
REFQ_API void refq_ctx_retry_after(refq_ctx *ctx, int64_t ms);

/* Reports progress (total 0 = unknown; message may be NULL; copied). False once the attempt should
 * stop: cancelled, fenced out, or the worker is going away. */
REFQ_API bool refq_ctx_progress(refq_ctx *ctx, int64_t current, int64_t total, const char *message);

/* True once the attempt should stop. Cheap: an atomic load. */
REFQ_API bool refq_ctx_is_cancelled(const refq_ctx *ctx);

/* --- External programs ------------------------------------------------------------------------ */

typedef enum refq_exec_input { REFQ_INPUT_JSON = 0, REFQ_INPUT_NONE } refq_exec_input;
typedef enum refq_exec_output {
    REFQ_OUTPUT_JSON = 0, /* stdout is one JSON value */
    REFQ_OUTPUT_TEXT,     /* stdout is UTF-8 text; the result is that string */
    REFQ_OUTPUT_BASE64    /* stdout is bytes; the result is their base64 string */
} refq_exec_output;

/* What one attempt's program may use; 0 = no limit. A limit that the worker itself runs under and
 * that is stricter stays. All but `processes` hold for each of its processes by itself. */
typedef struct refq_exec_limits {
    size_t memory;       /* bytes of address space (RLIMIT_AS) */
    size_t file_size;    /* bytes of a file it writes (RLIMIT_FSIZE) */
    int64_t cpu_ms;      /* CPU time, rounded up to seconds (RLIMIT_CPU): SIGXCPU, 5 s later KILL */
    unsigned open_files; /* descriptors (RLIMIT_NOFILE), at least 16 */
    unsigned processes;  /* of its user, on the whole machine (RLIMIT_NPROC); not for root */
} refq_exec_limits;

/* A program that is a handler; docs/HANDLERS.md tells what it sees. Strings are copied. */
typedef struct refq_exec_def {
    size_t struct_size;      /* sizeof(refq_exec_def) */
    const char *const *argv; /* NULL-terminated; no shell; {name} = one argument of the task */
    const char *directory;   /* working directory, and where a relative argv[0] with a slash starts;
                                NULL = the worker's own */
    const char *const
        *env; /* NULL-terminated NAME=VALUE, added to a clean environment; NULL = none */
    refq_exec_input input;
    refq_exec_output output;
    size_t max_output;     /* bytes of stdout; 0 = 16 MiB; more fails the attempt for good */
    int64_t kill_grace_ms; /* from TERM to KILL; 0 = 5 s */
    bool allow_dash;       /* true: a {name} value may start with '-' */
    size_t log_tail;       /* last bytes of stderr that are kept; 0 = 4 KiB, at most 64 KiB */
    const char *progress;  /* POSIX extended regular expression, at most 256 bytes, looked for in
                              each line of stderr (up to 4 KiB; \n or \r ends one): group 1 is the
                              current value and group 2 the total, one group alone a percentage;
                              NULL = progress comes by fd 3 only */
    refq_exec_limits limits;
} refq_exec_def;

/* --- The worker ------------------------------------------------------------------------------- */

typedef struct refq_worker refq_worker;

typedef struct refq_worker_options {
    size_t struct_size;    /* sizeof(refq_worker_options) */
    const char *redis;     /* URL; NULL = REFQ_REDIS or redis://127.0.0.1:6379 */
    const char *queue;     /* required */
    const char *prefix;    /* of all keys; NULL = "refq" */
    unsigned concurrency;  /* attempts at a time; 0 = number of CPUs; at most 4096 */
    int64_t lease_ms;      /* 0 = 10 s; a silent worker's tasks go to others after this */
    int64_t beat_ms;       /* 0 = lease / 5; at most a third of the lease */
    int64_t grace_ms;      /* 0 = 25 s; how long a stopping worker waits for running attempts */
    int64_t record_ttl_ms; /* 0 = 24 h; how long finished tasks' records live */
    refq_logger log;
} refq_worker_options;

/* Checks the options and makes a worker; nothing is started. The caller owns *ret_worker. */
REFQ_API REFQ_MUST_USE refq_err refq_worker_new(const refq_worker_options *options,
                                                refq_worker **ret_worker, refq_error *err);

/* Adds a handler. Before refq_worker_run() only. REFQ_ERR_CONFLICT when the name is taken. */
REFQ_API REFQ_MUST_USE refq_err refq_worker_add_function(refq_worker *worker,
                                                         const refq_task_def *def,
                                                         refq_run_mode mode, refq_handler handler,
                                                         void *arg, refq_error *err);
REFQ_API REFQ_MUST_USE refq_err refq_worker_add_exec(refq_worker *worker, const refq_task_def *def,
                                                     const refq_exec_def *exec, refq_error *err);

/* Runs until refq_worker_stop(); blocks the calling thread, which becomes the worker's loop.
 * REFQ_OK after a clean stop. Call it once, on the thread that forked no other users of the worker:
 * external programs are started by a helper process forked here, before any thread is made. */
REFQ_API REFQ_MUST_USE refq_err refq_worker_run(refq_worker *worker, refq_error *err);

/* Asks the worker to stop: it claims no more, gives running attempts the grace, then cancels and
 * releases them. A second call cancels at once. Any thread; async-signal-safe. */
REFQ_API void refq_worker_stop(refq_worker *worker);

/* Frees a worker that is not running; NULL is fine. */
REFQ_API void refq_worker_free(refq_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
