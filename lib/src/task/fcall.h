/* SPDX-License-Identifier: MIT */
/*
 * Calling a function of the library, which is loaded only when the server does
 * not have it: the first call after a FUNCTION FLUSH, a failover or an upgrade
 * finds out by itself, loads, and is repeated. A refused function ran nothing,
 * so the repeat is safe.
 */
#ifndef RQI_TASK_FCALL_H
#define RQI_TASK_FCALL_H

#include "redis/conn.h"
#include "task/keys.h"
#include "task/library_name.h"

/* The server's name of a function: a literal, such as RQI_FN("submit"). */
#define RQI_FN(name) RQI_LIBRARY_NAME "_" name

/* Starts a command `FCALL <function> 1 <meta key>`; add the arguments, then rqi_fcall_send(). */
void rqi_fcall_begin(rqi_cmd *cmd, const rqi_keys *keys, const char *function);

/* What to do when the connection is lost and nobody knows whether the function ran. */
typedef enum rqi_repeat {
    RQI_ONCE = 0, /* report REFQ_ERR_CLOSED: the caller finds out (pull, finish) */
    RQI_REPEAT    /* send it again, a few times: it is idempotent (all others) */
} rqi_repeat;

/* cmd may be cleared right after. */
void rqi_fcall_send(rqi_conn *conn, rqi_cmd *cmd, rqi_repeat repeat, rqi_reply_cb cb, void *arg);

#endif
