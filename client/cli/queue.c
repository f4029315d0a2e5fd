/* SPDX-License-Identifier: MIT */
/*
 * DESIGN. A misspelt queue looks like an empty one, so commands that find
 * nothing, and those that would change a queue nobody has ever used, ask for
 * the names of the queues first. It is one SMEMBERS, and a queue is announced
 * there before its first task is stored.
 */
#include "queue.h"

#include "exit.h"

#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cli_queue_pick(const char *given, const char **ret)
{
    const char *from_env = getenv("REFQ_QUEUE");
    bool set = from_env != NULL && from_env[0] != '\0';
    const char *queue = given != NULL ? given : set ? from_env : "default";
    refq_error err = {0};
    if (refq_queue_check(queue, &err) != REFQ_OK) {
        return cli_fail_as(EX_USAGE, "%s", err.text);
    }
    *ret = queue;
    return EX_OK;
}

static bool holds(const refq_texts *names, const char *queue)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->items[i], queue) == 0) {
            return true;
        }
    }
    return false;
}

refq_err cli_queue_look(refq_client *client, const char *queue, cli_queue_known *ret,
                        refq_error *err)
{
    refq_texts names = {0};
    *ret = (cli_queue_known){.known = true};
    if ((refq_client_capabilities(client) & REFQ_CAP_OPERATE) == 0) {
        return REFQ_OK;
    }
    refq_err code = refq_client_queues(client, &names, err);
    if (code != REFQ_OK) {
        return code;
    }
    ret->known = holds(&names, queue);
    const char *nearest = rqi_nearest(queue, (const char *const *)names.items, names.n);
    if (!ret->known && nearest != NULL) {
        (void)snprintf(ret->nearest, sizeof ret->nearest, "%.*s", REFQ_QUEUE_MAX, nearest);
    }
    refq_texts_free(&names);
    return REFQ_OK;
}

int cli_queue_require(refq_client *client, const char *queue)
{
    cli_queue_known look;
    refq_error err = {0};
    if (cli_queue_look(client, queue, &look, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (look.known) {
        return EX_OK;
    }
    if (look.nearest[0] != '\0') {
        return cli_fail_as(EX_NOINPUT, "there is no queue '%s'; did you mean '%s'?", queue,
                           look.nearest);
    }
    return cli_fail_as(EX_NOINPUT, "there is no queue '%s'; refq queues lists them", queue);
}
