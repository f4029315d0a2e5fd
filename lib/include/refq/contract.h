/* SPDX-License-Identifier: MIT */
/*
 * The contract of a backend, as tests that anybody can run.
 *
 * backend.h says in words what every operation does; this suite says it in about a hundred
 * tests, one for each operation and each step of a task's life, allowed and refused. A backend
 * that passes it can stand behind refq_client like those of refq itself. docs/BACKENDS.md
 * shows how to write one and how to run this.
 *
 *     static const refq_contract_subject subject = {
 *         .struct_size = sizeof subject, .name = "mine",
 *         .start = start, .backend = make_backend, .stop = stop};
 *
 *     int main(int argc, char **argv)
 *     {
 *         return refq_contract_main(&subject, argc, argv);
 *     }
 *
 * Link with librefq-contract.a and librefq (pkg-config refq-contract, CMake
 * refq::refq-contract). The suite is one thread that calls a refq_client, and more threads where
 * a test is about many callers. It changes no signal but ignores SIGPIPE.
 */
#ifndef REFQ_CONTRACT_H
#define REFQ_CONTRACT_H

#include <refq/client.h>
#include <refq/handlers.h>
#include <refq/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one test needs. Each test has a queue of its own with a random name, so the backend need
 * not be empty and may be shared with others. */
typedef struct refq_contract_setup {
    size_t struct_size;
    const char *queue;
    refq_handlers *handlers; /* to be run for that queue, in this process; take a reference */
    unsigned slots;          /* attempts at a time, exactly: tests count on it */
    refq_logger log;
} refq_contract_setup;

/* A backend under test. `arg` is handed to each function; they come from one thread, in the order
 * start, backend (once or more), stop. Clients are closed before stop. */
typedef struct refq_contract_subject {
    size_t struct_size;
    const char *name;
    /* Makes everything ready that runs tasks of setup->queue. setup is valid until stop. */
    refq_err (*start)(void *arg, const refq_contract_setup *setup, refq_error *err);
    /* Makes a backend that submits to that queue; the caller shuts it down. */
    refq_err (*backend)(struct event_base *base, void *arg, refq_backend **ret, refq_error *err);
    void (*stop)(void *arg);
    void *arg;
} refq_contract_subject;

typedef struct refq_contract_options {
    size_t struct_size;
    const char *only;   /* one test, or a group ("cancel"); NULL = all */
    const char *except; /* tests and groups not to run, separated by commas; NULL = none */
    bool list;          /* only print the names */
    int64_t budget_ms;  /* how long a test waits for something to happen; 0 = 20 s */
    refq_logger log;    /* handed to the subject */
} refq_contract_options;

/* Runs the tests and writes TAP (Test Anything Protocol) to stdout. Returns 0 when none failed, 1
 * when one did, 2 when `only` names no test. Tests of what the backend says it lacks are skipped
 * by name. options may be NULL. A test that hangs for six budgets ends the process with status 1:
 * nothing can be told of a backend that does not answer. */
REFQ_API int refq_contract_run(const refq_contract_subject *subject,
                               const refq_contract_options *options);

/* The same with a command line: [--list] [--only NAME] [--except NAME,...] [--budget MS]. */
REFQ_API int refq_contract_main(const refq_contract_subject *subject, int argc, char **argv);

/* --- Stores ----------------------------------------------------------------------------------- */

/* A store under test (store.h). Each test has a cache of its own with a random name and removes its
 * entries, so the store need not be empty. */
typedef struct refq_contract_store {
    size_t struct_size;
    const char *name;
    /* Opens it; called again while others are open, and after all were closed. From one thread. */
    refq_err (*open)(void *arg, refq_store **ret, refq_error *err);
    /* Puts something that is no entry where this one would be, as others may do. NULL: nobody
     * can. */
    void (*spoil)(void *arg, const char *ref_id);
    void *arg;
} refq_contract_store;

/* As refq_contract_run() and refq_contract_main(). */
REFQ_API int refq_contract_store_run(const refq_contract_store *subject,
                                     const refq_contract_options *options);
REFQ_API int refq_contract_store_main(const refq_contract_store *subject, int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
