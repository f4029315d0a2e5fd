/* SPDX-License-Identifier: MIT */
/* Real processes in tests. */
#ifndef RQT_PROC_H
#define RQT_PROC_H

#include <stddef.h>
#include <sys/types.h>

typedef struct rqt_spawn_options {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up on PATH */
    const char *const *env;  /* NULL-terminated NAME=VALUE added to this process's; NULL = none */
    const char *in_path;     /* stdin; NULL = /dev/null */
    const char *out_path;    /* stdout; NULL = /dev/null; appended to */
    const char *err_path;    /* stderr; likewise */
} rqt_spawn_options;

/* Starts a program that is killed when this process ends. Aborts when it cannot. */
pid_t rqt_spawn(const rqt_spawn_options *options);

/* Waits for the end of a program this process started. Its exit status (128 + signal when it was
 * killed), or -1 when it still runs after the budget. */
int rqt_reap(pid_t pid, int budget_ms);

/* What a finished program printed. */
typedef struct rqt_result {
    int status;
    char out[65536];
    char err[16384];
} rqt_result;

/* Runs the command line tool (`refq` is added in front) against the fixture's server and waits up
 * to 30 s. The result is valid until the next call. */
const rqt_result *rqt_refq(const char *const *args);

/* The same with varying arguments: RQT_REFQ("submit", "hello"). */
#define RQT_REFQ(...) rqt_refq((const char *const[]){__VA_ARGS__, NULL})

/* Any program, likewise. */
const rqt_result *rqt_run(const char *const *argv);

/* Starts refq-worker on the fixture's server with a task file and further options (NULL-terminated,
 * may be NULL). Its log goes to a file in the fixture's folder, see rqt_worker_log(). */
pid_t rqt_worker(const char *config_path, const char *const *options);
const char *rqt_worker_log(pid_t pid); /* whole log so far; valid until the next call */

/* Ends a worker with SIGTERM and returns its exit status. */
int rqt_worker_stop(pid_t pid);

/* Waits until n workers of the queue are registered. Fails the test after 10 s. */
void rqt_wait_workers(const char *queue, int n);

/* Writes a file into the fixture's folder, whole or not at all, also over one that is being
 * executed, and returns its path (valid until 16 more were written). */
const char *rqt_file(const char *name, const char *text, int executable);

/* Reads a whole file into a static buffer; "" when there is none. */
const char *rqt_read(const char *path);

/* Number of processes whose command line holds the text; zombies do not count. */
int rqt_count_processes(const char *text);

void rqt_remove_tree(const char *path);

#endif
