/* SPDX-License-Identifier: MIT */
/*
 * The memory backend: tasks that live and run in this process, without Redis.
 *
 *     refq_memory_options queue = {.struct_size = sizeof queue, .queue = "docs",
 *                                  .handlers = handlers};
 *     refq_memory memory = {.struct_size = sizeof memory, .queues = &queue, .n = 1};
 *     refq_client_open_with(refq_backend_memory_factory, &memory, &client, &err);
 *
 * It has the same states, retries, delays, timeouts, lanes and limits as the redis backend, and
 * passes the same contract. What it has not: other processes, and memory of its own death. When
 * the process ends, so do its tasks and their results: nothing is persisted.
 */
#ifndef REFQ_MEMORY_H
#define REFQ_MEMORY_H

#include <refq/access.h>
#include <refq/backend.h>
#include <refq/handlers.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One queue. Zero means default. */
typedef struct refq_memory_options {
    size_t struct_size;
    const char *queue;       /* required; copied */
    refq_handlers *handlers; /* required; a reference is taken, nothing can be added any more */
    unsigned threads;        /* attempts at a time; 0 = number of CPUs; at most 4096 */
    int64_t
        record_ttl_ms;    /* how long finished tasks are kept; 0 = 24 h; failed ones 7 times that */
    unsigned max_pending; /* submits beyond so many waiting tasks are refused; 0 = a million */
    const refq_access *access; /* who may use which values as inputs, asked on any thread; copied;
                                  NULL = the built-in rules */
    refq_logger log;           /* of the first queue: for the whole backend */
} refq_memory_options;

/* Makes a backend with n (1 to 64) queues on a loop; everything happens on its thread, but for
 * handlers. The caller frees it with ops->shutdown().
 *
 * When a queue has external programs, call it before the process makes threads: a helper process
 * is forked.
 *
 * Kept at most: a million tasks that are not over, the newest 100000 that are, of each queue;
 * 10 attempts in a task's history; 1000 events (REFQ_EVENTS_MAX changes that, to a million at
 * most).
 *
 * shutdown() tells what runs to stop, kills external programs, and waits up to 5 s for C handlers
 * to return. One that does not is left running with what it uses, for a thread cannot be taken away
 * from outside: `event=stuck_handlers` is logged. */
REFQ_API REFQ_MUST_USE refq_err refq_backend_memory_new(struct event_base *base,
                                                        const refq_memory_options *queues, size_t n,
                                                        refq_backend **ret_backend,
                                                        refq_error *err);

/* The queues as one argument, for refq_client_open_with(). Borrowed while that call runs. */
typedef struct refq_memory {
    size_t struct_size;
    const refq_memory_options *queues;
    size_t n;
} refq_memory;

/* A refq_backend_factory; arg is a refq_memory. */
REFQ_API REFQ_MUST_USE refq_err refq_backend_memory_factory(struct event_base *base, void *arg,
                                                            refq_backend **ret_backend,
                                                            refq_error *err);

#ifdef __cplusplus
}
#endif
#endif
