/* SPDX-License-Identifier: MIT */
/*
 * What the worker and its keeper say to each other.
 *
 *     worker -> keeper   rqi_order, then its strings, each with its terminator:
 *                        directory (when has_directory), folder (when has_folder), n_args of argv,
 * n_env of envp; the program's four descriptors travel as SCM_RIGHTS keeper -> worker   rqi_report;
 * the descriptor of a result, when there is one, as SCM_RIGHTS
 *
 * Both ends are one binary, forked from one process, so this is no format: no
 * versions, no byte order. One message is one packet of the socket.
 */
#ifndef RQI_RUN_KEEPER_WIRE_H
#define RQI_RUN_KEEPER_WIRE_H

#include "run/keeper.h"

#define RQI_KEEPER_TEXT_MAX ((size_t)96 * 1024) /* bytes of all strings of one order */
#define RQI_KEEPER_STRINGS  4096                /* strings of one order, argv and envp together */

typedef enum rqi_order_kind {
    RQI_ORDER_SPAWN = 1,
    RQI_ORDER_CALL, /* as RQI_ORDER_SPAWN, but a handler is called */
    RQI_ORDER_KILL
} rqi_order_kind;

typedef struct rqi_order {
    rqi_order_kind kind;
    int signal;      /* RQI_ORDER_KILL */
    uint64_t id;     /* id % RQI_KEEPER_MAX is the program's slot in both tables */
    uint32_t n_args; /* RQI_ORDER_SPAWN, this and below */
    uint32_t n_env;
    uint32_t has_directory;
    uint32_t has_folder;
    refq_exec_limits limits;
} rqi_order;

typedef struct rqi_report {
    uint64_t id;
    rqi_child_event event;
} rqi_report;

/* One program as the forked side sees it. Borrows its strings from the message. */
typedef struct rqi_job {
    uint64_t id;
    char **argv;
    char **envp;
    const char *directory; /* NULL = the keeper's */
    const char *folder;    /* NULL = none */
    refq_exec_limits limits;
    bool calls;
    int fds[4];
} rqi_job;

#endif
