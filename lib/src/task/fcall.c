/* SPDX-License-Identifier: MIT */
#include "task/fcall.h"

#include "base/error.h"
#include "task/library.h"

#include <stdlib.h>
#include <string.h>

#define LOADS_MAX   3 /* somebody else may flush again between our load and our call */
#define REPEATS_MAX 3

struct call {
    rqi_conn *conn; /* borrowed: it fails this call before it goes away */
    char *bytes;    /* owned: needed again when the library is missing */
    size_t len;
    rqi_reply_cb cb;
    void *arg;
    int loads;   /* times the library was loaded for it */
    int repeats; /* times it may still be sent again after a lost connection */
};

void rqi_fcall_begin(rqi_cmd *cmd, const rqi_keys *keys, const char *function)
{
    rqi_cmd_clear(cmd);
    rqi_cmd_adds(cmd, "FCALL");
    rqi_cmd_adds(cmd, function);
    rqi_cmd_adds(cmd, "1");
    rqi_cmd_adds(cmd, keys->meta);
}

static void end_call(struct call *call, const refq_error *err, const redisReply *reply)
{
    call->cb(call->arg, err, reply);
    rqi_cmd_bytes_free(call->bytes);
    free(call);
}

static void on_reply(void *arg, const refq_error *err, const redisReply *reply);

static void send_call(struct call *call)
{
    rqi_conn_send_bytes(call->conn, call->bytes, call->len, 0, on_reply, call);
}

static void on_loaded(void *arg, const refq_error *err, const redisReply *reply)
{
    struct call *call = arg;
    /* Another client may have loaded it between our call and our load. */
    if (err != NULL && strstr(err->text, "already exists") == NULL) {
        end_call(call, err, reply);
        return;
    }
    send_call(call);
}

static void load_library(struct call *call)
{
    rqi_cmd cmd = {0};
    rqi_cmd_adds(&cmd, "FUNCTION");
    rqi_cmd_adds(&cmd, "LOAD");
    rqi_cmd_adds(&cmd, rqi_library_source);
    rqi_conn_send(call->conn, &cmd, 0, on_loaded, call);
    rqi_cmd_done(&cmd);
}

static void on_reply(void *arg, const refq_error *err, const redisReply *reply)
{
    struct call *call = arg;
    if (err != NULL && strstr(err->text, "Function not found") != NULL && call->loads < LOADS_MAX) {
        call->loads++;
        load_library(call);
        return;
    }
    if (err != NULL && err->code == REFQ_ERR_CLOSED && call->repeats > 0) {
        call->repeats--;
        send_call(call);
        return;
    }
    end_call(call, err, reply);
}

void rqi_fcall_send(rqi_conn *conn, rqi_cmd *cmd, rqi_repeat repeat, rqi_reply_cb cb, void *arg)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL || rqi_cmd_encode(cmd, &call->bytes, &call->len) != REFQ_OK) {
        free(call);
        rqi_cmd_clear(cmd);
        cmd->err = REFQ_ERR_NOMEM;
        rqi_conn_send(conn, cmd, 0, cb, arg); /* reports it from the loop */
        return;
    }
    call->conn = conn;
    call->cb = cb;
    call->arg = arg;
    call->repeats = repeat == RQI_REPEAT ? REPEATS_MAX : 0;
    send_call(call);
}
