/* SPDX-License-Identifier: MIT */
/* What is said to a server before anything else: login, database, name, and whether it is the
 * master. For conn.c. */
#ifndef RQI_REDIS_HANDSHAKE_H
#define RQI_REDIS_HANDSHAKE_H

#include "redis/cmd.h"
#include "redis/url.h"

#include <hiredis/hiredis.h>

typedef enum rqi_step {
    RQI_STEP_PLAIN, /* anything but an error is good */
    RQI_STEP_ROLE   /* rqi_role_is_master() decides */
} rqi_step;

/* Encodes and sends one command. */
typedef refq_err (*rqi_step_send)(void *arg, rqi_cmd *cmd, rqi_step step);

/* Hands all steps to send, one after the other. Fails when the password cannot be read, or as send
 * does; then the connection must not be used. */
refq_err rqi_handshake(const rqi_url *url, const char *name, rqi_step_send send, void *arg,
                       refq_error *err);

/* A Sentinel may be behind, and a server that was the master until a moment ago still answers. */
bool rqi_role_is_master(const redisReply *reply);

#endif
