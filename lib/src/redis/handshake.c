/* SPDX-License-Identifier: MIT */
#include "redis/handshake.h"

#include "base/error.h"
#include "redis/reply.h"
#include "redis/secret.h"

#include <string.h>

struct hands {
    rqi_step_send send;
    void *arg;
    rqi_cmd cmd;
    refq_err rc; /* first failure */
};

static void send_step(struct hands *h, rqi_step step)
{
    if (h->rc == REFQ_OK) {
        h->rc = h->send(h->arg, &h->cmd, step);
    }
    rqi_cmd_clear(&h->cmd);
}

/* A user without a password may be one that needs none. */
static refq_err log_in(struct hands *h, const rqi_login *login, refq_error *err)
{
    char password[RQI_PASSWORD_MAX + 1];
    refq_err rc = rqi_login_password(login, password, err);
    if (rc != REFQ_OK || (login->user[0] == '\0' && password[0] == '\0')) {
        return rc;
    }
    rqi_cmd_adds(&h->cmd, "AUTH");
    if (login->user[0] != '\0') {
        rqi_cmd_adds(&h->cmd, login->user);
    }
    rqi_cmd_adds(&h->cmd, password);
    send_step(h, RQI_STEP_PLAIN);
    explicit_bzero(password, sizeof password);
    return REFQ_OK;
}

refq_err rqi_handshake(const rqi_url *url, const char *name, rqi_step_send send, void *arg,
                       refq_error *err)
{
    struct hands h = {.send = send, .arg = arg};
    refq_err rc = log_in(&h, &url->login, err);
    if (rc != REFQ_OK) {
        return rc;
    }
    if (url->db != 0) {
        rqi_cmd_adds(&h.cmd, "SELECT");
        rqi_cmd_addi(&h.cmd, url->db);
        send_step(&h, RQI_STEP_PLAIN);
    }
    rqi_cmd_adds(&h.cmd, "CLIENT");
    rqi_cmd_adds(&h.cmd, "SETNAME");
    rqi_cmd_adds(&h.cmd, name);
    send_step(&h, RQI_STEP_PLAIN);
    if (url->scheme == RQI_SCHEME_SENTINEL) {
        rqi_cmd_adds(&h.cmd, "ROLE");
        send_step(&h, RQI_STEP_ROLE);
    }
    rqi_cmd_done(&h.cmd);
    return h.rc == REFQ_OK ? REFQ_OK : rqi_fail(err, h.rc, "out of memory while connecting");
}

bool rqi_role_is_master(const redisReply *reply)
{
    rqi_cursor cur = rqi_cursor_of(reply);
    return strcmp(rqi_next_str(&cur), "master") == 0;
}
