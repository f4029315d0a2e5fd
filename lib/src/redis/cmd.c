/* SPDX-License-Identifier: MIT */
#include "redis/cmd.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

static int grow(rqi_cmd *cmd)
{
    if (cmd->n < cmd->cap) {
        return 1;
    }
    size_t cap = cmd->cap != 0 ? cmd->cap * 2 : 16;
    const char **argv = realloc(cmd->argv, cap * sizeof *argv);
    cmd->argv = argv != NULL ? argv : cmd->argv;
    size_t *lens = realloc(cmd->lens, cap * sizeof *lens);
    cmd->lens = lens != NULL ? lens : cmd->lens;
    size_t *places = realloc(cmd->places, cap * sizeof *places);
    cmd->places = places != NULL ? places : cmd->places;
    if (argv == NULL || lens == NULL || places == NULL) {
        cmd->err = REFQ_ERR_NOMEM;
        return 0;
    }
    cmd->cap = cap;
    return 1;
}

void rqi_cmd_add(rqi_cmd *cmd, const void *ptr, size_t len)
{
    if (!grow(cmd)) {
        return;
    }
    cmd->argv[cmd->n] = len != 0 ? ptr : "";
    cmd->lens[cmd->n] = len;
    cmd->n++;
}

void rqi_cmd_adds(rqi_cmd *cmd, const char *text)
{
    rqi_cmd_add(cmd, text, strlen(text));
}

void rqi_cmd_addi(rqi_cmd *cmd, int64_t number)
{
    if (!grow(cmd)) {
        return;
    }
    size_t place = cmd->numbers.len;
    rqi_buf_addf(&cmd->numbers, "%lld", (long long)number);
    cmd->argv[cmd->n] = NULL;
    cmd->places[cmd->n] = place;
    cmd->lens[cmd->n] = cmd->numbers.len - place;
    cmd->n++;
}

refq_err rqi_cmd_encode(rqi_cmd *cmd, char **ret_bytes, size_t *ret_len)
{
    if (cmd->err != REFQ_OK || cmd->numbers.err != REFQ_OK) {
        return REFQ_ERR_NOMEM;
    }
    for (size_t i = 0; i < cmd->n; i++) {
        if (cmd->argv[i] == NULL) {
            cmd->argv[i] = cmd->numbers.ptr + cmd->places[i];
        }
    }
    char *bytes = NULL;
    long long len = redisFormatCommandArgv(&bytes, (int)cmd->n, cmd->argv, cmd->lens);
    if (len < 0) {
        return REFQ_ERR_NOMEM;
    }
    *ret_bytes = bytes;
    *ret_len = (size_t)len;
    return REFQ_OK;
}

void rqi_cmd_bytes_free(char *bytes)
{
    if (bytes != NULL) {
        redisFreeCommand(bytes);
    }
}

void rqi_cmd_clear(rqi_cmd *cmd)
{
    cmd->n = 0;
    cmd->err = REFQ_OK;
    rqi_buf_clear(&cmd->numbers);
}

void rqi_cmd_done(rqi_cmd *cmd)
{
    free((void *)cmd->argv);
    free(cmd->lens);
    free(cmd->places);
    rqi_buf_done(&cmd->numbers);
    *cmd = (rqi_cmd){0};
}
