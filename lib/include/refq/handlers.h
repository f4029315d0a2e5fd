/* SPDX-License-Identifier: MIT */
/*
 * Handlers: what can be run, by name.
 *
 *     static refq_err hello(refq_ctx *ctx, void *arg)
 *     {
 *         return refq_ctx_return_json(ctx, "\"hello\"");
 *     }
 *     ...
 *     refq_task_def def = {.struct_size = sizeof def, .name = "hello"};
 *     refq_handlers_new(&handlers, &err);
 *     refq_handlers_add_function(handlers, &def, REFQ_RUN_THREAD, hello, NULL, &err);
 *
 * A worker (work.h) runs them for a queue in Redis.
 */
#ifndef REFQ_HANDLERS_H
#define REFQ_HANDLERS_H

#include <refq/bytes.h>
#include <refq/error.h>
#include <refq/export.h>
#include <refq/log.h>
#include <refq/response.h>
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
    unsigned concurrency; /* attempts of this task at a time on one worker; 0 = no limit */
    bool child;           /* C handlers: always in a child process */

    /* How calls of it behave (call.h) where the call itself says nothing. */
    int has_reuse;
    refq_reuse reuse; /* of identical calls; without has_reuse REFQ_REUSE_IN_FLIGHT */
    int has_response_format;
    refq_format response_format; /* while it is not complete; without has_response_format
                                    REFQ_FORMAT_STANDARD */
    int64_t max_size; /* a value up to this size is answered whole, in the cache's unit; at most
                         2^30; 0 = the cache's default */
    const char *namespace_template; /* where results go, such as "user:{user_id}"; NULL = public */
    const char *owner_template;     /* whose they are; NULL = nobody's */
    bool session_scoped;            /* only the session that called may use them */
    const char *policy; /* who may do what with them: the name of a preset, or a JSON object of
                           user_permissions, agent_permissions, owner_permissions, allowed_actors
                           and denied_actors, at most 8 KiB; NULL = the cache's default */
} refq_task_def;

/* --- C handlers ------------------------------------------------------------------------------- */

/* One running attempt, as its handler sees it. Valid until the handler returns. */
typedef struct refq_ctx refq_ctx;

/* Returns REFQ_OK after setting a result (none set = null). Any other code fails the attempt:
 * REFQ_ERR_INVALID and REFQ_ERR_LIMIT for good, everything else may be retried. */
typedef refq_err (*refq_handler)(refq_ctx *ctx, void *arg);

typedef enum refq_run_mode {
    REFQ_RUN_THREAD = 0, /* on a thread of the pool; may block */
    REFQ_RUN_INLINE      /* on the event loop; must return at once */
} refq_run_mode;

/* The arguments, as JSON text (an object) and as msgpack. Borrowed. When values have taken the
 * place of references they can have up to 64 MiB; the msgpack form is then made by the first call,
 * and empty when they are nested deeper than 32 levels or memory lacks. */
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

/* For a handler that waits in poll(): a descriptor that becomes readable once the attempt should
 * stop. Made by the first call; owned by the context: neither read nor close it. -1 when there is
 * none left. */
REFQ_API int refq_ctx_cancel_fd(refq_ctx *ctx);

/* When the attempt times out: milliseconds of CLOCK_MONOTONIC; 0 = it has no limit. */
REFQ_API int64_t refq_ctx_deadline_ms(const refq_ctx *ctx);

/* Asks a person, and blocks the handler's thread until there is an answer; the timeout stands still
 * meanwhile. The question is JSON text of at most 8 KiB: a string, or an object with "question" (a
 * text) and perhaps "schema" (JSON Schema of the answer). *ret_answer_json is JSON text; the caller
 * frees it (free()).
 * REFQ_ERR_CLOSED when the attempt should stop, REFQ_ERR_UNSUPPORTED where nobody can be asked or
 * the handler runs on the event loop, REFQ_ERR_INVALID and REFQ_ERR_LIMIT for a bad question. */
REFQ_API REFQ_MUST_USE refq_err refq_ctx_ask(refq_ctx *ctx, const char *question_json,
                                             char **ret_answer_json);

/* Writes a line that carries the reference and the attempt to the log of the worker. */
REFQ_API void refq_ctx_log(refq_ctx *ctx, refq_log_level level, const char *fmt, ...)
    REFQ_PRINTF(3, 4);

/* --- External programs ------------------------------------------------------------------------ */

typedef enum refq_exec_input { REFQ_INPUT_JSON = 0, REFQ_INPUT_NONE } refq_exec_input;
typedef enum refq_exec_output {
    REFQ_OUTPUT_JSON = 0, /* stdout is one JSON value */
    REFQ_OUTPUT_TEXT,     /* stdout is UTF-8 text; the result is that string */
    REFQ_OUTPUT_BASE64,   /* stdout is bytes; the result is their base64 string */
    REFQ_OUTPUT_FILE      /* the same with the bytes of the file {@output}; stdout is log */
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
    const char *const *argv; /* NULL-terminated; no shell; {name} = one argument of the task,
{@output} = where REFQ_OUTPUT_FILE goes */
    const char *directory;   /* working directory, and where a relative argv[0] with a slash starts;
                                NULL = the worker's own */
    const char *const
        *env; /* NULL-terminated NAME=VALUE, added to a clean environment; NULL = none */
    refq_exec_input input;
    refq_exec_output output;
    size_t max_output;     /* bytes of stdout or of the file; 0 = 16 MiB; more fails the attempt for
                              good */
    int64_t kill_grace_ms; /* from TERM to KILL; 0 = 5 s */
    bool allow_dash;       /* true: a {name} value may start with '-' */
    size_t log_tail;       /* last bytes of stderr that are kept; 0 = 4 KiB, at most 64 KiB */
    const char *progress;  /* Perl-compatible regular expression, at most 256 bytes, looked for in
                              each line of stderr (up to 4 KiB; \n or \r ends one): group 1 is the
                              current value and group 2 the total, one group alone a percentage;
                              NULL = progress comes by fd 3 only */
    refq_exec_limits limits;
} refq_exec_def;

/* --- The registry ----------------------------------------------------------------------------- */

/* The handlers of one queue. Filled by one thread; once it is given to a worker it is not added to
 * any more (REFQ_ERR_CONFLICT): a changed set is a new registry. References may be taken and
 * dropped by any thread; the last one frees it. */
typedef struct refq_handlers refq_handlers;

/* An empty registry; the caller owns one reference to *ret. */
REFQ_API REFQ_MUST_USE refq_err refq_handlers_new(refq_handlers **ret, refq_error *err);

/* Adds a handler; at most 512. Everything is copied but arg, which must outlive the registry.
 * REFQ_ERR_CONFLICT when the name is taken; REFQ_ERR_INVALID and REFQ_ERR_LIMIT for a definition
 * that cannot work. */
REFQ_API REFQ_MUST_USE refq_err refq_handlers_add_function(refq_handlers *handlers,
                                                           const refq_task_def *def,
                                                           refq_run_mode mode, refq_handler handler,
                                                           void *arg, refq_error *err);
REFQ_API REFQ_MUST_USE refq_err refq_handlers_add_exec(refq_handlers *handlers,
                                                       const refq_task_def *def,
                                                       const refq_exec_def *exec, refq_error *err);

/* Returns its argument. */
REFQ_API refq_handlers *refq_handlers_ref(refq_handlers *handlers);

/* NULL is fine. */
REFQ_API void refq_handlers_unref(refq_handlers *handlers);

#ifdef __cplusplus
}
#endif
#endif
