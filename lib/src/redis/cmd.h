/* SPDX-License-Identifier: MIT */
/* Building one Redis command as an argument vector with lengths: user data never meets a format. */
#ifndef RQI_REDIS_CMD_H
#define RQI_REDIS_CMD_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

typedef struct rqi_cmd {
    const char **argv; /* borrowed strings; NULL marks a number kept in `numbers` */
    size_t *lens;      /* bytes of each; for a number also its place in `numbers` */
    size_t *places;
    size_t n, cap;
    rqi_buf numbers; /* text of the numbers added */
    refq_err err;    /* first failure, sticky */
} rqi_cmd;

/* `(rqi_cmd){0}` is an empty command. Strings are borrowed until the command is encoded. */
void rqi_cmd_add(rqi_cmd *cmd, const void *ptr, size_t len);
void rqi_cmd_adds(rqi_cmd *cmd, const char *text);
void rqi_cmd_addi(rqi_cmd *cmd, int64_t number);

/* Encodes for the wire; *ret_bytes is owned by the caller: rqi_cmd_bytes_free(). */
refq_err rqi_cmd_encode(rqi_cmd *cmd, char **ret_bytes, size_t *ret_len);
void rqi_cmd_bytes_free(char *bytes);

/* Empties for reuse / frees. */
void rqi_cmd_clear(rqi_cmd *cmd);
void rqi_cmd_done(rqi_cmd *cmd);

#endif
