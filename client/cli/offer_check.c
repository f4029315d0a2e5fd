/* SPDX-License-Identifier: MIT */
#include "offer_check.h"

#include "exit.h"
#include "queue.h"

static int refuse_unknown(const char *queue, const char *task, const char *nearest)
{
    if (nearest[0] == '\0') {
        return cli_fail_as(EX_UNAVAILABLE,
                           "no worker of queue %s offers '%s' (--force queues it anyway)", queue,
                           task);
    }
    return cli_fail_as(
        EX_UNAVAILABLE,
        "no worker of queue %s offers '%s'; did you mean '%s'? (--force queues it anyway)", queue,
        task, nearest);
}

/* A queue nobody serves may be new, or misspelt. */
static int check_queue(refq_client *client, const char *queue)
{
    cli_queue_known look;
    refq_error err = {0};
    if (cli_queue_look(client, queue, &look, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (!look.known && look.nearest[0] != '\0') {
        return cli_fail_as(EX_UNAVAILABLE,
                           "there is no queue '%s'; did you mean '%s'? (--force queues it anyway)",
                           queue, look.nearest);
    }
    cli_note("no worker is alive on queue %s yet; the task waits for one", queue);
    return EX_OK;
}

int cli_offer_check(refq_client *client, const char *queue, const char *task)
{
    char nearest[REFQ_NAME_MAX + 1] = "";
    refq_offer offer = REFQ_OFFERED;
    refq_error err = {0};
    if (refq_client_offer(client, queue, task, &offer, nearest, &err) != REFQ_OK) {
        return cli_fail(&err);
    }
    if (offer == REFQ_NOT_OFFERED) {
        return refuse_unknown(queue, task, nearest);
    }
    return offer == REFQ_NO_WORKERS ? check_queue(client, queue) : EX_OK;
}
