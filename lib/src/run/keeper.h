/* SPDX-License-Identifier: MIT */
/*
 * The keeper: a small helper process that starts, signals and reaps programs.
 *
 * DESIGN. "Children never outlive their worker" has to hold when the worker is
 * killed with SIGKILL, when a program puts children of its own into the
 * background, and when those leave the process group with setsid(). No single
 * mechanism covers all three: PR_SET_PDEATHSIG reaches only direct children, a
 * process group only those that stay in it, and a killed worker can clean up
 * nothing. So programs are started by processes whose only work that is:
 *
 *     worker --(SOCK_SEQPACKET)-- keeper --+-- minder -- program (own process group)
 *                                          |     |          `- its children
 *                                          |     `-- its orphans: the minder is a subreaper
 *                                          `-- minder -- program ...
 *
 * The keeper is forked before the worker makes threads, so forking from it is
 * safe and cheap whatever the worker's size. Each program has a minder, forked
 * from the keeper, that is its parent and the subreaper of all it starts
 * (minder.h says why one for each); so a signal never hits a recycled process
 * id. When the worker is gone, for whatever reason, the keeper has every minder
 * kill all it looks after and exits last; when the keeper is gone, each minder
 * does the same by itself. When a program ends, what is left of its process
 * group and of its orphans is killed before the end is reported.
 */
#ifndef RQI_RUN_KEEPER_H
#define RQI_RUN_KEEPER_H

#include "run/folder.h"

#include <refq/error.h>
#include <refq/handlers.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct event_base;

#define RQI_KEEPER_MAX 4096 /* programs at a time */

typedef struct rqi_keeper rqi_keeper;

typedef enum rqi_child_event_kind {
    RQI_CHILD_STARTED, /* pid is valid */
    RQI_CHILD_REFUSED, /* could not be executed: error holds errno, stage says what failed */
    RQI_CHILD_ENDED,   /* status is a wait status; all the program started is gone */
    RQI_CHILD_LOST     /* the keeper or the minder died: the program was killed with it, its
 folder may be left */
} rqi_child_event_kind;

typedef struct rqi_child_event {
    rqi_child_event_kind kind;
    pid_t pid;
    int status;
    int error;
    char stage[16];         /* "fork", "chdir", "exec" ... */
    bool has_result;        /* RQI_CHILD_ENDED of a program with a folder: */
    rqi_result_file result; /* its descriptor is closed after the callback */
} rqi_child_event;

typedef void (*rqi_child_cb)(void *arg, const rqi_child_event *event);

/* What to start. Copied. */
typedef struct rqi_spawn {
    char *const
        *argv; /* NULL-terminated; argv[0] is executed by execvpe rules on the PATH in env */
    char *const *envp;     /* NULL-terminated */
    const char *directory; /* NULL = the keeper's */
    const char *folder;    /* made for the program, removed after it; NULL = none */
    refq_exec_limits limits;
    bool calls; /* a handler is called (child.h), nothing is executed: argv and envp are not used */
    int fds[4]; /* become 0, 1, 2, 3 in the program; stay owned by the caller */
    rqi_child_cb
        cb; /* REFUSED; or STARTED, then ENDED; or LOST at any time: always one last call */
    void *arg;
} rqi_spawn;

/* Forks the keeper. Call while the process has a single thread, on the thread that lives longest.
 */
refq_err rqi_keeper_start(rqi_keeper **ret, refq_error *err);

/* Lets callbacks come from this loop. Before the first spawn. `base` is borrowed. */
refq_err rqi_keeper_attach(rqi_keeper *keeper, struct event_base *base, refq_error *err);

/* The last handler that existed when the keeper was forked (rqi_handler.serial). */
unsigned long rqi_keeper_serial(const rqi_keeper *keeper);

/* The attached loop; NULL before that. */
struct event_base *rqi_keeper_base(const rqi_keeper *keeper);

/* Asks for a program; the callback comes from the loop, never from inside this call. *ret_id (never
 * 0) names it in rqi_keeper_kill(). REFQ_ERR_LIMIT when argv and envp together exceed 96 KiB or
 * 4096 strings, or RQI_KEEPER_MAX programs run; REFQ_ERR_CLOSED when the keeper is gone. */
refq_err rqi_keeper_spawn(rqi_keeper *keeper, const rqi_spawn *spawn, uint64_t *ret_id,
                          refq_error *err);

/* Called from the loop when the keeper has died, after the programs were reported as lost. */
void rqi_keeper_on_gone(rqi_keeper *keeper, void (*cb)(void *arg), void *arg);

/* 1 once the keeper has died: no program can be started any more, and those that ran were killed.
 */
int rqi_keeper_is_gone(const rqi_keeper *keeper);

/* Sends a signal to the program's process group; does nothing when it has ended. Signals arrive in
 * the order of the calls, after the start. */
void rqi_keeper_kill(rqi_keeper *keeper, uint64_t id, int signal);

/* Closes the socket: the keeper kills what still runs and exits; waits for it. NULL is fine. No
 * callbacks come during or after. Not from inside a callback. */
void rqi_keeper_stop(rqi_keeper *keeper);

#endif
